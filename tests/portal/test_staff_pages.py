"""The words and pieces that staff's pages are written with."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from portal import actors
from portal.models import User
from portal.staff_pages import FirstThousands, badge, lines, named


@pytest.mark.parametrize(
    ("actor", "words"),
    [
        (actors.SYSTEM, "Heed"),
        (actors.subject("018f0000-0000-7000-8000-000000000001"), "the person"),
        (actors.partner("acme"), "partner acme"),
        (actors.command("demo"), "command demo"),
        ("", "–"),
    ],
)
def test_who_acted_is_told_without_an_id(actor: str, words: str) -> None:
    assert named(actor) == words


def test_a_colleague_is_called_by_name(bob: User) -> None:
    assert named(actors.staff(bob.pk)) == "bob"


@pytest.mark.parametrize("gone", ["018f0000-0000-7000-8000-000000000001", "no-id"])
def test_a_colleague_who_is_gone_is_told_as_such(db: None, gone: str) -> None:
    assert named(actors.staff(gone)) == "a former member of staff"


def test_what_is_shown_is_escaped() -> None:
    assert "&lt;script&gt;" in badge("info", "<script>")
    assert "&lt;script&gt;" in lines([("<script>",)])
    assert lines([], otherwise="<none>") == "&lt;none&gt;"


def test_a_long_list_is_counted_no_further_than_anybody_turns_pages(db: None, monkeypatch: Any) -> None:
    User.objects.bulk_create([User(username=f"u{number}") for number in range(7)])
    assert FirstThousands(User.objects.order_by("pk"), 2).num_pages == 4
    monkeypatch.setattr(FirstThousands, "furthest", 5)
    pages = FirstThousands(User.objects.order_by("pk"), 2)
    assert (pages.count, pages.num_pages) == (5, 3)


@pytest.mark.parametrize("model", ["requests_app/system", "requests_app/agent", "requests_app/request"])
@pytest.mark.parametrize("step", ["change", "do/start"])
def test_an_address_that_no_id_can_be_is_not_found(
    petra: User, signed_in: Callable[..., Client], model: str, step: str
) -> None:
    assert signed_in(petra).get(f"/admin/{model}/%00/{step}/", follow=True).status_code in {200, 404}
