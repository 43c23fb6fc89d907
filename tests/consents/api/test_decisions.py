"""GET /api/v1/decisions: allow or deny with reasons, or a clear refusal."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.http import HttpResponse

from consents import holds, subjects
from consents.models import Purpose, Subject
from consents.vocabulary import Action
from tests.conftest import AT, BY, partner, person
from tests.consents.api.conftest import Caller, errors, problem
from tests.consents.asking import say


def asked(**changes: Any) -> dict[str, Any]:
    every = {"subject": "account:m_alice", "purpose": "ai-training", "at": "2026-03-02T13:00:00Z", **changes}
    return {name: value for name, value in every.items() if value is not None}


def answer(response: HttpResponse) -> dict[str, Any]:
    assert response.status_code == 200, response.content
    body: dict[str, Any] = json.loads(response.content)
    return body


def test_the_default_is_answered_with_its_rule_and_reasons(acme_calls: Caller, alice: Subject) -> None:
    body = answer(acme_calls.get("/decisions", **asked()))
    assert (body["allow"], body["hold"], body["choice"]) == (True, None, None)
    assert body["rule"] is not None
    assert [one["code"] for one in body["reasons"]][-1] == "default"
    assert datetime.fromisoformat(body["at"]) == AT + timedelta(hours=1)


def test_a_choice_is_answered_with_its_id(acme_calls: Caller, alice: Subject) -> None:
    event = say(alice, Action.DENY)
    body = answer(acme_calls.get("/decisions", **asked()))
    assert (body["allow"], body["choice"]) == (False, str(event.pk))


def test_a_hold_is_answered_with_its_id(acme_calls: Caller, alice: Subject) -> None:
    hold = holds.open(scope=holds.HoldScope(), reason="r", by=BY, at=AT)
    body = answer(acme_calls.get("/decisions", **asked()))
    assert (body["allow"], body["hold"]) == (False, str(hold.pk))


def test_a_hold_on_a_span_of_data_denies_data_of_that_span_alone(acme_calls: Caller, alice: Subject) -> None:
    scope = holds.HoldScope(data_from=AT - timedelta(days=30), data_until=AT - timedelta(days=20))
    hold = holds.open(scope=scope, reason="r", by=BY, at=AT)
    open_question = answer(acme_calls.get("/decisions", **asked()))
    assert open_question["allow"]
    assert [one["hold"] for one in open_question["spans"]] == [str(hold.pk)]
    inside = answer(acme_calls.get("/decisions", **asked(created_at=(AT - timedelta(days=25)).isoformat())))
    assert (inside["allow"], inside["hold"], inside["spans"]) == (False, str(hold.pk), [])
    assert answer(acme_calls.get("/decisions", **asked(created_at=(AT - timedelta(days=5)).isoformat())))["allow"]


def test_what_nobody_configured_is_a_gap(acme_calls: Caller, alice: Subject) -> None:
    Purpose.objects.create(slug="profiling", name="Profile", description="", dpv_term="dpv:Profiling")
    body = answer(acme_calls.get("/decisions", **asked(purpose="profiling")))
    assert (body["allow"], body["gap"]) == (False, True)
    body = answer(acme_calls.get("/decisions", **asked(purpose="marketing")))
    assert (body["allow"], body["gap"]) == (False, False)


def test_the_past_is_answered_as_it_was(acme_calls: Caller, alice: Subject) -> None:
    say(alice, Action.DENY, at=AT + timedelta(hours=2))
    assert answer(acme_calls.get("/decisions", **asked()))["allow"]
    assert not answer(acme_calls.get("/decisions", **asked(at="2026-03-02T14:00:00Z")))["allow"]


def test_without_a_time_it_is_now(acme_calls: Caller, alice: Subject) -> None:
    body = answer(acme_calls.get("/decisions", **asked(at=None)))
    assert abs(datetime.fromisoformat(body["at"]) - datetime.now(UTC)) < timedelta(minutes=1)


def test_now_counts_what_a_faster_clock_recorded_and_says_as_of_when(acme_calls: Caller, alice: Subject) -> None:
    ahead = datetime.now(UTC) + timedelta(seconds=30)
    say(alice, Action.DENY, at=ahead)
    body = answer(acme_calls.get("/decisions", **asked(at=None)))
    assert (body["allow"], body["at"]) == (False, ahead.isoformat())


def test_a_clock_a_little_ahead_is_answered_as_of_now(acme_calls: Caller, alice: Subject) -> None:
    ahead = datetime.now(UTC) + timedelta(minutes=2)
    body = answer(acme_calls.get("/decisions", **asked(at=ahead.isoformat())))
    assert datetime.fromisoformat(body["at"]) < ahead


@pytest.mark.usefixtures("alice")
@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        (asked(purpose="nothing"), 404, "unknown_purpose"),
        (asked(recipient="nobody"), 404, "unknown_recipient"),
        (asked(at="2999-01-01T00:00:00Z"), 400, "time_in_future"),
        (asked(subject="m_alice"), 400, "subject_malformed"),
        (asked(subject="email:alice@example.org"), 400, "address_in_url"),
        (asked(subject="phone:+442079460000"), 400, "address_in_url"),
        (asked(subject="device:x"), 403, "scheme_not_yours"),
        (asked(subject="account:"), 400, "invalid_identifier"),
        (asked(jurisdiction="X"), 400, "unknown_jurisdiction"),
    ],
)
def test_what_the_domain_refuses_is_refused_with_its_code(
    acme_calls: Caller, query: dict[str, Any], status: int, code: str
) -> None:
    assert problem(acme_calls.get("/decisions", **query)) == (status, code)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (asked(subject=None), ("subject", "required")),
        (asked(purpose=None), ("purpose", "required")),
        (asked(at="2026-03-02T13:00:00"), ("at", "no_zone")),
        (asked(at="then"), ("at", "invalid")),
        (asked(category="thoughts"), ("category", "invalid_choice")),
        (asked(subjects="account:m_alice"), ("subjects", "unknown_field")),
    ],
)
def test_a_question_that_is_not_understood_names_the_field(
    acme_calls: Caller, query: dict[str, Any], error: tuple[str, str]
) -> None:
    response = acme_calls.get("/decisions", **query)
    assert problem(response) == (400, "invalid")
    assert error in errors(response)


def test_for_the_unknown_the_stated_country_answers(acme_calls: Caller) -> None:
    unknown = asked(subject="account:m_nobody")
    assert not answer(acme_calls.get("/decisions", **unknown))["allow"]
    assert answer(acme_calls.get("/decisions", **unknown, jurisdiction="us"))["allow"]


def test_no_country_answers_for_somebody_who_was_erased(acme_calls: Caller, alice: Subject) -> None:
    subjects.forget(subject=alice, by=BY, at=AT)
    body = answer(acme_calls.get("/decisions", **asked(jurisdiction="US")))
    assert (body["allow"], body["reasons"][-1]["code"]) == (False, "unknown_subject")


def test_a_person_of_another_country_is_unknown_whatever_country_is_stated(alice: Subject) -> None:
    person("dora", "DE")
    calls = Caller(partner("german", recipients=[""], schemes=["account"], jurisdictions=["EEA"]))
    assert answer(calls.get("/decisions", **asked(subject="account:m_dora")))["rule"] is not None
    for stated in (None, "US"):
        body = answer(calls.get("/decisions", **asked(jurisdiction=stated)))
        assert (body["allow"], [one["code"] for one in body["reasons"]]) == (False, ["unknown_subject"])


def test_a_recipient_of_somebody_else_is_refused(alice: Subject) -> None:
    calls = Caller(partner("small", recipients=["linkwell"], schemes=["account"]))
    assert problem(calls.get("/decisions", **asked(recipient="northlight"))) == (403, "recipient_not_yours")
    assert answer(calls.get("/decisions", **asked(recipient="linkwell")))["allow"]


def test_another_scope_is_not_enough(acme_calls: Caller, alice: Subject) -> None:
    calls = Caller(partner("writer", recipients=[""], schemes=["account"]), "choices:write")
    assert problem(calls.get("/decisions", **asked())) == (403, "permission_denied")


def test_another_method_is_refused(acme_calls: Caller) -> None:
    assert problem(acme_calls.post("/decisions", {})) == (405, "method_not_allowed")
