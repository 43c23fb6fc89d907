"""Signals over the API: what a browser told a partner, and what a content's host must send."""

import json
from typing import Any

import pytest
from django.http import HttpResponse

from consents import subjects
from consents.models import LedgerEvent, Partner, Purpose, Subject
from consents.vocabulary import Action
from portal.models import RememberedAnswer
from tests.conftest import BY, partner
from tests.consents.api.conftest import Caller, errors, problem
from tests.consents.api.test_choices import CHOICE
from tests.consents.asking import say
from tests.consents.test_browser_signals import gpc_rule

SIGNAL: dict[str, Any] = {
    "subject": {"scheme": "account", "value": "m_alice"},
    "gpc": True,
    "occurred_at": "2026-03-02T12:00:00Z",
}
NO = {"Content-Usage": "train-ai=n", "tdm-reservation": "1"}


@pytest.fixture(autouse=True)
def registered(alice: Subject) -> Subject:
    return alice


def but(**changes: Any) -> dict[str, Any]:
    return {**SIGNAL, **changes}


def said(response: HttpResponse) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(response.content)
    return body


def signals() -> list[tuple[str, str, str]]:
    events = LedgerEvent.objects.filter(kind="choice", action__startswith="signal").order_by("id")
    return list(events.values_list("action", "source", "actor"))


def test_a_signal_is_recorded_and_answered_with_its_receipt(acme_calls: Caller) -> None:
    response = acme_calls.post("/signals", SIGNAL)
    event = LedgerEvent.objects.get(kind="choice")
    assert response.status_code == 201
    body = said(response)
    assert (body["recorded"], body["gpc"], body["id"]) == (True, True, str(event.pk))
    assert body["receipt"].startswith("R-")
    assert signals() == [("signal_on", "gpc", "partner:acme")]


def test_a_signal_that_is_known_is_answered_and_not_recorded_again(acme_calls: Caller) -> None:
    acme_calls.post("/signals", SIGNAL)
    response = acme_calls.post("/signals", but(occurred_at="2026-03-03T12:00:00Z"))
    assert (response.status_code, said(response)) == (
        200,
        {"recorded": False, "gpc": True, "id": None, "receipt": None},
    )
    assert len(signals()) == 1


def test_its_end_is_recorded_too(acme_calls: Caller) -> None:
    acme_calls.post("/signals", SIGNAL)
    response = acme_calls.post("/signals", but(gpc=False, occurred_at="2026-03-03T12:00:00Z"))
    assert (response.status_code, said(response)["gpc"]) == (201, False)


def test_a_repeated_key_gets_the_first_answer(acme_calls: Caller) -> None:
    first = acme_calls.post("/signals", SIGNAL, Idempotency_Key="one")
    second = acme_calls.post("/signals", SIGNAL, Idempotency_Key="one")
    assert (second.status_code, said(second)) == (201, said(first))
    assert second["Idempotency-Replayed"] == "true"
    assert problem(acme_calls.post("/signals", but(gpc=False), Idempotency_Key="one"))[0] == 422
    assert RememberedAnswer.objects.count() == 1


@pytest.mark.parametrize("value", ["1", "true", 1, 0, None, "", [], "yes"])
def test_only_true_and_false_are_values(acme_calls: Caller, value: Any) -> None:
    response = acme_calls.post("/signals", but(gpc=value))
    assert response.status_code == 400
    assert errors(response)[0][0] == "gpc"
    assert not signals()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (but(subject={"scheme": "account", "value": "m_nobody"}), 404, "unknown_subject"),
        (but(subject={"scheme": "device", "value": "x"}), 403, "scheme_not_yours"),
        (but(occurred_at="2999-01-01T00:00:00Z"), 400, "time_in_future"),
    ],
)
def test_what_cannot_be_recorded_is_refused(acme_calls: Caller, body: Any, status: int, code: str) -> None:
    assert problem(acme_calls.post("/signals", body)) == (status, code)
    assert not signals()


def test_fields_that_are_missing_or_unknown_are_refused(acme_calls: Caller) -> None:
    assert ("surprise", "unknown_field") in errors(acme_calls.post("/signals", but(surprise=1)))
    assert ("occurred_at", "required") in errors(
        acme_calls.post("/signals", {"subject": SIGNAL["subject"], "gpc": True})
    )


def test_other_methods_and_other_scopes_are_refused(acme: Partner, acme_calls: Caller) -> None:
    assert acme_calls.get("/signals").status_code == 405
    assert problem(Caller(acme, "decisions:read").post("/signals", SIGNAL))[0] == 403


def test_who_speaks_for_one_recipient_passes_a_signal_on_and_cannot_end_it(world: None) -> None:
    caller = Caller(partner("northlight", recipients=["northlight"], schemes=["account"]))
    assert caller.post("/signals", SIGNAL).status_code == 201
    ended = caller.post("/signals", but(gpc=False, occurred_at="2026-03-03T12:00:00Z"))
    assert problem(ended) == (403, "recipient_not_yours")


def test_somebody_elses_person_is_unknown(world: None) -> None:
    caller = Caller(partner("abroad", recipients=[""], schemes=["account"], jurisdictions=["EEA"]))
    assert problem(caller.post("/signals", SIGNAL)) == (404, "unknown_subject")


def test_a_choice_that_comes_with_the_header_records_it_too(acme_calls: Caller) -> None:
    for _ in range(2):
        assert acme_calls.post("/choices", {**CHOICE, "action": "grant"}, Sec_GPC="1").status_code == 201
    assert signals() == [("signal_on", "gpc", "partner:acme")]
    assert LedgerEvent.objects.filter(kind="choice", action="grant").count() == 2


