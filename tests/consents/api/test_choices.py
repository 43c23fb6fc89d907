"""POST /api/v1/choices: one choice, or one clear refusal and nothing written."""

import threading
from typing import Any

import pytest
from django.db import connections
from django.http import HttpResponse
from django.test import Client
from django.utils import translation

from consents import subjects
from consents.models import LedgerEvent, Partner, Preference, Subject
from portal.api_access import ClientThrottle
from portal.models import AuditEntry, RememberedAnswer
from tests.conftest import AT, BY, partner, person
from tests.consents.api.conftest import Caller, errors, problem

CHOICE: dict[str, Any] = {
    "subject": {"scheme": "account", "value": "m_alice"},
    "purpose": "ai-training",
    "action": "deny",
    "occurred_at": "2026-03-02T12:00:00Z",
}


def but(**changes: Any) -> dict[str, Any]:
    return {**CHOICE, **changes}


@pytest.fixture(autouse=True)
def registered(alice: Subject) -> Subject:
    return alice


def written() -> int:
    return LedgerEvent.objects.filter(kind="choice").count()


def test_a_choice_is_recorded_and_answered_with_its_receipt(acme_calls: Caller, alice: Subject) -> None:
    response = acme_calls.post("/choices", CHOICE)
    assert response.status_code == 201
    body = response.json()  # type: ignore[attr-defined]
    event = LedgerEvent.objects.get(kind="choice")
    assert (body["id"], body["subject"], body["position"]) == (str(event.pk), str(alice.pk), None)
    assert body["receipt_url"] == f"/receipts/{body['receipt']}/"
    assert (event.source, event.actor, event.action) == ("partner", "partner:acme", "deny")


def test_a_choice_may_name_recipient_category_notice_and_evidence(acme_calls: Caller) -> None:
    more = but(recipient="northlight", category="posts", notice="ai-training/1", evidence="ticked on page 3")
    assert acme_calls.post("/choices", more).status_code == 201
    event = LedgerEvent.objects.get(kind="choice")
    assert (event.recipient, event.category, event.notice) == ("northlight", "posts", "ai-training/1")
    assert b"ticked" not in bytes(event.evidence or b"")


def test_a_person_may_be_named_by_address_in_a_body(acme_calls: Caller, alice: Subject) -> None:
    named = but(subject={"scheme": "email", "value": "Alice@Example.org"})
    assert acme_calls.post("/choices", named).json()["subject"] == str(alice.pk)  # type: ignore[attr-defined]


@pytest.mark.parametrize("occurred_at", ["2026-03-02T14:00:00+02:00", "2026-03-02T12:00:00.000Z", "2026-03-02 12:00Z"])
def test_times_come_with_any_zone(acme_calls: Caller, occurred_at: str) -> None:
    assert acme_calls.post("/choices", but(occurred_at=occurred_at)).status_code == 201
    assert LedgerEvent.objects.get(kind="choice").occurred_at == AT


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (but(purpose="nothing"), 404, "unknown_purpose"),
        (but(subject={"scheme": "account", "value": "m_nobody"}), 404, "unknown_subject"),
        (but(subject={"scheme": "device", "value": "m_alice"}), 403, "scheme_not_yours"),
        (but(subject={"scheme": "Account", "value": "m_alice"}), 400, "unknown_scheme"),
        (but(subject={"scheme": "email", "value": "nobody"}), 400, "invalid_identifier"),
        (but(recipient="nobody"), 404, "unknown_recipient"),
        (but(occurred_at="2999-01-01T00:00:00Z"), 400, "time_in_future"),
    ],
)
def test_what_the_domain_refuses_is_refused_with_its_code(
    acme_calls: Caller, body: Any, status: int, code: str
) -> None:
    assert problem(acme_calls.post("/choices", body)) == (status, code)
    assert not written()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (but(occurred_at="2026-03-02T12:00:00"), ("occurred_at", "no_zone")),
        (but(occurred_at="2026-03-02"), ("occurred_at", "no_zone")),
        (but(occurred_at="yesterday"), ("occurred_at", "invalid")),
        (but(occurred_at=1772452800), ("occurred_at", "invalid")),
        (but(occurred_at=None), ("occurred_at", "null")),
        (but(occurred_at="0001-01-01T00:00:00+14:00"), ("occurred_at", "overflow")),
        (but(action="perhaps"), ("action", "invalid_choice")),
        (but(category="thoughts"), ("category", "invalid_choice")),
        (but(purpose=""), ("purpose", "blank")),
        (but(notice="what Alice was told"), ("notice", "malformed_notice")),
        (but(purpose=["ai-training"]), ("purpose", "invalid")),
        (but(purpose="x" * 81), ("purpose", "max_length")),
        (but(evidence="a\x00b"), ("evidence", "null_characters_not_allowed")),
        (but(notice="\ud800"), ("notice", "surrogate_characters_not_allowed")),
        (but(ocurred_at="2026-03-02T12:00:00Z"), ("ocurred_at", "unknown_field")),
        (but(subject={"scheme": "account", "value": "m_alice", "name": "A"}), ("subject.name", "unknown_field")),
        (but(subject={"scheme": "account"}), ("subject.value", "required")),
        (but(subject="m_alice"), ("subject.non_field_errors", "invalid")),
        ({}, ("subject", "required")),
        ([], ("non_field_errors", "invalid")),
        ([CHOICE], ("non_field_errors", "invalid")),
        ("null", ("non_field_errors", "null")),
        ("7", ("non_field_errors", "invalid")),
    ],
)
def test_a_body_that_is_not_understood_names_the_field(acme_calls: Caller, body: Any, error: tuple[str, str]) -> None:
    response = acme_calls.post("/choices", body)
    assert problem(response) == (400, "invalid")
    assert error in errors(response)
    assert not written()


