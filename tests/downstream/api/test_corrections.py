"""Partners see what has to be put right in their datasets, fetch the keys, and say that it is done."""

import uuid
from typing import Any

import pytest

from consents import subjects
from consents.models import Partner, Subject
from downstream import corrections
from downstream.models import Correction, Dataset
from portal.models import AuditEntry
from tests.conftest import AT, BY, partner
from tests.consents.api.conftest import Caller, problem
from tests.downstream.copies import HOLDERS_SCOPES

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def wrong(copy: Dataset, alice: Subject) -> Correction:
    """Something in northlight's copy is wrong about Alice."""
    (one,) = corrections.ask(subject_id=alice.pk, request_id=uuid.UUID(int=9), by=BY, at=AT)
    return one


def listed(calls: Caller, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = calls.get("/corrections", **query).json()["corrections"]  # type: ignore[attr-defined]
    return found


def test_a_partner_fetches_the_keys_and_says_that_it_is_done(their_calls: Caller, wrong: Correction) -> None:
    (one,) = listed(their_calls, state="open")
    assert (one["id"], one["dataset"], one["rows"], one["yours"]) == (str(wrong.pk), "copy", None, True)
    assert their_calls.get(f"/corrections/{wrong.pk}").json() == one  # type: ignore[attr-defined]
    keys = their_calls.get(f"/corrections/{wrong.pk}/keys")
    assert keys.json() == {"keys": ["m_alice"]}  # type: ignore[attr-defined]
    assert keys["Cache-Control"] == "no-store"
    (entry,) = AuditEntry.objects.filter(action="correction.read_keys")
    assert (entry.actor, entry.details) == ("partner:northlight", {"keys": 1})
    first = their_calls.post(f"/corrections/{wrong.pk}/ack", {})
    again = their_calls.post(f"/corrections/{wrong.pk}/ack", {"outcome": "corrected"})
    assert [one.json()["repeated"] for one in (first, again)] == [False, True]  # type: ignore[attr-defined]
    wrong.refresh_from_db()
    assert (wrong.state, wrong.settled_by) == ("done", "partner:northlight")
    otherwise = their_calls.post(f"/corrections/{wrong.pk}/ack", {"outcome": "nothing_wrong"})
    assert problem(otherwise) == (409, "settled_otherwise")
    assert listed(their_calls, state="open") == []
    assert "m_alice" not in str(listed(their_calls))


def test_pages_follow_each_other(their_calls: Caller, wrong: Correction, charlie: Subject) -> None:
    corrections.ask(subject_id=charlie.pk, request_id=uuid.UUID(int=10), by=BY, at=AT)
    first = their_calls.get("/corrections", limit=1).json()  # type: ignore[attr-defined]
    second = their_calls.get("/corrections", limit=1, after=first["next"]).json()  # type: ignore[attr-defined]
    assert first["corrections"] != second["corrections"]
    assert second["next"] is None
    assert listed(their_calls, dataset="other") == []


@pytest.mark.parametrize("path", ["", "/keys"])
def test_somebody_elses_is_as_unknown_as_none(wrong: Correction, path: str) -> None:
    stranger = Caller(partner("stranger", recipients=["linkwell"], schemes=["account"]), HOLDERS_SCOPES)
    assert listed(stranger) == []
    for one in (wrong.pk, uuid.UUID(int=1)):
        assert problem(stranger.get(f"/corrections/{one}{path}")) == (404, "unknown_correction")
    assert problem(stranger.post(f"/corrections/{wrong.pk}/ack", {})) == (404, "unknown_correction")


def test_who_speaks_for_the_owner_only_sees_that_it_is_there(wrong: Correction) -> None:
    owner = Caller(partner("owner", recipients=["northlight"], schemes=["account"]), HOLDERS_SCOPES)
    (one,) = listed(owner)
    assert not one["yours"]
    assert problem(owner.get(f"/corrections/{wrong.pk}/keys")) == (403, "not_the_holder")
    assert problem(owner.post(f"/corrections/{wrong.pk}/ack", {})) == (403, "not_the_holder")


def test_who_may_not_see_everybody_gets_no_key(their_calls: Caller, northlight: Partner, wrong: Correction) -> None:
    Partner.objects.filter(pk=northlight.pk).update(jurisdictions=["US"])
    assert problem(their_calls.get(f"/corrections/{wrong.pk}/keys")) == (403, "registration_too_narrow")
    assert problem(their_calls.post(f"/corrections/{wrong.pk}/ack", {})) == (403, "registration_too_narrow")


def test_scopes_are_those_of_removals(northlight: Partner, wrong: Correction) -> None:
    reader = Caller(northlight, "propagations:read")
    assert len(listed(reader)) == 1
    assert reader.post(f"/corrections/{wrong.pk}/ack", {}).status_code == 403
    other = Caller(northlight, "propagations:ack")
    for path in ("", f"/{wrong.pk}", f"/{wrong.pk}/keys"):
        assert other.get(f"/corrections{path}").status_code == 403


@pytest.mark.parametrize("body", [{"outcome": "ignored"}, {"colour": "red"}])
def test_what_cannot_be_said_is_refused(their_calls: Caller, wrong: Correction, body: dict[str, Any]) -> None:
    assert their_calls.post(f"/corrections/{wrong.pk}/ack", body).status_code == 400
    assert their_calls.get("/corrections", state="gone").status_code == 400


def test_of_the_forgotten_no_key_is_left(their_calls: Caller, wrong: Correction, alice: Subject) -> None:
    subjects.forget(subject=alice, by=BY, at=AT)
    assert their_calls.get(f"/corrections/{wrong.pk}/keys").json() == {"keys": []}  # type: ignore[attr-defined]
    assert their_calls.post(f"/corrections/{wrong.pk}/ack", {"outcome": "nothing_wrong"}).status_code == 200
