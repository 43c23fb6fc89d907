"""Taking back a yes: at once, and out of the datasets that rested on it."""

from pathlib import Path

import pytest

from consents.models import LedgerEvent, Subject
from consents.vocabulary import Action
from portal.errors import DomainError
from requests_app.states import Status
from tests.consents.asking import say
from tests.requests_app.asking import SOON, asked, closes, propagate
from tests.requests_app.holding import authors, posts
from tests.requests_app.rights.test_objection import allows

pytestmark = pytest.mark.django_db(transaction=True)
MARKETING = {"purposes": ["marketing"]}


def test_what_was_agreed_to_is_taken_back_everywhere(alice: Subject, charlie: Subject, tmp_path: Path) -> None:
    say(alice, Action.GRANT, "marketing")
    say(charlie, Action.GRANT, "marketing")
    letters = posts(tmp_path, "alice", "charlie", slug="letters", purposes=("marketing",))
    propagate()
    assert authors(letters) == ["alice", "charlie"]
    request = asked(alice, "withdraw_consent", scope=MARKETING, at=SOON)[0]
    assert not allows(alice, "marketing")
    assert LedgerEvent.objects.get(pk=request.event_id).action == Action.WITHDRAW
    assert not closes(request)
    propagate()
    assert closes(request)
    request.refresh_from_db()
    assert request.status == Status.FULFILLED
    assert authors(letters) == ["charlie"]


def test_it_says_which_use(alice: Subject) -> None:
    with pytest.raises(DomainError, match="which use"):
        asked(alice, "withdraw_consent")
