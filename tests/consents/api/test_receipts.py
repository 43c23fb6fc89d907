"""Receipts through the API: who may have one, and checking by anybody."""

import json
import uuid

import pytest
from django.http import HttpResponse
from django.test import Client

from consents import ledger, subjects
from consents.models import Partner, Subject
from consents.receipts import issuing, reading, verifying
from consents.vocabulary import Action
from portal import signing
from tests.conftest import AT, BY, partner
from tests.consents.api.conftest import Caller, errors, problem
from tests.consents.asking import say
from tests.consents.receipts.issued import issue, sealed

pytestmark = pytest.mark.django_db
SCOPE = "choices:read"


def verify(body: bytes, content_type: str = "application/octet-stream", client: Client | None = None) -> HttpResponse:
    return (client or Client()).post("/api/v1/receipts/verify", body, content_type=content_type)  # type: ignore[return-value]


@pytest.mark.parametrize("form", issuing.Format.values)
def test_a_partner_gets_each_format(acme: Partner, alice: Subject, form: str) -> None:
    event = say(alice, Action.DENY)
    response = Caller(acme, SCOPE).get(f"/receipts/{event.pk}", format=form)
    assert (response.status_code, response["Content-Type"]) == (200, issuing.MEDIA_TYPES[issuing.Format(form)])
    assert "RateLimit" in response
    assert verifying.verify(response.content).event["id"] == str(event.pk)


def test_json_ld_is_what_comes_unasked_and_the_reference_names_it_too(acme: Partner, alice: Subject) -> None:
    event = say(alice, Action.DENY)
    found = json.loads(Caller(acme, SCOPE).get(f"/receipts/{ledger.reference(event.pk)}", language="fr").content)
    assert (found["dpv:hasIdentifier"], found["dct:language"]) == (str(event.pk), "fr")


def test_the_receipt_url_of_a_choice_still_leads_to_its_page(acme: Partner, alice: Subject) -> None:
    choice = {
        "subject": {"scheme": "account", "value": "m_alice"},
        "purpose": "ai-training",
        "action": "deny",
        "occurred_at": "2026-03-02T12:00:00Z",
    }
    answer = json.loads(Caller(acme, f"{SCOPE} choices:write").post("/choices", choice).content)
    browser = Client()
    browser.force_login(subjects.account_of(alice, at=AT), backend="django.contrib.auth.backends.ModelBackend")
    assert browser.get(answer["receipt_url"]).status_code == 200
    assert Caller(acme, SCOPE).get(f"/receipts/{answer['receipt']}").status_code == 200


def test_another_scope_is_not_enough(acme: Partner, alice: Subject) -> None:
    event = say(alice, Action.DENY)
    assert problem(Caller(acme).get(f"/receipts/{event.pk}"))[0] == 403
    assert problem(Client().get(f"/api/v1/receipts/{event.pk}"))[0] == 401  # type: ignore[arg-type]


@pytest.mark.parametrize("named", ["nonsense", "R-1", str(uuid.UUID(int=1)), "Q-" + "0" * 26])
def test_what_is_no_receipt_is_unknown(acme: Partner, named: str) -> None:
    assert problem(Caller(acme, SCOPE).get(f"/receipts/{named}"))[0] == 404


def test_people_and_recipients_of_others_are_unknown(world: None, alice: Subject, grace: Subject) -> None:
    abroad = partner("abroad", recipients=["", "linkwell"], schemes=["account"], jurisdictions=["GB"])
    calls = Caller(abroad, SCOPE)
    assert calls.get(f"/receipts/{say(grace, Action.DENY).pk}").status_code == 200
    hers = say(alice, Action.DENY)
    theirs = say(grace, Action.DENY, recipient="northlight")
    erased = say(grace, Action.GRANT)
    subjects.forget(subject=grace, by=BY, at=AT)
    for event in (hers, theirs, erased):
        assert problem(calls.get(f"/receipts/{event.pk}")) == (404, "unknown_receipt")


