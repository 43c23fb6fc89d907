"""POST /training-runs, POST /training-runs/{id}/complete, GET /permits/{id}: answers and refusals."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse

from consents import holds
from consents.models import Partner, Subject
from downstream.models import Dataset, Permit, PermitRefusal, RunInput, TrainedModel, TrainingRun
from portal import clock
from portal.models import AuditEntry
from tests.conftest import BY, partner
from tests.consents.api.conftest import Caller, errors, problem
from tests.downstream.training import DIGEST, SCOPES, looked_again, ready

pytestmark = pytest.mark.django_db(transaction=True)

ASKED: dict[str, Any] = {
    "run": "nightly-7",
    "model": "writer",
    "purpose": "ai-training",
    "recipient": "linkwell",
    "datasets": [{"dataset": "posts"}],
}
NOBODY = "00000000-0000-0000-0000-000000000000"


def but(**changes: Any) -> dict[str, Any]:
    return {**ASKED, **changes}


@pytest.fixture(autouse=True)
def posts(alice: Subject, acme: Partner, tmp_path: Path) -> Dataset:
    return ready(tmp_path)


@pytest.fixture
def calls(acme: Partner) -> Caller:
    return Caller(acme, SCOPES)


def body(response: HttpResponse) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(response.content)
    return read


def given(calls: Caller, **changes: Any) -> dict[str, Any]:
    response = calls.post("/training-runs", but(**changes))
    assert response.status_code == 201, response.content
    return body(response)


def complete(calls: Caller, run: str, **more: Any) -> HttpResponse:
    return calls.post(f"/training-runs/{run}/complete", {"artefact_digest": DIGEST, **more})


class TestAsking:
    def test_a_run_that_may_begin_is_answered_with_its_permit(self, calls: Caller) -> None:
        answer = given(calls)
        permit = Permit.objects.get()
        assert (answer["permit"], answer["jws"], answer["state"]) == (str(permit.pk), permit.jws, "valid")
        assert answer["run"] == {"id": str(permit.run_id), "name": "nightly-7"}
        assert (answer["reason"], answer["stale"]) == (None, [])
        assert TrainedModel.objects.get().owner_id == "linkwell"

    def test_one_that_may_not_is_told_every_reason_and_written_down(self, calls: Caller) -> None:
        response = calls.post("/training-runs", but(datasets=[{"dataset": "posts", "version": 3}, {"dataset": "none"}]))
        assert problem(response) == (409, "not_permitted")
        reasons = [(one["code"], one["dataset"]) for one in body(response)["reasons"]]
        assert reasons == [("unknown_version", "posts"), ("unknown_dataset", "none")]
        assert all(one["text"] for one in body(response)["reasons"])
        assert PermitRefusal.objects.get().partner == "acme"
        assert AuditEntry.objects.get(action="permit.refuse").actor == "partner:acme"
        assert not TrainingRun.objects.exists()

    def test_the_newest_version_is_meant_unless_one_is_named(self, calls: Caller, posts: Dataset) -> None:
        looked_again(posts)
        given(calls)
        given(calls, datasets=[{"dataset": "posts", "version": 1}])
        assert list(RunInput.objects.order_by("pk").values_list("version__number", flat=True)) == [2, 1]

    def test_who_speaks_for_one_recipient_need_not_name_it(self, acme: Partner) -> None:
        without = {name: value for name, value in ASKED.items() if name != "recipient"}
        refused = Caller(acme, SCOPES).post("/training-runs", without)
        assert (problem(refused), errors(refused)) == (
            (400, "recipient_missing"),
            [("recipient", "recipient_missing")],
        )
        one = Caller(partner("one", recipients=["", "linkwell"], schemes=[]), SCOPES)
        assert one.post("/training-runs", without).status_code == 201

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"purpose": "mining"}, (404, "unknown_purpose")),
            ({"recipient": "nobody"}, (404, "unknown_recipient")),
            ({"datasets": [{"dataset": "posts"}, {"dataset": "posts"}]}, (400, "dataset_twice")),
        ],
    )
    def test_what_the_domain_refuses_is_refused_with_its_code(
        self, calls: Caller, changes: dict[str, Any], expected: tuple[int, str]
    ) -> None:
        assert problem(calls.post("/training-runs", but(**changes))) == expected
        assert not PermitRefusal.objects.exists()

    @pytest.mark.parametrize(
        ("sent", "error"),
        [
            (but(datasets=[]), ("datasets", "empty")),
            (but(datasets="posts"), ("datasets", "not_a_list")),
            (but(datasets=[{"dataset": "posts", "version": 0}]), ("datasets.0.version", "min_value")),
            (but(datasets=[{"dataset": "posts", "digest": "x"}]), ("datasets.0.digest", "unknown_field")),
            (but(datasets=[{"version": 1}]), ("datasets.0.dataset", "required")),
            (but(run=""), ("run", "blank")),
            (but(model="x" * 201), ("model", "max_length")),
            (but(modle="writer"), ("modle", "unknown_field")),
            ({}, ("purpose", "required")),
        ],
    )
    def test_a_body_that_is_not_understood_names_the_field(
        self, calls: Caller, sent: dict[str, Any], error: tuple[str, str]
    ) -> None:
        response = calls.post("/training-runs", sent)
        assert problem(response) == (400, "invalid")
        field, code = error
        assert [one for one in errors(response) if one[0].startswith(field.partition(".")[0]) and one[1] == code], (
            response.content
        )

    @pytest.mark.parametrize("scope", ["", "training:read", "lineage:write", "decisions:read"])
    def test_another_scope_is_not_enough(self, acme: Partner, scope: str) -> None:
        assert problem(Caller(acme, scope).post("/training-runs", ASKED)) == (403, "permission_denied")

    def test_a_recipient_of_somebody_else_is_refused(self) -> None:
        small = Caller(partner("small", recipients=["northlight"], schemes=[]), SCOPES)
        assert problem(small.post("/training-runs", ASKED)) == (403, "recipient_not_yours")

    def test_a_repeated_call_gets_the_first_permit_and_a_refusal_is_not_remembered(
        self, calls: Caller, posts: Dataset
    ) -> None:
        wanted = but(datasets=[{"dataset": "posts", "version": 2}])
        assert calls.post("/training-runs", wanted, idempotency_key="k").status_code == 409
        looked_again(posts)
        first = calls.post("/training-runs", wanted, idempotency_key="k")
        again = calls.post("/training-runs", wanted, idempotency_key="k")
        assert (first.status_code, again.status_code, body(first)) == (201, 201, body(again))
        assert again["Idempotency-Replayed"] == "true"
        assert problem(calls.post("/training-runs", ASKED, idempotency_key="k")) == (422, "idempotency_key_reused")
        assert Permit.objects.count() == 1

    def test_a_repeated_call_tells_what_has_become_of_the_permit(self, calls: Caller) -> None:
        first = calls.post("/training-runs", ASKED, idempotency_key="k")
        holds.open(scope=holds.HoldScope(), reason="ICO", by=BY, at=clock.now())
        again = calls.post("/training-runs", ASKED, idempotency_key="k")
        assert (body(first)["state"], body(again)["state"]) == ("valid", "void")
        assert body(first)["permit"] == body(again)["permit"]


class TestLooking:
    def test_it_says_at_once_that_a_hold_made_it_void(self, calls: Caller) -> None:
        address = f"/permits/{given(calls)['permit']}"
        assert body(calls.get(address))["state"] == "valid"
        hold = holds.open(scope=holds.HoldScope(), reason="An authority's reasons", by=BY, at=clock.now())
        answer = calls.get(address)
        assert (body(answer)["state"], body(answer)["reason"]["code"]) == ("void", "hold")
        assert body(answer)["since"] == hold.opened_at.isoformat()
        assert b"authority" not in answer.content
        assert answer["Cache-Control"] == "no-store"

    def test_it_says_what_has_become_stale(self, calls: Caller) -> None:
        permit = given(calls)["permit"]
        Dataset.objects.update(retired_at=clock.now())
        answer = body(calls.get(f"/permits/{permit}"))
        assert (answer["state"], [one["code"] for one in answer["stale"]]) == ("valid", ["retired"])

    @pytest.mark.parametrize("name", [NOBODY, "nonsense", "x" * 300])
    def test_an_unknown_one_is_not_found(self, calls: Caller, name: str) -> None:
        assert problem(calls.get(f"/permits/{name}")) == (404, "unknown_permit")

    def test_that_of_somebody_elses_model_is_as_unknown(self, calls: Caller) -> None:
        permit = given(calls)["permit"]
        small = Caller(partner("small", recipients=["northlight"], schemes=[]), SCOPES)
        theirs, nobodys = small.get(f"/permits/{permit}"), small.get(f"/permits/{NOBODY}")
        assert (problem(theirs), theirs.content) == ((404, "unknown_permit"), nobodys.content)

    @pytest.mark.parametrize("scope", ["", "training:write"])
    def test_another_scope_is_not_enough(self, calls: Caller, acme: Partner, scope: str) -> None:
        permit = given(calls)["permit"]
        assert problem(Caller(acme, scope).get(f"/permits/{permit}")) == (403, "permission_denied")


class TestCompleting:
    def test_a_finished_run_is_recorded_with_what_it_made(self, calls: Caller) -> None:
        answer = given(calls)
        done = complete(calls, answer["run"]["id"], model="writer")
        assert done.status_code == 200
        assert (body(done)["artefact_digest"], body(done)["permit"]) == (DIGEST, "completed")
        run = TrainingRun.objects.get()
        assert (run.artefact_digest, run.finished_at is not None) == (DIGEST, True)
        assert body(calls.get(f"/permits/{answer['permit']}"))["state"] == "completed"
        assert AuditEntry.objects.get(action="training_run.complete").object_id == str(run.pk)

    def test_one_that_finished_in_spite_of_a_hold_is_recorded_all_the_same(self, calls: Caller) -> None:
        run = given(calls)["run"]["id"]
        holds.open(scope=holds.HoldScope(), reason="ICO", by=BY, at=clock.now())
        assert body(complete(calls, run))["permit"] == "void"
        assert TrainingRun.objects.get().finished_at is not None

    def test_it_is_completed_once(self, calls: Caller) -> None:
        run = given(calls)["run"]["id"]
        assert complete(calls, run).status_code == 200
        assert problem(complete(calls, run)) == (409, "already_completed")

    @pytest.mark.parametrize(
        ("told", "code"),
        [
            ({"model": "another"}, "other_model"),
            ({"artefact_digest": "abc"}, "digest_malformed"),
            ({"artefact_digest": "sha256:" + "G" * 64}, "digest_malformed"),
            ({"finished_at": "2999-01-01T00:00:00Z"}, "time_in_future"),
            ({"finished_at": "2020-01-01T00:00:00Z"}, "finished_before_it_began"),
            ({"finished_at": "2026-03-02T12:00:00"}, "invalid"),
            ({"artefact": "x"}, "invalid"),
        ],
    )
    def test_what_cannot_be_is_refused(self, calls: Caller, told: dict[str, Any], code: str) -> None:
        run = given(calls)["run"]["id"]
        assert problem(complete(calls, run, **told)) == (400, code)
        assert TrainingRun.objects.get().finished_at is None

    @pytest.mark.parametrize("name", [NOBODY, "nonsense"])
    def test_an_unknown_run_is_not_found(self, calls: Caller, name: str) -> None:
        assert problem(complete(calls, name)) == (404, "unknown_run")

    def test_somebody_elses_is_as_unknown(self, calls: Caller) -> None:
        run = given(calls)["run"]["id"]
        small = Caller(partner("small", recipients=["northlight"], schemes=[]), SCOPES)
        assert problem(complete(small, run)) == (404, "unknown_run")

    def test_reading_is_not_enough(self, calls: Caller, acme: Partner) -> None:
        run = given(calls)["run"]["id"]
        assert problem(complete(Caller(acme, "training:read"), run)) == (403, "permission_denied")

    def test_a_run_that_goes_on_keeps_what_the_model_had_learned(self, calls: Caller, posts: Dataset) -> None:
        assert complete(calls, given(calls)["run"]["id"]).status_code == 200
        looked_again(posts)
        later = given(calls)["run"]["id"]
        in_a_moment = (clock.now() + timedelta(seconds=1)).isoformat()
        assert complete(calls, later, continues=True, finished_at=in_a_moment).status_code == 200
        known = (
            RunInput.objects.filter(run=later).order_by("version__number").values_list("version__number", "named_by")
        )
        assert list(known) == [(1, "earlier_run"), (2, "permit")]


@pytest.mark.parametrize(
    ("method", "path"),
    [("get", "/training-runs"), ("put", "/training-runs"), ("post", f"/permits/{NOBODY}"), ("get", "/lineage")],
)
def test_another_method_is_refused(calls: Caller, method: str, path: str) -> None:
    assert problem(getattr(calls.client, method)(f"/api/v1{path}")) == (405, "method_not_allowed")
