"""Partners that hold a copy: they see its runs, fetch keys, and are believed unless they contradict themselves."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from consents.models import Partner, Subject
from consents.vocabulary import Action
from downstream import journeys, propagation, registry
from downstream.connectors.base import ConnectorError
from downstream.models import Acknowledgement, Dataset, HolderRequest, Propagation, RemovalReceipt
from downstream.propagation_states import Status
from portal.models import AuditEntry
from tests.conftest import AT, BY, partner, person
from tests.consents.api.conftest import Caller, errors, problem
from tests.downstream.acting import LATER, carry_out, planned, say
from tests.downstream.api.conftest import lines
from tests.downstream.copies import HOLDERS_SCOPES, copy_at, registration

OLD, NEW = "a" * 64, "b" * 64


def said(run: Propagation, **changes: Any) -> dict[str, Any]:
    told = {
        "position": run.to_position,
        "rows_found": 2,
        "rows_removed": 2,
        "rows_after": 40,
        "digest_before": OLD,
        "digest_after": NEW,
        "verified_at": timezone.now().isoformat(),
    }
    return {name: value for name, value in {**told, **changes}.items() if value is not None}


def fetch(their_calls: Caller, run: Propagation) -> list[dict[str, Any]]:
    return lines(their_calls.get(f"/propagations/{run.pk}/keys"))


def acknowledge(their_calls: Caller, run: Propagation, **changes: Any) -> Any:
    fetch(their_calls, run)
    return their_calls.post(f"/propagations/{run.pk}/ack", said(run, **changes))


def state(run: Propagation) -> tuple[str, str]:
    run.refresh_from_db()
    return run.status, run.reason_code


def test_a_partner_pulls_removes_and_acknowledges(their_calls: Caller, run: Propagation, alice: Subject) -> None:
    (listed,) = their_calls.get("/propagations", state="awaiting").json()["propagations"]  # type: ignore[attr-defined]
    assert (listed["id"], listed["people"], listed["yours"]) == (str(run.pk), 1, True)
    assert (listed["position"], listed["key_scheme"]) == (run.to_position, "account")
    one = their_calls.get(f"/propagations/{run.pk}").json()  # type: ignore[attr-defined]
    assert one == listed
    assert fetch(their_calls, run) == [{"key": "m_alice", "spans": []}, {"end": 1}]
    counted = [{"key": "m_alice", "rows_found": 2, "rows_removed": 2}]
    answer = their_calls.post(f"/propagations/{run.pk}/ack", said(run, keys=counted, version="v7"))
    assert answer.status_code == 200, answer.content
    assert answer.json()["state"] == "verified"  # type: ignore[attr-defined]
    receipt = RemovalReceipt.objects.get()
    assert (receipt.subject_id, receipt.rows_removed, receipt.attested_by) == (alice.pk, 2, "northlight")
    assert (receipt.digest_before, receipt.digest_after) == (OLD, NEW)
    run.refresh_from_db()
    assert (run.rows_after, run.dataset.position, run.dataset.row_count) == (40, run.to_position, 40)
    (stop,) = journeys.stops(subject_id=alice.pk, purpose="ai-training", position=run.to_position, at=LATER)
    assert (stop.state, stop.rows_removed) == (journeys.TOLD_REMOVED, 2)
    assert Acknowledgement.objects.get().version == "v7"


def test_counts_in_total_leave_each_person_uncounted(their_calls: Caller, run: Propagation) -> None:
    assert acknowledge(their_calls, run).status_code == 200
    receipt = RemovalReceipt.objects.get()
    assert (receipt.is_counted, receipt.rows_removed) == (False, 0)
    assert Acknowledgement.objects.get().rows_removed == 2


def test_nothing_found_in_total_is_nothing_found_of_anybody(
    their_calls: Caller, run: Propagation, alice: Subject
) -> None:
    assert acknowledge(their_calls, run, rows_found=0, rows_removed=0, digest_after=OLD).status_code == 200
    (stop,) = journeys.stops(subject_id=alice.pk, purpose="ai-training", position=run.to_position, at=LATER)
    assert stop.state == journeys.TOLD_NOT_IN


def test_the_same_again_changes_nothing(their_calls: Caller, run: Propagation) -> None:
    fetch(their_calls, run)
    body = said(run)
    first = their_calls.post(f"/propagations/{run.pk}/ack", body)
    again = their_calls.post(f"/propagations/{run.pk}/ack", body)
    assert [one.json()["repeated"] for one in (first, again)] == [False, True]  # type: ignore[attr-defined]
    assert RemovalReceipt.objects.count() == Acknowledgement.objects.count() == 1
    otherwise = their_calls.post(f"/propagations/{run.pk}/ack", {**body, "rows_after": 41})
    assert problem(otherwise) == (409, "said_otherwise_before")


CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    ({"rows_removed": 1}, "not_all_removed"),
    ({"digest_after": OLD}, "digest_unchanged"),
    ({"verified_at": "2026-01-01T00:00:00Z"}, "verified_when"),
    ({"verified_at": "2999-01-01T00:00:00Z"}, "verified_when"),
    ({"keys": [{"key": "m_charlie", "rows_found": 2, "rows_removed": 2}]}, "unknown_key"),
    ({"keys": [{"key": "m_alice", "rows_found": 1, "rows_removed": 1}]}, "sum_differs"),
    ({"keys": [{"key": "m_alice", "rows_found": 2, "rows_removed": 1}]}, "not_all_removed"),
    ({"keys": [{"key": "m_alice", "rows_found": 1, "rows_removed": 1}] * 2}, "unknown_key"),
]


def test_what_contradicts_itself_is_kept_and_leaves_the_run_open(their_calls: Caller, run: Propagation) -> None:
    for changes, code in CONTRADICTIONS:
        assert problem(acknowledge(their_calls, run, **changes)) == (409, code)
        assert state(run) == (Status.AWAITING, code)
        kept = Acknowledgement.objects.latest("received_at")
        assert (kept.accepted, kept.reason_code) == (False, code)
    assert Acknowledgement.objects.count() == len(CONTRADICTIONS)
    assert not RemovalReceipt.objects.exists()
    # and the truth closes it
    assert their_calls.post(f"/propagations/{run.pk}/ack", said(run)).status_code == 200
    assert state(run) == (Status.VERIFIED, "")


def test_a_failure_stops_the_run_with_the_partners_words(their_calls: Caller, run: Propagation) -> None:
    body = {"position": run.to_position, "status": "failed", "reason": "disk is full"}
    for repeated in (False, True):
        answer = their_calls.post(f"/propagations/{run.pk}/ack", body)
        assert (answer.status_code, answer.json()["repeated"]) == (200, repeated)  # type: ignore[attr-defined]
    assert state(run) == (Status.STOPPED, "holder_failed")
    assert "disk is full" in run.reason
    propagation.retry_now(propagation=run, by=BY, at=LATER)
    carry_out(run)
    assert state(run) == (Status.AWAITING, "")
    assert acknowledge(their_calls, run).status_code == 200


UNREADABLE: list[tuple[dict[str, Any], int, str]] = [
    ({"position": 1}, 409, "wrong_position"),
    ({"rows_found": None}, 400, "invalid"),
    ({"rows_found": -1}, 400, "invalid"),
    ({"digest_after": "B" * 64}, 400, "invalid"),
    ({"verified_at": "2026-03-02T12:00:00"}, 400, "invalid"),
    ({"status": "perhaps"}, 400, "invalid"),
    ({"status": "failed"}, 400, "invalid"),
    ({"colour": "red"}, 400, "invalid"),
    ({"keys": [{"key": "m_alice"}]}, 400, "invalid"),
]


def test_what_cannot_be_understood_is_refused_and_not_kept(their_calls: Caller, run: Propagation) -> None:
    for changes, status, code in UNREADABLE:
        assert problem(acknowledge(their_calls, run, **changes)) == (status, code)
    missing = acknowledge(their_calls, run, digest_before=None)
    assert errors(missing) == [("digest_before", "required")]
    assert not Acknowledgement.objects.exists()


def test_whoever_did_not_fetch_the_keys_removed_nothing(their_calls: Caller, run: Propagation) -> None:
    assert problem(their_calls.post(f"/propagations/{run.pk}/ack", said(run))) == (409, "keys_not_fetched")


def test_a_stream_that_was_cut_off_is_no_fetching(their_calls: Caller, run: Propagation) -> None:
    stream = iter(their_calls.get(f"/propagations/{run.pk}/keys").streaming_content)  # type: ignore[attr-defined]
    next(stream)
    assert not HolderRequest.objects.filter(fetched_at__isnull=False).exists()


def test_a_late_acknowledgement_of_a_run_that_is_over_is_refused(their_calls: Caller, run: Propagation) -> None:
    acknowledge(their_calls, run)
    bob = person("bobby")
    say(bob, Action.DENY)
    later = planned()
    carry_out(later)
    late = their_calls.post(f"/propagations/{run.pk}/ack", said(run, rows_after=1))
    assert problem(late) == (409, "said_otherwise_before")
    assert problem(their_calls.get(f"/propagations/{run.pk}/keys")) == (409, "not_awaiting")
    assert state(later) == (Status.AWAITING, "")


def test_a_run_that_is_not_asked_for_yet_cannot_be_acknowledged(
    their_calls: Caller, copy: Dataset, alice: Subject
) -> None:
    say(alice, Action.DENY)
    run = planned()
    assert problem(their_calls.get(f"/propagations/{run.pk}/keys")) == (409, "not_awaiting")
    assert problem(their_calls.post(f"/propagations/{run.pk}/ack", said(run))) == (409, "not_awaiting")


def test_others_see_nothing_of_it(run: Propagation) -> None:
    stranger = Caller(partner("stranger", recipients=["linkwell"], schemes=["account"]), HOLDERS_SCOPES)
    assert stranger.get("/propagations").json()["propagations"] == []  # type: ignore[attr-defined]
    for path in ("", "/keys"):
        assert problem(stranger.get(f"/propagations/{run.pk}{path}")) == (404, "unknown_propagation")
    assert problem(stranger.post(f"/propagations/{run.pk}/ack", said(run))) == (404, "unknown_propagation")


def test_another_partner_of_the_same_owner_sees_it_and_may_not_touch_it(run: Propagation) -> None:
    sister = Caller(partner("sister", recipients=["northlight"], schemes=["account"]), HOLDERS_SCOPES)
    (listed,) = sister.get("/propagations").json()["propagations"]  # type: ignore[attr-defined]
    assert listed["yours"] is False
    assert problem(sister.get(f"/propagations/{run.pk}/keys")) == (403, "not_the_holder")
    assert problem(sister.post(f"/propagations/{run.pk}/ack", said(run))) == (403, "not_the_holder")


def test_a_registration_that_became_too_narrow_shows_no_keys(
    run: Propagation, northlight: Partner, their_calls: Caller
) -> None:
    Partner.objects.filter(pk=northlight.pk).update(jurisdictions=["GB"])
    assert problem(their_calls.get(f"/propagations/{run.pk}/keys")) == (403, "registration_too_narrow")


@pytest.mark.parametrize(("scope", "works"), [("propagations:read", (200, 403)), ("propagations:ack", (403, 409))])
def test_each_call_needs_its_scope(run: Propagation, northlight: Partner, scope: str, works: tuple[int, int]) -> None:
    caller = Caller(northlight, scope)
    read, ack = caller.get("/propagations"), caller.post(f"/propagations/{run.pk}/ack", said(run))
    assert (read.status_code, ack.status_code) == works


def test_an_unknown_run_is_unknown(their_calls: Caller) -> None:
    nobody = "/propagations/00000000-0000-7000-8000-000000000000"
    assert problem(their_calls.get(nobody)) == (404, "unknown_propagation")


def test_a_list_goes_on_where_its_page_ended(their_calls: Caller, run: Propagation) -> None:
    acknowledge(their_calls, run)
    say(person("bobby"), Action.DENY)
    carry_out(planned())
    first = their_calls.get("/propagations", limit=1).json()  # type: ignore[attr-defined]
    second = their_calls.get("/propagations", limit=1, after=first["next"]).json()  # type: ignore[attr-defined]
    assert (len(first["propagations"]), len(second["propagations"]), second["next"]) == (1, 1, None)
    assert their_calls.get("/propagations", dataset="other").json()["propagations"] == []  # type: ignore[attr-defined]
    assert problem(their_calls.get("/propagations", colour="red")) == (400, "invalid")


def test_reading_keys_is_in_the_audit_trail_without_them(their_calls: Caller, run: Propagation) -> None:
    acknowledge(their_calls, run)
    entries = {one.action: one for one in AuditEntry.objects.filter(object_id=str(run.pk))}
    assert entries["propagation.read_keys"].actor == "partner:northlight"
    assert {"propagation.acknowledge", "propagation.attest"} <= set(entries)
    assert "m_alice" not in str([one.details for one in entries.values()])


@pytest.mark.parametrize(
    ("location", "changes", "code"),
    [
        ("nobody/posts", {}, "unknown_partner"),
        ("northlight posts", {}, "invalid_location"),
        ("northlight/posts", {"owner": "linkwell"}, "partner_not_of_owner"),
        ("northlight/posts", {"key_scheme": "email"}, "scheme_not_theirs"),
        ("northlight/posts", {"connector_options": {"colour": "red"}}, "unknown_option"),
        ("northlight/posts", {"kind": "webhook"}, "no_webhook"),
    ],
)
def test_a_copy_that_could_not_be_asked_for_is_not_registered(
    northlight: Partner, location: str, changes: dict[str, Any], code: str
) -> None:
    asked = registration(location, **{"kind": "pull", "owner": "northlight", **changes})
    with pytest.raises(ConnectorError) as caught:
        registry.check(asked)
    assert caught.value.code == code


def test_a_partner_of_too_few_rights_cannot_hold_a_copy(world: None) -> None:
    narrow = partner("narrow", recipients=["northlight"], schemes=["account"], scopes=["propagations:read"])
    local = partner("local", recipients=["northlight"], schemes=["account"], jurisdictions=["GB"])
    for one, code in ((narrow, "scope_missing"), (local, "partner_sees_some")):
        with pytest.raises(ConnectorError) as caught:
            copy_at(one)
        assert caught.value.code == code


def test_a_copy_is_nothing_that_we_reach_into(copy: Dataset) -> None:
    with pytest.raises(ConnectorError) as caught:
        registry.connect(copy)
    assert caught.value.code == "held_by_another"


def test_a_run_whose_partner_went_stops_and_says_so(run: Propagation, northlight: Partner) -> None:
    Partner.objects.filter(pk=northlight.pk).update(recipients=[])
    assert not carry_out(run, at=AT)
    assert state(run) == (Status.STOPPED, "partner_not_of_owner")


@pytest.mark.django_db(transaction=True)
def test_spans_of_time_go_out_with_the_keys(their_calls: Caller, northlight: Partner, alice: Subject) -> None:
    from consents import holds
    from tests.conftest import sequenced
    from tests.downstream.acting import run_all

    copy_at(northlight, created_column="made")
    sequenced()
    run_all()
    scope = holds.HoldScope(jurisdictions=["US"], data_from=AT.replace(month=1))
    holds.open(scope=scope, reason="a concern", by=BY, at=LATER)
    sequenced()
    run = planned()
    carry_out(run)
    (line, _) = fetch(their_calls, run)
    assert line == {"key": "m_alice", "spans": [["2026-01-02T12:00:00+00:00", None]]}
    assert acknowledge(their_calls, run).status_code == 200
    assert RemovalReceipt.objects.get().spans == line["spans"]


def test_people_are_counted_only_where_the_number_is_shown(their_calls: Caller, run: Propagation) -> None:
    def counts(act: Any) -> int:
        with CaptureQueriesContext(connection) as asked:
            assert act().status_code == 200
        return sum("COUNT(" in one["sql"] and "downstream_target" in one["sql"] for one in asked)

    assert counts(lambda: their_calls.get("/propagations")) == 1
    assert counts(lambda: their_calls.get(f"/propagations/{run.pk}")) == 1
    fetch(their_calls, run)
    assert counts(lambda: their_calls.post(f"/propagations/{run.pk}/ack", said(run))) == 0
