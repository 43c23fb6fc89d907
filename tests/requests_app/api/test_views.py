"""/api/v1/requests: what a partner sends in, follows and takes back; or one clear refusal and nothing written."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from consents import subjects
from consents.models import Partner, Preference, Subject
from portal.models import AuditEntry, RememberedAnswer
from requests_app import sealing
from requests_app.models import Pause, Request
from tests.conftest import BY, partner, person
from tests.consents.api.conftest import errors, problem
from tests.requests_app.api.conftest import FrontEnd, asks
from tests.requests_app.asking import asked

NAME = {"what": "name", "wrong": "Alicia", "right": "Alice"}
BY_MAIL = {"scheme": "email", "value": "somebody@example.org"}


@pytest.fixture(autouse=True)
def registered(alice: Subject) -> Subject:
    return alice


def test_a_request_is_taken_in_with_its_reference_and_its_clock(front_end: FrontEnd, alice: Subject) -> None:
    said = front_end.sends("access", note="All of it, please.", locale="de")
    made = Request.objects.get()
    assert said["reference"] == made.reference
    assert (said["status"], said["subject"]) == ("received", str(alice.pk))
    assert (said["due_on"], said["house_rule"]) == (made.due_on.isoformat(), True)
    assert said["links"]["self"] == f"/api/v1/requests/{made.reference}"
    assert (made.channel, made.partner, made.locale) == ("api", "acme", "de")
    assert sealing.unseal(made, made.sealed_note, context=sealing.NOTE) == "All of it, please."
    assert AuditEntry.objects.get(action="request.received").actor == "partner:acme"


def test_several_rights_become_linked_requests(front_end: FrontEnd) -> None:
    answer = front_end.post("/requests", asks("access", "erasure", "automated_decision"))
    said = answer.json()["requests"]  # type: ignore[attr-defined]
    assert [one["right"] for one in said] == ["access", "erasure", "automated_decision"]
    assert len({one["group"] for one in said}) == 1


def test_a_no_is_carried_out_at_once(front_end: FrontEnd, alice: Subject) -> None:
    said = front_end.sends("objection", scope={"purposes": ["ai-training"]})
    assert said["status"] == "in_progress"
    assert Preference.objects.get(subject=alice, purpose="ai-training").action == "object"


def test_the_same_again_is_linked_to_the_first(front_end: FrontEnd) -> None:
    first, second = front_end.sends("access"), front_end.sends("access")
    assert (first["duplicate_of"], second["duplicate_of"]) == (None, first["reference"])


def test_the_law_of_where_they_live_sets_the_clock(front_end: FrontEnd, grace: Subject) -> None:
    said = front_end.sends("access", subject={"scheme": "account", "value": "m_grace"})
    assert said["house_rule"] is False


def test_a_repeated_key_answers_the_first_and_writes_nothing(front_end: FrontEnd) -> None:
    first = front_end.post("/requests", asks("access"), Idempotency_Key="k1")
    again = front_end.post("/requests", asks("access"), Idempotency_Key="k1")
    assert again["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()  # type: ignore[attr-defined]
    assert Request.objects.count() == RememberedAnswer.objects.count() == 1
    other = front_end.post("/requests", asks("erasure"), Idempotency_Key="k1")
    assert problem(other) == (422, "idempotency_key_reused")


class TestWhoAsks:
    """What a partner may say about who asks, and what is made of it."""

    def test_who_does_not_vouch_learns_of_no_other_request(self, stranger: FrontEnd, alice: Subject) -> None:
        asked(alice, "access")
        said = stranger.sends("access")
        assert (said["status"], said["duplicate_of"]) == ("verifying", None)
        assert stranger.get(f"/requests/{said['reference']}").json()["duplicate_of"] is None  # type: ignore[attr-defined]
        assert [one["duplicate_of"] for one in stranger.get("/requests").json()["requests"]] == [None]  # type: ignore[attr-defined]

    def test_who_does_not_vouch_waits(self, front_end: FrontEnd, alice: Subject) -> None:
        said = front_end.sends("objection", scope={"purposes": ["ai-training"]}, verified=False)
        assert said["status"] == "verifying"
        assert not Preference.objects.filter(subject=alice).exists()
        assert Pause.objects.get().reason == "identity"

    def test_who_may_not_vouch_waits_whatever_it_says(self, stranger: FrontEnd) -> None:
        assert stranger.sends("access", verified=True)["status"] == "verifying"

    def test_a_token_without_the_scope_vouches_for_nobody(self, acme: Partner) -> None:
        token = FrontEnd(acme, "requests:read requests:write")
        assert token.sends("access", verified=True)["status"] == "verifying"

    def test_an_address_is_looked_up_by_nobody_who_does_not_vouch(self, stranger: FrontEnd) -> None:
        """Alice's own, anybody's, and that of somebody who was erased: one answer."""
        erased = person("erased")
        subjects.forget(subject=erased, by=BY, at=erased.registered_at)
        shown = []
        for name in ("alice", "nobody", "erased"):
            named = {"scheme": "email", "value": f"{name}@example.org"}
            said = stranger.sends("access", subject=named, jurisdiction="US", verified=False)
            for unlike in ("reference", "group", "links", "received_at", "verification_url"):
                said.pop(unlike, None)
            shown.append(said)
        assert shown[0] == shown[1] == shown[2]
        assert (shown[0]["subject"], shown[0]["status"]) == (None, "verifying")
        assert not Request.objects.filter(contact_fingerprint__isnull=True).exists()

    def test_an_unknown_address_needs_a_place(self, front_end: FrontEnd) -> None:
        refused = front_end.post("/requests", asks("access", subject=BY_MAIL))
        assert problem(refused) == (400, "unknown_jurisdiction")
        waits = front_end.sends("access", subject=BY_MAIL, jurisdiction="US-CA")
        assert (waits["status"], waits["house_rule"]) == ("verifying", False)

    def test_a_place_without_a_law_falls_to_the_house_rule_and_says_so(self, front_end: FrontEnd) -> None:
        assert front_end.sends("access", subject=BY_MAIL, jurisdiction="ZZ")["house_rule"] is True

    def test_who_asks_for_another_is_kept_sealed(self, front_end: FrontEnd) -> None:
        front_end.sends("access", capacity="parent", requester={"name": "Anna", "relation": "mother"})
        made = Request.objects.get()
        assert made.capacity == "parent"
        assert sealing.unseal_json(made, made.sealed_requester, context=sealing.REQUESTER) == ["Anna", "", "mother"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"subject": {"scheme": "account", "value": "m_nobody"}}, 404, "unknown_subject"),
        ({"subject": {"scheme": "device", "value": "m_alice"}}, 403, "scheme_not_yours"),
        ({"subject": {"scheme": "email", "value": "nobody"}}, 400, "invalid_identifier"),
        ({"rights": []}, 400, "invalid"),
        ({"rights": ["nothing"]}, 400, "invalid"),
        ({"rights": ["access", "access"]}, 400, "right_missing"),
        ({"rights": ["appeal"]}, 400, "about_missing"),
        ({"rights": ["appeal", "access"]}, 400, "follow_up_alone"),
        ({"rights": ["appeal"], "about": "Q-1"}, 404, "unknown_reference"),
        ({"about": "Q-1"}, 400, "about_not_taken"),
        ({"scope": {"purposes": ["ai-training"]}}, 400, "scope_not_taken"),
        ({"rights": ["objection"]}, 400, "purposes_missing"),
        ({"rights": ["objection"], "scope": {"purposes": ["nothing"]}}, 404, "unknown_purpose"),
        ({"rights": ["objection"], "scope": {"purposes": ["\x00"]}}, 400, "invalid"),
        ({"details": {"a": "\ud800"}}, 400, "invalid"),
        ({"details": {"a": "a" * 130_001}}, 400, "invalid"),
        ({"rights": ["rectification"], "details": {"corrections": [NAME, NAME]}}, 400, "correction_twice"),
        ({"rights": ["rectification"], "details": {"corrections": []}}, 400, "corrections_malformed"),
        ({"note": "a" * 4_001}, 400, "note_too_long"),
        ({"note": "\x00"}, 400, "invalid"),
        ({"capacity": "parent"}, 400, "requester_missing"),
        ({"requester": {"name": "Anna"}}, 400, "requester_of_oneself"),
        ({"received_at": "2999-01-01T00:00:00Z"}, 400, "time_in_future"),
        ({"received_at": "1999-01-01T00:00:00Z"}, 400, "time_too_old"),
        ({"received_at": "2026-03-02T12:00:00"}, 400, "invalid"),
        ({"locale": "xx"}, 400, "invalid"),
        ({"nonsense": 1}, 400, "invalid"),
        ({"locale": "\ud800"}, 400, "invalid"),
        ({"rights": ["\ud800"]}, 400, "invalid"),
        ({"\ud800": 1}, 400, "invalid"),
        ({"verified": "perhaps"}, 400, "invalid"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_not_as_it_has_to_be_is_refused(
    front_end: FrontEnd, change: dict[str, Any], status: int, code: str
) -> None:
    assert problem(front_end.post("/requests", asks("access") | change)) == (status, code)
    assert not Request.objects.exists()


@pytest.mark.parametrize("body", ["", "[]", "null", "{", "[" * 20_000, '"a"', b"\xff"])
def test_what_is_no_request_at_all_is_refused(front_end: FrontEnd, body: Any) -> None:
    assert problem(front_end.post("/requests", body))[0] == 400


def test_people_of_other_places_are_nobodys_to_name(stranger: FrontEnd, grace: Subject) -> None:
    named = asks("access", subject={"scheme": "account", "value": "m_grace"})
    assert problem(stranger.post("/requests", named)) == (404, "unknown_subject")
    elsewhere = asks("access", subject=BY_MAIL, jurisdiction="GB")
    refused = stranger.post("/requests", elsewhere)
    assert problem(refused) == (403, "jurisdiction_not_yours")
    assert errors(refused) == [("jurisdiction", "jurisdiction_not_yours")]
    assert not Request.objects.exists()


def test_nothing_more_is_recorded_of_somebody_erased(front_end: FrontEnd, alice: Subject) -> None:
    subjects.forget(subject=alice, by=BY, at=alice.registered_at)
    assert problem(front_end.post("/requests", asks("access"))) == (404, "unknown_subject")


class TestFollowing:
    def test_one_request_shows_its_clock_its_timeline_and_its_work(self, front_end: FrontEnd) -> None:
        reference = front_end.sends("objection", scope={"purposes": ["ai-training"]})["reference"]
        said = front_end.get(f"/requests/{reference}").json()  # type: ignore[attr-defined]
        assert said["clock"]["rule"] == "*"
        assert said["clock"]["arithmetic"]
        assert [one["code"] for one in said["timeline"]] == ["received", "started", "carried_out"]
        assert (said["tasks"], said["messages"]) == ([], {"total": 0, "unread": 0})

    def test_a_pause_is_shown_while_the_person_is_not_known(self, stranger: FrontEnd) -> None:
        reference = stranger.sends("access")["reference"]
        said = stranger.get(f"/requests/{reference}").json()  # type: ignore[attr-defined]
        (pause,) = said["clock"]["pauses"]
        assert (pause["reason"], pause["ended_at"]) == ("identity", None)

    def test_somebody_elses_is_as_unknown_as_none(
        self, front_end: FrontEnd, stranger: FrontEnd, alice: Subject
    ) -> None:
        reference = front_end.sends("access")["reference"]
        own = asked(alice, "erasure")[0].reference
        for wanted in (reference, own, "Q-00000000000000000000000000", "nonsense", "Q-%00"):
            assert problem(stranger.get(f"/requests/{wanted}"))[0] == 404
            assert problem(stranger.delete(f"/requests/{wanted}"))[0] == 404
        assert problem(front_end.get(f"/requests/{own}")) == (404, "unknown_reference")
        assert front_end.get("/requests").json()["requests"][0]["reference"] == reference  # type: ignore[attr-defined]

    def test_the_list_holds_what_was_sent_the_newest_first(self, front_end: FrontEnd, alice: Subject) -> None:
        asked(alice, "portability")
        sent = [front_end.sends(right)["reference"] for right in ("access", "erasure", "automated_decision")]
        said = front_end.get("/requests").json()  # type: ignore[attr-defined]
        assert [one["reference"] for one in said["requests"]] == sent[::-1]
        assert said["next"] is None

    def test_pages_follow_each_other_without_a_gap(self, front_end: FrontEnd) -> None:
        sent = [front_end.sends("access")["reference"] for _ in range(5)]
        seen: list[str] = []
        path = "/requests?limit=2&right=access"
        for _ in range(3):
            page = front_end.get(path)
            seen += [one["reference"] for one in page.json()["requests"]]  # type: ignore[attr-defined]
            if "Link" not in page:
                break
            path = page["Link"].partition("<")[2].partition(">")[0].removeprefix("/api/v1")
            assert "right=access" in path
        assert seen == sent[::-1]

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"right": "erasure"}, ["erasure"]),
            ({"status": "withdrawn"}, ["access"]),
            ({"open": "true"}, ["erasure"]),
            ({"open": "false"}, ["access"]),
            ({"due_before": "2999-01-01"}, ["erasure"]),
            ({"due_before": "1999-01-01"}, []),
        ],
        ids=lambda value: value if isinstance(value, str) else None,
    )
    def test_it_can_be_filtered(self, front_end: FrontEnd, query: dict[str, str], found: list[str]) -> None:
        front_end.delete(f"/requests/{front_end.sends('access')['reference']}")
        front_end.sends("erasure")
        said = front_end.get("/requests", **query).json()["requests"]  # type: ignore[attr-defined]
        assert [one["right"] for one in said] == found

    @pytest.mark.parametrize(
        "query",
        [{"status": "x"}, {"limit": 0}, {"limit": 201}, {"due_before": "x"}, {"x": 1}, {"open": "x"}],
        ids=lambda value: next(iter(value)),
    )
    def test_a_filter_that_is_none_is_refused(self, front_end: FrontEnd, query: dict[str, Any]) -> None:
        assert problem(front_end.get("/requests", **query)) == (400, "invalid")
        assert problem(front_end.get("/requests", after="x")) == (404, "unknown_reference")


class TestTakingBack:
    def test_a_request_is_withdrawn(self, front_end: FrontEnd) -> None:
        reference = front_end.sends("access")["reference"]
        said = front_end.delete(f"/requests/{reference}").json()  # type: ignore[attr-defined]
        assert said["status"] == "withdrawn"
        assert said["closed_at"]

    def test_once_only(self, front_end: FrontEnd) -> None:
        path = f"/requests/{front_end.sends('access')['reference']}"
        front_end.delete(path)
        assert problem(front_end.delete(path)) == (409, "wrong_state")

    def test_not_what_is_carried_out(self, front_end: FrontEnd) -> None:
        said = front_end.sends("objection", scope={"purposes": ["ai-training"]})
        assert problem(front_end.delete(f"/requests/{said['reference']}")) == (409, "carried_out")


class TestWhoMayCall:
    @pytest.mark.parametrize(
        ("method", "path"), [("post", "/requests"), ("delete", "/requests/Q-1"), ("post", "/requests/Q-1/messages")]
    )
    def test_reading_is_not_writing(self, acme: Partner, method: str, path: str) -> None:
        reader = FrontEnd(acme, "requests:read")
        answer = reader.post(path, {}) if method == "post" else reader.delete(path)
        assert problem(answer) == (403, "permission_denied")

    @pytest.mark.parametrize("path", ["/requests", "/requests/Q-1", "/requests/Q-1/messages", "/requests/Q-1/package"])
    def test_writing_is_not_reading(self, acme: Partner, path: str) -> None:
        assert problem(FrontEnd(acme, "requests:write").get(path)) == (403, "permission_denied")

    def test_nobody_without_a_token(self) -> None:
        assert problem(Client().get("/api/v1/requests"))[0] == 401  # type: ignore[arg-type]

    def test_a_registration_that_lost_the_scope(self, acme: Partner) -> None:
        caller = FrontEnd(acme)
        Partner.objects.filter(pk=acme.pk).update(scopes=["requests:write"])
        assert problem(caller.get("/requests")) == (403, "scope_not_yours")

    @pytest.mark.parametrize("method", ["put", "patch", "delete"])
    def test_other_methods_are_refused(self, front_end: FrontEnd, method: str) -> None:
        assert problem(getattr(front_end.client, method)("/api/v1/requests"))[0] in {403, 405}


class TestStatements:
    """The targets of docs: nine to take one in, eight to list twenty-five."""

    def counted(self, call: Any) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert call().status_code < 300
        return len(queries)

    def test_taking_in_needs_few(self, front_end: FrontEnd) -> None:
        front_end.sends("access")
        assert self.counted(lambda: front_end.post("/requests", asks("erasure"), Idempotency_Key="k")) <= 9

    def test_a_list_loads_nothing_that_is_sealed(self, front_end: FrontEnd) -> None:
        front_end.sends("access", note="All of it.")
        with CaptureQueriesContext(connection) as queries:
            front_end.get("/requests")
        assert not [one for one in queries if "sealed_" in one["sql"]]

    def test_listing_needs_few_however_many_there_are(self, front_end: FrontEnd) -> None:
        for _ in range(3):
            front_end.sends("access")
        few = self.counted(lambda: front_end.get("/requests"))
        for _ in range(22):
            front_end.sends("access")
        assert self.counted(lambda: front_end.get("/requests")) == few <= 8


def test_a_received_date_counts_from_then(front_end: FrontEnd, alice: Subject) -> None:
    now = front_end.sends("access")
    before = Request.objects.get().received_at - timedelta(days=10)
    earlier = front_end.sends("erasure", received_at=before.isoformat())
    assert earlier["due_on"] < now["due_on"]


def test_a_partner_of_one_place_hears_of_nobody_elsewhere(world: None, grace: Subject) -> None:
    local = FrontEnd(partner("local", recipients=[""], schemes=["account"], jurisdictions=["US"]))
    refused = local.post("/requests", asks("access", subject={"scheme": "account", "value": "m_grace"}))
    assert problem(refused) == (404, "unknown_subject")