@pytest.mark.parametrize("value", ["0", "true", "1 1"])
def test_a_choice_with_another_value_records_none(acme_calls: Caller, value: str) -> None:
    assert acme_calls.post("/choices", CHOICE, Sec_GPC=value).status_code == 201
    assert not signals()


def test_the_signal_decides_where_the_rule_says_so(acme_calls: Caller) -> None:
    gpc_rule(jurisdiction="US")
    acme_calls.post("/signals", SIGNAL)
    answer = said(acme_calls.get("/decisions", subject="account:m_alice", purpose="ai-training"))
    assert (answer["allow"], answer["reasons"][-1]["code"]) == (False, "gpc")
    assert answer["choice"] == str(LedgerEvent.objects.get(action="signal_on").pk)


# --- content-usage -------------------------------------------------------------------------------


def usage(caller: Caller, subject: str = "account:m_alice", **query: str) -> dict[str, Any]:
    response = caller.get("/content-usage", subject=subject, **query)
    assert response.status_code == 200, response.content
    return said(response)


def test_a_no_becomes_headers_for_everybody(acme_calls: Caller, alice: Subject) -> None:
    say(alice, Action.DENY)
    answer = usage(acme_calls)
    assert answer["headers"] == NO
    assert answer["categories"] == {"train-ai": {"allow": False, "code": "own_choice"}}
    assert answer["position"] >= 0


@pytest.mark.parametrize("action", [None, Action.GRANT])
def test_what_is_allowed_to_us_is_stated_to_nobody(acme_calls: Caller, alice: Subject, action: Action | None) -> None:
    if action:
        say(alice, action)
    answer = usage(acme_calls)
    assert answer["headers"] == {}
    assert answer["categories"]["train-ai"]["allow"]


def test_a_no_to_a_part_is_a_no_here(acme_calls: Caller, alice: Subject) -> None:
    say(alice, Action.DENY, "ai-training/affiliates")
    assert usage(acme_calls)["headers"] == NO


def test_search_is_answered_where_it_is_a_purpose(acme_calls: Caller) -> None:
    Purpose.objects.create(slug="search", name="Search", description="d", dpv_term="dpv:Search")
    answer = usage(acme_calls)
    assert answer["headers"] == {"Content-Usage": "search=n"}
    assert answer["categories"]["search"] == {"allow": False, "code": "no_rule"}


@pytest.mark.parametrize(("query", "headers"), [({}, NO), ({"jurisdiction": "US"}, {}), ({"jurisdiction": "DE"}, NO)])
def test_for_a_stranger_the_stated_default_answers_else_a_no(
    acme_calls: Caller, query: dict[str, str], headers: dict[str, str]
) -> None:
    assert usage(acme_calls, "account:m_nobody", **query)["headers"] == headers


def test_for_the_erased_and_for_somebody_elses_person_no_default_speaks(acme_calls: Caller, alice: Subject) -> None:
    abroad = Caller(partner("abroad", recipients=[""], schemes=["account"], jurisdictions=["EEA"]))
    assert usage(abroad, jurisdiction="US")["headers"] == NO
    subjects.forget(subject=alice, by=BY, at=alice.registered_at)
    assert usage(acme_calls, jurisdiction="US")["headers"] == NO


def test_the_draft_may_be_left_out_and_a_policy_named(acme_calls: Caller, alice: Subject, settings: Any) -> None:
    settings.AIPREF, settings.TDM_POLICY = False, "https://example.org/tdm.json"
    say(alice, Action.DENY)
    assert usage(acme_calls)["headers"] == {"tdm-reservation": "1", "tdm-policy": "https://example.org/tdm.json"}


def test_an_answer_that_is_known_is_not_sent_again(acme_calls: Caller, alice: Subject) -> None:
    first = acme_calls.get("/content-usage", subject="account:m_alice")
    again = acme_calls.client.get(
        "/api/v1/content-usage", {"subject": "account:m_alice"}, headers={"if-none-match": f'"x", {first["ETag"]}'}
    )
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    say(alice, Action.DENY)
    changed = acme_calls.client.get(
        "/api/v1/content-usage", {"subject": "account:m_alice"}, headers={"if-none-match": first["ETag"]}
    )
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]
    assert "private" in changed["Cache-Control"]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"subject": "email:alice@example.org"}, 400, "address_in_url"),
        ({"subject": "m_alice"}, 400, "subject_malformed"),
        ({"subject": "device:x"}, 403, "scheme_not_yours"),
        ({"subject": "account:m_alice", "jurisdiction": "Mars"}, 400, "unknown_jurisdiction"),
    ],
)
def test_what_cannot_be_asked_is_refused(acme_calls: Caller, query: dict[str, str], status: int, code: str) -> None:
    assert problem(acme_calls.get("/content-usage", **query)) == (status, code)


def test_only_who_may_ask_for_decisions_about_all_recipients_asks_this(world: None, acme: Partner) -> None:
    assert problem(Caller(acme, "choices:write").get("/content-usage", subject="account:m_alice"))[0] == 403
    affiliate = Caller(partner("northlight", recipients=["northlight"], schemes=["account"]))
    assert problem(affiliate.get("/content-usage", subject="account:m_alice")) == (403, "recipient_not_yours")
    assert errors(Caller(acme).get("/content-usage")) == [("subject", "required")]
    assert Caller(acme).post("/content-usage", {}).status_code == 405