def test_an_unknown_format_or_parameter_is_refused(acme: Partner, alice: Subject) -> None:
    calls, event = Caller(acme, SCOPE), say(alice, Action.DENY)
    assert errors(calls.get(f"/receipts/{event.pk}", format="xml")) == [("format", "invalid_choice")]
    assert errors(calls.get(f"/receipts/{event.pk}", languages="en")) == [("languages", "unknown_field")]
    assert calls.post(f"/receipts/{event.pk}", {}).status_code == 405


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("form", issuing.Format.values)
@pytest.mark.parametrize("content_type", ["application/json", "application/pdf", "text/plain", "x/y"])
def test_anybody_can_have_a_receipt_checked(alice: Subject, form: str, content_type: str) -> None:
    event = sealed(alice)
    answer = json.loads(verify(issue(event, form), content_type).content)
    assert (answer["valid"], answer["proven"]) == (True, True)
    assert (answer["receipt"], answer["event"]["action"]) == (ledger.reference(event.pk), "deny")
    assert [one["name"] for one in answer["checks"]] == list(verifying.NAMES)


def test_a_receipt_may_stand_inside_a_json_body(alice: Subject) -> None:
    event = say(alice, Action.DENY)
    token, found = issue(event, "jws").decode(), json.loads(issue(event, "kantara"))
    for body in (token, {"receipt": token}, {"receipt": found}):
        answer = json.loads(verify(json.dumps(body).encode(), "application/json").content)
        assert (answer["valid"], answer["proven"]) == (True, False)


def test_what_was_changed_fails_with_its_place_and_says_nothing_more(alice: Subject) -> None:
    answer = json.loads(
        verify(issue(say(alice, Action.DENY)).replace(b'"dct:language": "en"', b'"dct:language": "de"')).content
    )
    assert (answer["valid"], answer["receipt"], answer["event"]) == (False, None, None)
    failed = [(one["name"], one["places"]) for one in answer["checks"] if one["outcome"] == "failed"]
    assert failed == [("text", ["/dct:language"])]


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (b"", (400, "empty")),
        (b"{", (400, "not_json")),
        (b"[]", (400, "not_a_receipt")),
        (b"hello", (400, "not_a_receipt")),
        (b"%PDF-1.4", (400, "no_receipt_in_pdf")),
        (b"x" * (reading.LARGEST + 1), (413, "too_large")),
        (b"{" * (3 * 1024 * 1024), (413, "too_large")),
    ],
)
def test_what_cannot_be_read_is_a_problem(db: None, body: bytes, refusal: tuple[int, str]) -> None:
    assert problem(verify(body, "application/json")) == refusal


def test_what_we_signed_as_something_else_is_a_problem(db: None) -> None:
    token = signing.seal_jws({"purpose": "ai-training", "padding": "x" * 20}, typ="heed-permit")
    assert problem(verify(token.encode())) == (400, "wrong_kind")


def test_a_form_is_taken_for_what_it_is(db: None) -> None:
    assert problem(Client().post("/api/v1/receipts/verify", {"receipt": "x"})) == (400, "not_a_receipt")  # type: ignore[arg-type]


def test_only_posting_checks(db: None) -> None:
    assert Client().get("/api/v1/receipts/verify").status_code == 405


def test_a_token_of_a_partner_is_neither_needed_nor_looked_at(alice: Subject) -> None:
    client = Client(headers={"authorization": "Bearer nonsense"})
    assert verify(issue(say(alice, Action.DENY)), client=client).status_code == 200


def test_who_checks_too_often_is_asked_to_wait(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.api_access.AddressThrottle.rate", "2/min", raising=False)
    answers = [verify(b"hello").status_code for _ in range(3)]
    assert answers == [400, 400, 429]
    assert problem(verify(b"hello")) == (429, "throttled")
    assert verify(b"hello", client=Client(REMOTE_ADDR="192.0.2.7")).status_code == 400
