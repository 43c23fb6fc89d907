"""What a request leaves behind when it ends: nothing that goes on by itself, and nobody without an answer."""

from pathlib import Path

import pytest
from django.core import mail

from consents.models import Subject
from downstream.models import Correction, Exemption
from portal.models import User
from requests_app import letters, looking, packages, workflow
from requests_app.models import Package, Request
from requests_app.states import Status
from tests.conftest import BY, OTHER
from tests.requests_app.asking import (
    LATER,
    SOON,
    asked,
    carried_out,
    closes,
    exempted,
    propagate,
    refusal_of,
    started,
    system,
)
from tests.requests_app.holding import authors, posts

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("locale", ["en", "de", "fr"])
def test_what_is_kept_of_an_erasure_is_told_with_its_law(alice: Subject, bob: User, locale: str) -> None:
    system("erasure")
    first = carried_out(alice, bob)
    asked(alice, "erasure", at=SOON)
    Request.objects.update(locale=locale)
    exempted(first.tasks.get())
    propagate()
    assert closes(first)
    letters.send_due(at=LATER)
    assert [one.to for one in mail.outbox] == [["alice@example.org"]] * 2
    for one in mail.outbox:
        assert "GDPR Art. 17(3)(b)" in one.body
        assert not any(words in one.body for words in ("in full", "vollständig", "entièrement"))


@pytest.mark.parametrize("end", ["withdrawn", "refused"])
def test_an_erasure_that_does_not_come_leaves_no_exemption(
    alice: Subject, charlie: Subject, bob: User, tmp_path: Path, end: str
) -> None:
    dataset = posts(tmp_path, "alice", "charlie")
    first = started(alice, bob)
    exempted(first.tasks.get())
    if end == "withdrawn":
        workflow.withdraw(request=first, by=BY, at=SOON)
    else:
        workflow.decide(proposal=refusal_of(first), approve=True, by=OTHER, at=SOON)
    assert not Exemption.objects.in_force().exists()
    second = carried_out(alice, bob)
    propagate()
    assert closes(second)
    second.refresh_from_db()
    assert (second.status, authors(dataset)) == (Status.FULFILLED, ["charlie"])


@pytest.mark.parametrize("end", ["withdrawn", "refused"])
def test_nobody_is_asked_any_longer_for_what_was_called_off(
    alice: Subject, bob: User, tmp_path: Path, end: str
) -> None:
    posts(tmp_path, "alice")
    request = asked(alice, "rectification")[0]
    workflow.start(request=request, staff=bob, by=BY, at=SOON)
    workflow.carry_out(request=request, by=BY, at=SOON)
    looking.look(at=SOON)
    assert Correction.objects.open().count() == 1
    if end == "withdrawn":
        workflow.withdraw(request=request, by=BY, at=LATER)
    else:
        workflow.decide(proposal=refusal_of(request, ground="accurate"), approve=True, by=OTHER, at=LATER)
    assert not Correction.objects.open().exists()


def test_an_erasure_leaves_nothing_of_what_an_answer_held(alice: Subject, bob: User) -> None:
    access = workflow.start(request=asked(alice, "access")[0], staff=bob, by=BY, at=SOON)
    package = packages.ask(request=access, by=BY, at=SOON)
    Package.objects.update(sha256="a" * 64, parts=[{"name": "posts", "rows": 2}])
    workflow.withdraw(request=access, by=BY, at=SOON)
    request = carried_out(alice, bob)
    propagate()
    assert closes(request)
    package.refresh_from_db()
    assert (package.sha256, package.parts) == ("", [])
