"""Looking people up: by exactly what names them, and each look is recorded."""

from collections.abc import Callable

import pytest
from django.test import Client

from consents.models import Subject
from consents.vocabulary import Action
from portal.models import AuditEntry, User
from tests.consents.asking import say

SignIn = Callable[..., Client]


def found(browser: Client, term: str) -> str:
    response = browser.get("/admin/consents/subject/", {"q": term})
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize("term", ["m_alice", "alice@example.org", " Alice@Example.ORG "])
def test_a_person_is_found_by_each_name(
    alice: Subject, charlie: Subject, bob: User, signed_in: SignIn, term: str
) -> None:
    page = found(signed_in(bob), term)
    assert str(alice.pk) in page
    assert str(charlie.pk) not in page


def test_a_person_is_found_by_id(alice: Subject, bob: User, signed_in: SignIn) -> None:
    assert f"/admin/consents/subject/{alice.pk}/" in found(signed_in(bob), str(alice.pk))


@pytest.mark.parametrize("term", ["alice", "m_", "@example.org", "x" * 36, "%", "x" * 400])
def test_nobody_is_found_by_less_than_a_name(alice: Subject, bob: User, signed_in: SignIn, term: str) -> None:
    assert f"/admin/consents/subject/{alice.pk}/" not in found(signed_in(bob), term)


def test_each_look_at_a_person_is_in_the_trail(alice: Subject, bob: User, signed_in: SignIn) -> None:
    say(alice, Action.DENY)
    page = signed_in(bob).get(f"/admin/consents/subject/{alice.pk}/change/").content.decode()
    for text in ("alice@example.org", "m_alice", "Use my data to train AI"):
        assert text in page
    look = AuditEntry.objects.get(action="subject.look_at")
    assert (look.actor, look.object_id) == (f"staff:{bob.pk}", str(alice.pk))


def test_nobody_is_listed_before_somebody_was_named(alice: Subject, bob: User, signed_in: SignIn) -> None:
    page = found(signed_in(bob), "")
    assert str(alice.pk) not in page
    assert "m_alice" not in page
    assert not AuditEntry.objects.filter(action="subject.look_up").exists()


def test_looking_somebody_up_is_in_the_trail_and_shows_no_address(alice: Subject, bob: User, signed_in: SignIn) -> None:
    page = found(signed_in(bob), "alice@example.org")
    assert str(alice.pk) in page
    assert "alice@" not in page.replace('value="alice@example.org"', "")
    look = AuditEntry.objects.filter(action="subject.look_up").first()
    assert look is not None
    assert (look.actor, look.object_id) == (f"staff:{bob.pk}", str(alice.pk))


@pytest.mark.parametrize("name", ["nonsense", "00000000-0000-0000-0000-000000000000"])
def test_who_is_not_there_is_not_found(alice: Subject, bob: User, signed_in: SignIn, name: str) -> None:
    assert signed_in(bob).get(f"/admin/consents/subject/{name}/change/").status_code in {302, 404}


def test_the_ledger_is_read_with_positions_and_without_evidence(alice: Subject, bob: User, signed_in: SignIn) -> None:
    event = say(alice, Action.DENY)
    browser = signed_in(bob)
    assert "…" in browser.get("/admin/consents/ledgerevent/").content.decode()
    page = browser.get(f"/admin/consents/ledgerevent/{event.pk}/change/").content.decode()
    assert str(alice.pk) in page
    assert "vidence" not in page