@pytest.mark.parametrize("text", ["", "{", '{"subject":', "not json", b"\xff\xfe", '{"a": NaN}'])
def test_a_malformed_body_is_refused(acme_calls: Caller, text: Any) -> None:
    status, code = problem(acme_calls.post("/choices", text))
    assert (status, code) in {(400, "parse_error"), (400, "invalid")}
    assert not written()


def test_another_content_type_is_refused(acme_calls: Caller) -> None:
    response = acme_calls.post("/choices", "a=b", content_type="application/x-www-form-urlencoded")
    assert problem(response) == (415, "unsupported_media_type")


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_another_method_is_refused(acme_calls: Caller, method: str) -> None:
    response = getattr(acme_calls.client, method)("/api/v1/choices")
    assert problem(response) == (405, "method_not_allowed")
    assert "POST" in response["Allow"]


class TestWhoCalls:
    def test_without_a_token_nobody_gets_in(self) -> None:
        response: HttpResponse = Client().post("/api/v1/choices", "{}", content_type="application/json")  # type: ignore[assignment]
        assert problem(response) == (401, "not_authenticated")
        assert response["WWW-Authenticate"].startswith("Bearer")

    @pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer", "Basic YTpi", "token-acme"])
    def test_with_a_wrong_token_nobody_gets_in(self, acme_calls: Caller, header: str) -> None:
        client = Client(headers={"authorization": header})
        response: HttpResponse = client.post("/api/v1/choices", "{}", content_type="application/json")  # type: ignore[assignment]
        assert response.status_code == 401
        problem(response)

    def test_with_an_expired_token_nobody_gets_in(self, acme_calls: Caller, acme: Partner) -> None:
        acme.application.accesstoken_set.update(expires=AT.replace(year=2020))
        assert problem(acme_calls.post("/choices", CHOICE))[0] == 401
        assert not written()

    @pytest.mark.parametrize("scope", ["", "decisions:read", "choices:write2"])
    def test_another_scope_is_not_enough(self, acme: Partner, scope: str) -> None:
        assert problem(Caller(acme, scope).post("/choices", CHOICE)) == (403, "permission_denied")

    def test_a_client_that_is_no_partner_is_told_so(self, acme_calls: Caller, acme: Partner) -> None:
        Partner.objects.all().delete()
        assert problem(acme_calls.post("/choices", CHOICE)) == (403, "client_without_partner")

    def test_a_recipient_of_somebody_else_is_refused(self) -> None:
        calls = Caller(partner("small", recipients=["linkwell"], schemes=["account"]))
        assert problem(calls.post("/choices", but(recipient="northlight"))) == (403, "recipient_not_yours")
        assert problem(calls.post("/choices", CHOICE)) == (403, "recipient_not_yours")
        assert calls.post("/choices", but(recipient="linkwell")).status_code == 201

    def test_a_person_of_another_country_is_as_unknown_as_nobody(self) -> None:
        person("dora", "DE")
        calls = Caller(partner("german", recipients=[""], schemes=["account"], jurisdictions=["EEA"]))
        there = calls.post("/choices", but(subject={"scheme": "account", "value": "m_dora"}))
        not_there = calls.post("/choices", CHOICE)
        nowhere = calls.post("/choices", but(subject={"scheme": "account", "value": "m_nobody"}))
        assert there.status_code == 201
        assert problem(not_there) == (404, "unknown_subject")
        assert not_there.content == nowhere.content

    def test_an_erased_person_is_unknown(self, acme_calls: Caller, alice: Subject) -> None:
        subjects.forget(subject=alice, by=BY, at=AT)
        assert problem(acme_calls.post("/choices", CHOICE)) == (404, "unknown_subject")


