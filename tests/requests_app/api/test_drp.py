"""/drp/v1/: set-up, exercising a right, asking after it, taking it back, as the protocol's other half sees it."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from consents import subjects
from consents.models import Preference, Subject
from portal import api_access, clock
from portal.models import AuditEntry
from requests_app import agents, sealing
from requests_app.models import AgentRequest, Request, TimelineEntry
from tests.conftest import AT, BY, person
from tests.requests_app.agency import AgentCalls, envelope, exercising, registered, signed, verify_key

AI = "heed:ai-training:opt-out"


@pytest.fixture
def calls(alice: Subject) -> AgentCalls:
    return AgentCalls(*registered())


def error(answer: Any) -> tuple[int, str]:
    said = answer.json()
    assert set(said) <= {"code", "message", "fatal"}
    return answer.status_code, said["code"]


class TestSettingUp:
    def test_a_token_serves(self, calls: AgentCalls) -> None:
        answer = calls.get(f"/agent/{calls.agent.pk}")
        assert (answer.status_code, answer.json()) == (200, {})  # type: ignore[attr-defined]
        assert AuditEntry.objects.get(action="agent.set_up").actor == f"agent:{calls.agent.pk}"

    def test_a_json_content_type_is_taken_too(self, calls: AgentCalls) -> None:
        body = signed(calls.key, envelope(calls.agent.pk))
        answer = calls.post(f"/agent/{calls.agent.pk}", body, content_type="application/json")
        assert answer.json()["agent-id"] == calls.agent.pk  # type: ignore[attr-defined]

    @pytest.mark.parametrize(
        "changes",
        [
            {"agent-id": "other"},
            {"business-id": "other"},
            {"issued-at": "2999-01-01T00:00:00Z"},
            {"expires-at": "1999-01-01T00:00:00Z"},
        ],
        ids=lambda one: next(iter(one)),
    )
    def test_every_failure_is_403_with_an_empty_body(self, calls: AgentCalls, changes: dict[str, str]) -> None:
        answer = calls.set_up(**changes)
        assert (answer.status_code, answer.content) == (403, b"")

    def test_also_by_another_key_or_to_nobody_or_suspended(self, calls: AgentCalls) -> None:
        body = signed(SigningKey.generate(), envelope(calls.agent.pk))
        agents.suspend(agent=calls.agent, by=BY, at=AT)
        own = signed(calls.key, envelope(calls.agent.pk))
        for path, sent in (
            (calls.agent.pk, body),
            ("nobody", own),
            (calls.agent.pk, own),
            (calls.agent.pk, b"a" * 70_000),
        ):
            answer = calls.post(f"/agent/{path}", sent)
            assert (answer.status_code, answer.content) == (403, b"")

    def test_a_token_is_one_agents(self, calls: AgentCalls) -> None:
        other = AgentCalls(*registered("other"))
        for path, caller in ((calls.agent.pk, other.client), (calls.agent.pk, Client()), ("nobody", calls.client)):
            answer = caller.get(f"/drp/v1/agent/{path}")
            assert (answer.status_code, answer.content) == (403, b"")

    def test_a_rotated_key_needs_a_new_set_up(self, calls: AgentCalls) -> None:
        new = SigningKey.generate()
        agents.rotate_key(agent=calls.agent, verify_key=verify_key(new), by=BY, at=AT)
        assert calls.get(f"/agent/{calls.agent.pk}").status_code == 403
        assert calls.set_up().status_code == 403
        assert AgentCalls(calls.agent, new).sends()["status"] == "in_progress"


class TestOptingOut:
    def test_a_no_goes_in_progress_at_once_and_counts(self, calls: AgentCalls, alice: Subject) -> None:
        said = calls.sends(AI)
        assert (said["status"], said["agent_request_id"]) == ("in_progress", f"ours-{AI}")
        assert {"request_id", "received_at", "expected_by"} <= set(said)
        made = Request.objects.get()
        assert (made.right, made.channel, made.capacity, made.agent) == ("objection", "agent", "agent", calls.agent)
        assert made.scope == {"purposes": ["ai-training", "ai-training/affiliates"]}
        assert Preference.objects.get(subject=alice, purpose="ai-training").action == "object"

    def test_sale_is_what_others_receive(self, calls: AgentCalls) -> None:
        calls.sends("sale:opt-out")
        assert Request.objects.get().scope == {"purposes": ["ai-training/affiliates"]}

    @pytest.mark.parametrize("regime", ["ccpa", "voluntary"])
    def test_the_day_tells_nobody_who_is_known(self, calls: AgentCalls, regime: str) -> None:
        person("greta", "DE")
        shown = set()
        for name in ("greta", "nobody"):
            more = {"email": f"{name}@example.org", "agent-request-id": name, "regime": regime}
            sent = calls.sends(AI, **more)
            shown |= {(one["status"], one["expected_by"][:10]) for one in (sent, calls.status(sent["request_id"]))}
        assert len(shown) == 1

    def test_who_is_not_known_is_answered_the_same_and_kept_out(self, calls: AgentCalls) -> None:
        erased = person("erased")
        subjects.forget(subject=erased, by=BY, at=AT)
        shown = []
        for name in ("nobody", "erased", "nobody"):
            said = calls.sends(AI, email=f"{name}@example.org", **{"agent-request-id": f"r-{len(shown)}"})
            del said["request_id"], said["agent_request_id"], said["received_at"]
            shown.append(said)
        assert shown[0] == shown[1] == shown[2]
        nobody = subjects.find(subjects.name("email", "nobody@example.org"))
        assert Preference.objects.get(subject=nobody, purpose="ai-training").action == "object"
        assert subjects.find(subjects.name("email", "erased@example.org")) is None

    def test_a_verified_number_will_do(self, calls: AgentCalls) -> None:
        said = calls.sends(AI, email=None, phone_number="+1 555 0100", phone_number_verified=True)
        assert said["status"] == "in_progress"
        assert subjects.find(subjects.name("phone", "+15550100")) is not None

    def test_what_the_agent_did_not_verify_the_person_confirms(self, calls: AgentCalls, alice: Subject) -> None:
        said = calls.sends(AI, email_verified=False)
        assert (said["status"], said["reason"]) == ("in_progress", "need_user_verification")
        assert said["user_verification_url"].startswith("http://localhost")
        assert "expires_at" in said
        assert not Preference.objects.filter(subject=alice).exists()

    def test_a_yes_is_for_the_person_to_say(self, calls: AgentCalls, alice: Subject) -> None:
        said = calls.sends("sale:opt-in")
        assert (said["status"], said["reason"]) == ("denied", "claim_not_covered")
        assert "/choices/" in said["processing_details"]
        assert not Request.objects.exists()
        assert not Preference.objects.filter(subject=alice).exists()


class TestRisky:
    @pytest.mark.parametrize("right", ["deletion", "access", "access:categories", "access:specific"])
    def test_an_agents_word_is_not_enough(self, calls: AgentCalls, right: str) -> None:
        said = calls.sends(right)
        assert (said["status"], said["reason"]) == ("in_progress", "need_user_verification")
        made = Request.objects.get()
        assert (made.status, made.subject) == ("verifying", None)
        assert "verified, the agent says" in (sealing.unseal(made, made.sealed_note, context=sealing.NOTE) or "")

    def test_nobody_is_looked_up(self, calls: AgentCalls) -> None:
        erased = person("erased")
        subjects.forget(subject=erased, by=BY, at=AT)
        shown = []
        for name in ("alice", "nobody", "erased"):
            said = calls.sends("deletion", email=f"{name}@example.org", **{"agent-request-id": name})
            for unlike in ("request_id", "agent_request_id", "received_at", "expires_at", "user_verification_url"):
                del said[unlike]
            shown.append(said)
        assert shown[0] == shown[1] == shown[2]

    def test_without_an_address_there_is_nobody_to_ask(self, calls: AgentCalls) -> None:
        said = calls.sends("deletion", email=None, phone_number="+15550100", phone_number_verified=True)
        assert (said["status"], said["reason"]) == ("denied", "insuf_verification")


class TestAskingAfter:
    def test_a_finished_one_stays_readable_for_longer_than_seven_days(
        self, calls: AgentCalls, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        request_id = calls.sends("access")["request_id"]
        assert calls.revoke(request_id).json()["status"] == "revoked"  # type: ignore[attr-defined]
        later = clock.now() + timedelta(days=8)
        monkeypatch.setattr(clock, "now", lambda: later)
        assert calls.status(request_id)["status"] == "revoked"

    def test_somebody_elses_is_forbidden_as_none_is(self, calls: AgentCalls) -> None:
        request_id = calls.sends("access")["request_id"]
        other = AgentCalls(*registered("other"))
        for wanted in (request_id, "018f0000-0000-7000-8000-000000000000", "nothing"):
            assert error(other.get(f"/data-rights-request/{wanted}")) == (403, "unknown_request")
            assert error(other.revoke(wanted)) == (403, "unknown_request")


class TestTakingBack:
    def test_once(self, calls: AgentCalls) -> None:
        request_id = calls.sends("access")["request_id"]
        said = calls.revoke(request_id).json()  # type: ignore[attr-defined]
        assert (said["status"], said["request_id"]) == ("revoked", request_id)
        assert Request.objects.get().status == "withdrawn"
        assert error(calls.revoke(request_id)) == (409, "wrong_state")

    def test_not_what_counts_already(self, calls: AgentCalls) -> None:
        assert error(calls.revoke(calls.sends(AI)["request_id"])) == (409, "carried_out")

    def test_nor_what_was_settled_when_it_came(self, calls: AgentCalls) -> None:
        assert error(calls.revoke(calls.sends("sale:opt-in")["request_id"])) == (409, "closed")

    @pytest.mark.parametrize(
        ("message", "code"),
        [
            ({"agent-id": "other"}, "wrong_agent"),
            ({"business-id": "other"}, "wrong_business"),
            ({"reason": 7}, "malformed_field"),
            ({"expires-at": "1999-01-01T00:00:00Z", "issued-at": "1999-01-01T00:00:00Z"}, "expired"),
        ],
        ids=lambda value: value if isinstance(value, str) else None,
    )
    def test_only_by_a_message_that_is_right(self, calls: AgentCalls, message: dict[str, Any], code: str) -> None:
        request_id = calls.sends("access")["request_id"]
        assert error(calls.revoke(request_id, message)) == (400, code)
        assert Request.objects.get().status == "verifying"


class TestRefusals:
    @pytest.mark.parametrize(
        ("more", "code"),
        [
            ({"exercise": "nothing"}, "unknown_right"),
            ({"exercise": ""}, "unknown_right"),
            ({"email": "nobody", "email_verified": False}, "invalid_claim"),
            ({"email": None, "phone_number": "1", "phone_number_verified": True}, "invalid_claim"),
            ({"business-id": "other"}, "wrong_business"),
            ({"drp.version": "2.0"}, "unsupported_version"),
            ({"status_callback": "ftp://a.example"}, "invalid_callback"),
        ],
        ids=lambda value: value if isinstance(value, str) else None,
    )
    def test_what_is_no_request_is_refused(self, calls: AgentCalls, more: dict[str, Any], code: str) -> None:
        assert error(calls.exercise(AI, **more)) == (400, code)
        assert not AgentRequest.objects.exists()

    def test_an_expired_message_is_fatal(self, calls: AgentCalls) -> None:
        answer = calls.exercise(**{"expires-at": "1999-01-01T00:00:00Z"})
        assert error(answer) == (400, "expired")
        assert answer.json()["fatal"] is True  # type: ignore[attr-defined]

    def test_another_agents_signature_does_not_serve(self, calls: AgentCalls) -> None:
        other = AgentCalls(*registered("other"))
        body = signed(other.key, exercising("other", AI))
        assert error(calls.post("/data-rights-request", body)) == (400, "bad_signature")

    def test_nobody_without_a_token(self, calls: AgentCalls) -> None:
        body = signed(calls.key, exercising(calls.agent.pk, AI))
        for headers in ({}, {"authorization": "Bearer nothing"}, {"authorization": "Basic x"}):
            answer = Client(headers=headers).post("/drp/v1/data-rights-request", body, content_type="text/plain")
            assert error(answer) == (403, "unknown_token")
        agents.suspend(agent=calls.agent, by=BY, at=AT)
        assert error(calls.exercise(AI)) == (403, "unknown_token")

    def test_other_methods_types_and_sizes_are_refused(self, calls: AgentCalls) -> None:
        assert error(calls.client.put("/drp/v1/data-rights-request"))[0] == 405
        assert error(calls.post("/data-rights-request", b"a", content_type="text/csv"))[0] == 400
        assert error(calls.post("/data-rights-request", b"a" * 70_000)) == (413, "body_too_large")
        assert error(calls.post("/data-rights-request", b"a" * 3_000_000)) == (413, "body_too_large")

    def test_a_house_that_does_not_speak_it_says_so(self, calls: AgentCalls, settings: Any) -> None:
        settings.DRP_BUSINESS_ID = ""
        assert error(calls.exercise(AI)) == (404, "not_spoken")

    def test_guesses_and_calls_are_counted(self, calls: AgentCalls, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(api_access.ClientThrottle, "rate", "2/min", raising=False)
        answers = [calls.get("/data-rights-request/nothing") for _ in range(3)]
        assert [one.status_code for one in answers] == [403, 403, 429]
        assert int(answers[-1]["Retry-After"]) >= 1
        monkeypatch.setattr(api_access.TokenThrottle, "rate", "2/min", raising=False)
        assert [Client().get("/drp/v1/data-rights-request/x").status_code for _ in range(3)][-1] == 429


def test_a_slash_at_the_end_is_taken_too(calls: AgentCalls) -> None:
    body = signed(calls.key, exercising(calls.agent.pk, AI))
    assert calls.post("/data-rights-request/", body).status_code == 200


def test_the_same_message_again_answers_the_first_and_writes_nothing(calls: AgentCalls) -> None:
    body = signed(calls.key, exercising(calls.agent.pk, AI))
    first, again = (calls.post("/data-rights-request", body).json() for _ in range(2))  # type: ignore[attr-defined]
    assert first == again
    assert (AgentRequest.objects.count(), Request.objects.count()) == (1, 1)


@hypothesis_settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    body=st.binary(max_size=200),
    is_signed=st.booleans(),
    changes=st.dictionaries(
        st.sampled_from(["exercise", "regime", "email", "email_verified", "phone_number", "agent-request-id", "name"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        max_size=3,
    ),
)
def test_no_body_breaks_anything(calls: AgentCalls, body: bytes, is_signed: bool, changes: dict[str, Any]) -> None:
    sent = signed(calls.key, exercising(calls.agent.pk, AI) | changes) if is_signed else body
    answer = calls.post("/data-rights-request", sent)
    assert answer.status_code in {200, 400}
    assert json.loads(answer.content)


def test_nothing_of_the_person_reaches_logs_or_the_audit_trail(calls: AgentCalls, caplog: Any) -> None:
    caplog.set_level("DEBUG")
    calls.sends("access")
    calls.exercise(AI, email="somebody else", **{"agent-request-id": "x"})
    calls.sends(AI, **{"agent-request-id": "y"})
    told = caplog.text + str(list(AuditEntry.objects.values())) + str(list(TimelineEntry.objects.values()))
    assert not [one for one in ("alice@", "Alice Example", "somebody else", calls.token) if one in told]
