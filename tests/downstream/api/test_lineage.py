"""POST /api/v1/lineage: one event or a list, each refused for itself."""

import json
import uuid
from typing import Any

import pytest
from django.http import HttpResponse

from consents.models import Partner
from downstream import ancestry, lineage
from downstream.models import LineageEvent
from tests.conftest import AT, partner
from tests.consents.api.conftest import Caller, errors, problem
from tests.downstream import events
from tests.downstream.events import event, heed
from tests.downstream.training import SCOPES

pytestmark = pytest.mark.django_db


@pytest.fixture
def calls(acme: Partner) -> Caller:
    return Caller(acme, SCOPES)


def body(response: HttpResponse) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(response.content)
    return read


@pytest.mark.parametrize("sent", [events.airflow(), events.spark("/data/x"), events.dbt(), events.flink()])
def test_an_event_is_recorded_once(calls: Caller, sent: dict[str, Any]) -> None:
    first, again = calls.post("/lineage", sent), calls.post("/lineage", sent)
    assert (first.status_code, body(first)) == (201, {"recorded": 1, "repeated": 0, "refused": []})
    assert (again.status_code, body(again)) == (200, {"recorded": 0, "repeated": 1, "refused": []})
    assert LineageEvent.objects.get().partner == "acme"


def test_of_a_list_each_event_stands_for_itself(calls: Caller) -> None:
    run = uuid.uuid4()
    bad = {**events.dbt(), "eventTime": "yesterday"}
    answer = calls.post("/lineage", [event("START", AT, run=run), bad, event("COMPLETE", AT, run=run)])
    assert (answer.status_code, body(answer)["recorded"]) == (201, 2)
    (refused,) = body(answer)["refused"]
    assert (refused["index"], refused["code"], refused["field"]) == (1, "event_time_malformed", "eventTime")


def test_what_is_no_event_is_refused_with_its_place(calls: Caller) -> None:
    response = calls.post("/lineage", {**events.dbt(), "inputs": [{"namespace": "x"}]})
    assert problem(response) == (400, "name_missing")
    assert errors(response) == [("inputs.0.name", "name_missing")]
    assert problem(calls.post("/lineage", {"job": {}})) == (400, "not_a_run_event")
    assert problem(calls.post("/lineage", "7")) == (400, "not_an_event")
    assert problem(calls.post("/lineage", "{")) == (400, "parse_error")
    assert not LineageEvent.objects.exists()


def test_a_list_has_its_bounds(calls: Caller) -> None:
    assert problem(calls.post("/lineage", [{}] * 101)) == (400, "too_many_events")
    assert body(calls.post("/lineage", [])) == {"recorded": 0, "repeated": 0, "refused": []}


def test_hostile_values_in_a_list_keep_no_other_event_out(calls: Caller) -> None:
    run = uuid.uuid4()
    hostile = [
        {**event("START", AT, run=uuid.uuid4()), "producer": "a\0b"},
        {**event("START", AT, run=uuid.uuid4()), "producer": "\ud800"},
        event("START", AT, run=uuid.uuid4(), inputs=[heed("posts", version={"datasetVersion": "a\0b"})]),
        {**event("START", AT, run=uuid.uuid4()), "eventTime": "0001-01-01T00:00:00+14:00"},
    ]
    answer = calls.post("/lineage", [event("START", AT, run=run), *hostile, event("COMPLETE", AT, run=run)])
    assert (answer.status_code, body(answer)["recorded"]) == (201, 5)
    assert [(one["index"], one["code"]) for one in body(answer)["refused"]] == [(4, "event_time_malformed")]


def test_what_follows_of_a_list_is_worked_out_once(calls: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    honest, settled = lineage._settle, []

    def settle(run_ids: set[uuid.UUID], **how: Any) -> None:
        settled.append(len(run_ids))
        honest(run_ids, **how)

    monkeypatch.setattr(lineage, "_settle", settle)
    calls.post("/lineage", [event("START", AT, run=uuid.uuid4()) for _ in range(5)])
    assert settled == [5]


def test_a_history_that_is_too_long_to_walk_is_told(calls: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ancestry, "MOST_STEPS", 1)
    first, second = uuid.uuid4(), uuid.uuid4()
    lake = events.named("s3://lake", "clean")
    told = [event("COMPLETE", AT, run=first, outputs=[lake]), event("COMPLETE", AT, run=second, inputs=[lake])]
    assert problem(calls.post("/lineage", told)) == (400, "history_too_long")
    assert not LineageEvent.objects.exists()


def test_a_run_of_somebody_else_is_refused(calls: Caller) -> None:
    calls.post("/lineage", events.dbt())
    other = Caller(partner("other", recipients=["northlight"], schemes=[]), SCOPES)
    response = other.post("/lineage", {**events.dbt(), "eventType": "START"})
    assert problem(response) == (400, "run_of_another")


@pytest.mark.parametrize("scope", ["", "training:write"])
def test_another_scope_is_not_enough(acme: Partner, scope: str) -> None:
    response = Caller(acme, scope).post("/lineage", event("START", AT, run=uuid.uuid4(), inputs=[heed("posts")]))
    assert problem(response) == (403, "permission_denied")