class TestIdempotency:
    def test_a_repeated_call_gets_the_same_answer_and_writes_nothing(self, acme_calls: Caller) -> None:
        first = acme_calls.post("/choices", CHOICE, idempotency_key="k1")
        before = AuditEntry.objects.count()
        second = acme_calls.post("/choices", CHOICE, idempotency_key="k1")
        assert (first.status_code, first.json()) == (second.status_code, second.json())  # type: ignore[attr-defined]
        assert second["Idempotency-Replayed"] == "true"
        assert "Idempotency-Replayed" not in first
        assert (written(), AuditEntry.objects.count()) == (1, before)

    def test_the_same_key_with_another_body_is_refused(self, acme_calls: Caller) -> None:
        acme_calls.post("/choices", CHOICE, idempotency_key="k1")
        response = acme_calls.post("/choices", but(action="grant"), idempotency_key="k1")
        assert problem(response) == (422, "idempotency_key_reused")
        assert Preference.objects.get().action == "deny"

    def test_a_refusal_is_not_remembered(self, acme_calls: Caller) -> None:
        late = but(subject={"scheme": "account", "value": "m_late"})
        assert acme_calls.post("/choices", late, idempotency_key="k1").status_code == 404
        person("late")
        assert acme_calls.post("/choices", late, idempotency_key="k1").status_code == 201

    @pytest.mark.parametrize("key", ["", "x" * 256])
    def test_a_key_that_cannot_be_one_is_refused(self, acme_calls: Caller, key: str) -> None:
        assert problem(acme_calls.post("/choices", CHOICE, idempotency_key=key)) == (400, "idempotency_key_invalid")
        assert not written()

    def test_partners_do_not_share_keys(self, acme_calls: Caller) -> None:
        other = Caller(partner("other", recipients=[""], schemes=["account"]))
        acme_calls.post("/choices", CHOICE, idempotency_key="k1")
        assert "Idempotency-Replayed" not in other.post("/choices", CHOICE, idempotency_key="k1")
        assert RememberedAnswer.objects.count() == 2

    @pytest.mark.django_db(transaction=True)
    def test_two_at_once_are_recorded_once(self, acme_calls: Caller) -> None:
        barrier, answers = threading.Barrier(2), []

        def call() -> None:
            try:
                barrier.wait(10)
                answers.append(acme_calls.post("/choices", CHOICE, idempotency_key="k1").json())  # type: ignore[attr-defined]
            finally:
                connections.close_all()

        threads = [threading.Thread(target=call) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert answers[0] == answers[1]
        assert written() == 1


class TestLimits:
    def test_each_answer_says_how_many_calls_are_left(
        self, acme_calls: Caller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ClientThrottle, "THROTTLE_RATES", {"client": "3/min"})
        lefts = [acme_calls.post("/choices", CHOICE)["RateLimit"] for _ in range(2)]
        assert [left.partition(";t=")[0] for left in lefts] == ['"client";r=2', '"client";r=1']
        assert acme_calls.post("/choices", {})["RateLimit-Policy"] == '"client";q=3;w=60'

    def test_too_many_calls_are_refused_with_when_to_come_back(
        self, acme_calls: Caller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ClientThrottle, "THROTTLE_RATES", {"client": "1/min"})
        acme_calls.post("/choices", CHOICE)
        response = acme_calls.post("/choices", CHOICE)
        assert problem(response) == (429, "throttled")
        assert 0 < int(response["Retry-After"]) <= 60
        assert response["RateLimit"].startswith('"client";r=0;t=')
        assert written() == 1

    def test_one_clients_calls_are_not_counted_for_another(
        self, acme_calls: Caller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ClientThrottle, "THROTTLE_RATES", {"client": "1/min"})
        other = Caller(partner("other", recipients=[""], schemes=["account"]))
        assert acme_calls.post("/choices", CHOICE).status_code == 201
        assert other.post("/choices", CHOICE).status_code == 201


def test_a_body_beyond_what_is_taken_is_refused_unread(acme_calls: Caller, alice: Subject, settings: Any) -> None:
    assert acme_calls.post("/choices", but(evidence="e" * 4000)).status_code == 201
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 4000
    assert problem(acme_calls.post("/choices", but(evidence="e" * 4000))) == (413, "body_too_large")


@pytest.mark.parametrize("opening", ["[", '{"subject":'])
def test_a_body_of_nothing_but_depth_is_refused(acme_calls: Caller, opening: str) -> None:
    assert problem(acme_calls.post("/choices", opening * 100_000)) == (400, "parse_error")


def test_a_call_is_answered_in_english_whatever_page_was_served_before(acme_calls: Caller) -> None:
    with translation.override("de"):
        refused = acme_calls.post("/choices", {}).content
        assert translation.get_language() == "de"
    assert b"This field is required." in refused
