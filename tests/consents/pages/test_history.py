"""History and receipts: the reader's own, and nobody else's."""

import uuid

import pytest

from consents import ledger
from consents.models import Subject
from consents.vocabulary import Action
from portal import references
from tests.conftest import SignIn
from tests.consents.asking import say


def test_every_choice_is_there_newest_first(alice: Subject, signed_in: SignIn) -> None:
    events = [say(alice, Action.DENY), say(alice, Action.GRANT, "marketing"), say(alice, Action.RESTRICT, "")]
    page = signed_in(alice).get("/history/").content.decode()
    places = [page.index(ledger.reference(event.pk)) for event in reversed(events)]
    assert places == sorted(places)
    assert "every purpose" in page
    assert "on these pages" in page


def test_an_empty_history_says_so(alice: Subject, signed_in: SignIn) -> None:
    assert "No choice recorded yet" in signed_in(alice).get("/history/").content.decode()


def test_the_choices_of_others_are_not_there(alice: Subject, charlie: Subject, signed_in: SignIn) -> None:
    event = say(alice, Action.DENY)
    assert ledger.reference(event.pk) not in signed_in(charlie).get("/history/").content.decode()


def test_a_receipt_tells_the_choice_in_full(alice: Subject, signed_in: SignIn) -> None:
    event = say(alice, Action.DENY)
    page = signed_in(alice).get(f"/receipts/{ledger.reference(event.pk)}/").content.decode()
    for text in ("Use my data to train AI", "No", "on these pages", "being assigned", "March", "2026"):
        assert text in page


def test_a_receipt_is_found_however_its_reference_is_written(alice: Subject, signed_in: SignIn) -> None:
    reference = ledger.reference(say(alice, Action.DENY).pk)
    response = signed_in(alice).get(f"/receipts/{reference.lower()}/")
    assert response.status_code == 200
    assert reference in response.content.decode()


def test_somebody_elses_receipt_is_as_unknown_as_none(alice: Subject, charlie: Subject, signed_in: SignIn) -> None:
    browser = signed_in(charlie)
    theirs = browser.get(f"/receipts/{ledger.reference(say(alice, Action.DENY).pk)}/")
    nobodys = browser.get(f"/receipts/{references.encode('R', uuid.uuid4())}/")
    assert (theirs.status_code, nobodys.status_code) == (404, 404)
    assert plain(theirs.content) == plain(nobodys.content)


def plain(page: bytes) -> list[str]:
    """The page's lines but those that name its own address or differ each time."""
    changing = ("csrf", "nonce", 'name="next"')
    return [line for line in page.decode().splitlines() if not any(word in line for word in changing)]


@pytest.mark.parametrize("reference", ["R-1", "nonsense", "Q-" + "0" * 26, "R-" + "Z" * 26])
def test_what_is_no_reference_is_not_found(alice: Subject, signed_in: SignIn, reference: str) -> None:
    assert signed_in(alice).get(f"/receipts/{reference}/").status_code == 404


def test_an_event_that_is_no_choice_has_no_receipt(alice: Subject, signed_in: SignIn) -> None:
    event = ledger.append(kind="erasure", by="staff:1", at=alice.registered_at, details={}, subject=alice)  # type: ignore[arg-type]
    assert signed_in(alice).get(f"/receipts/{ledger.reference(event.pk)}/").status_code == 404


def test_nothing_but_reading_is_allowed(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    assert browser.post("/history/").status_code == 405
    assert browser.post("/receipts/R-1/").status_code == 405
