"""GET /api/v1/changes: the feed as one partner may see it."""

import json
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from consents.models import Partner, Subject
from consents.vocabulary import Action
from tests.conftest import partner, person, sequenced
from tests.consents.api.conftest import Caller, errors, problem
from tests.consents.asking import say


def feed(response: HttpResponse) -> dict[str, Any]:
    assert response.status_code == 200, response.content
    body: dict[str, Any] = json.loads(response.content)
    return body


@pytest.mark.django_db(transaction=True)
def test_changes_come_after_the_cursor_and_the_cursor_moves_on(acme_calls: Caller, alice: Subject) -> None:
    start = sequenced()
    event = say(alice, Action.DENY)
    assert feed(acme_calls.get("/changes", after=start)) == {"changes": [], "next": start, "more": False}
    sequenced()
    body = feed(acme_calls.get("/changes", after=start))
    assert (body["next"], body["more"]) == (start + 1, False)
    (change,) = body["changes"]
    assert (change["kind"], change["subject"]["value"]) == ("choice", "m_alice")
    assert change["recorded_at"] == event.recorded_at.isoformat()


@pytest.mark.django_db(transaction=True)
def test_a_partner_sees_only_its_own_countries_and_recipients(alice: Subject) -> None:
    dora = person("dora", "DE")
    start = sequenced()
    say(alice, Action.DENY)
    say(dora, Action.DENY, recipient="linkwell")
    say(dora, Action.DENY, recipient="northlight")
    sequenced()
    calls = Caller(partner("german", recipients=["linkwell"], schemes=["account"], jurisdictions=["EEA"]))
    body = feed(calls.get("/changes", after=start))
    assert [change["recipient"] for change in body["changes"]] == ["linkwell"]
    assert body["next"] == start + 3


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"after": "-1"}, ("after", "min_value")),
        ({"after": "soon"}, ("after", "invalid")),
        ({"wait": "31"}, ("wait", "max_value")),
        ({"limit": "0"}, ("limit", "min_value")),
        ({"limit": "1001"}, ("limit", "max_value")),
        ({"since": "1"}, ("since", "unknown_field")),
    ],
)
def test_a_question_that_is_not_understood_names_the_field(
    acme_calls: Caller, query: dict[str, str], error: tuple[str, str]
) -> None:
    response = acme_calls.get("/changes", **query)
    assert problem(response) == (400, "invalid")
    assert error in errors(response)


@pytest.mark.parametrize("after", [1, 9**30])
def test_a_position_beyond_the_end_is_refused(acme_calls: Caller, after: int) -> None:
    assert problem(acme_calls.get("/changes", after=after)) == (400, "position_unknown")


def test_another_scope_is_not_enough(acme: Partner) -> None:
    assert problem(Caller(acme, "decisions:read").get("/changes")) == (403, "permission_denied")


def test_without_a_token_nobody_gets_in(db: None) -> None:
    assert problem(Client().get("/api/v1/changes")) == (401, "not_authenticated")  # type: ignore[arg-type]


def test_a_client_that_is_no_partner_is_told_so(acme_calls: Caller) -> None:
    Partner.objects.all().delete()
    assert problem(acme_calls.get("/changes")) == (403, "client_without_partner")


def test_another_method_is_refused(acme_calls: Caller) -> None:
    assert problem(acme_calls.post("/changes", {})) == (405, "method_not_allowed")
