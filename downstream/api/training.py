"""POST /api/v1/training-runs and what follows: the gate before a training run."""

import uuid
from dataclasses import asdict
from datetime import datetime
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from consents.api import partners
from consents.api.serializers import Problem, ZonedTime
from consents.models import Partner
from downstream import permits, training_runs
from downstream.models import Permit, TrainingRun
from downstream.permits import PermitRefused
from portal import actors, clock, idempotency, problems
from portal.api_views import PartnerView, StrictSerializer, answered_once
from portal.errors import DomainError, NotFound

_MOST_DATASETS = 200
_PROBLEMS: dict[Any, Any] = {
    (status, problems.MEDIA_TYPE): Problem for status in (400, 401, 403, 404, 413, 415, 422, 429)
}
_KEY = OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER)


class UsedDataset(StrictSerializer):
    dataset = serializers.SlugField(max_length=50, help_text="Its slug")
    version = serializers.IntegerField(
        min_value=1, max_value=2_147_483_647, required=False, help_text="The newest if absent"
    )


class TrainingRunIn(StrictSerializer):
    """A run that wants to begin."""

    run = serializers.CharField(max_length=200, help_text="What you call it; OpenLineage's runId ties both together")
    model = serializers.CharField(max_length=200)
    purpose = serializers.CharField(max_length=80)
    recipient = serializers.SlugField(
        max_length=50, required=False, help_text="Who trains; needed where you speak for several recipients"
    )
    datasets = serializers.ListField(child=UsedDataset(), allow_empty=False, max_length=_MOST_DATASETS)


class PermitReason(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="Stable; build on this")
    dataset = serializers.CharField(allow_blank=True, help_text="Its slug; empty where it is about the whole run")
    text = serializers.CharField()


class NamedOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()


class PermitOut(serializers.Serializer[Any]):
    permit = serializers.UUIDField()
    run = NamedOut()
    model = NamedOut()
    purpose = serializers.CharField()
    state = serializers.ChoiceField(choices=[permits.VALID, permits.VOID, permits.EXPIRED, permits.COMPLETED])
    since = serializers.DateTimeField(help_text="Since when it is in this state")
    reason = PermitReason(allow_null=True, help_text="Why it is void")
    stale = PermitReason(many=True, help_text="Reasons for which a valid permit would not be given now")
    issued_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    jws = serializers.CharField(help_text="Verifies offline with the keys of /.well-known/jwks.json; see its `exp`")


class RefusedOut(Problem):
    """RFC 9457 problem details, with every reason."""

    reasons = PermitReason(many=True)


class FinishIn(StrictSerializer):
    """A run that has finished."""

    artefact_digest = serializers.CharField(max_length=135, help_text="sha256:… of what it made")
    model = serializers.CharField(max_length=200, required=False, help_text="If stated, the one of the permit")
    finished_at = ZonedTime(required=False, help_text="Now if absent")
    continues = serializers.BooleanField(default=False, help_text="It went on from what the model had learned before")


class FinishedOut(serializers.Serializer[Any]):
    run = NamedOut()
    model = NamedOut()
    artefact_digest = serializers.CharField()
    finished_at = serializers.DateTimeField()
    permit = serializers.ChoiceField(
        choices=[permits.VOID, permits.COMPLETED, ""], help_text="What became of its permit; empty without one"
    )


class TrainingRuns(PartnerView):
    required_scope = "training:write"

    @extend_schema(
        request=TrainingRunIn,
        responses={201: PermitOut, (409, problems.MEDIA_TYPE): RefusedOut, **_PROBLEMS},
        parameters=[_KEY],
        summary="May this training run begin? A signed permit, or every reason why not",
        description="A refusal is not remembered: ask again with the same Idempotency-Key once its reasons are gone.",
    )
    def post(self, request: Request) -> Response:
        partner, at = partners.of(request), clock.now()
        asked = _asked(partner, TrainingRunIn.parse(request.data))

        def act() -> tuple[int, dict[str, Any]]:
            permit = permits.issue(asked=asked, owners=partner.recipients, partner=partner.slug, at=at)
            return 201, _permit_out(permit, permits.standing_of([permit], at=at)[permit.pk])

        try:
            (status, body), repeated = idempotency.once(
                client=partner.slug,
                key=request.headers.get("Idempotency-Key"),
                request=request.data,
                at=at,
                act=act,
            )
        except PermitRefused as refused:
            permits.note_refusal(asked=asked, refused=refused, partner=partner.slug, at=at)
            return _refused(refused)
        if repeated:
            # the same permit, but what has become of it meanwhile
            permit = permits.find(uuid.UUID(body["permit"]), owners=partner.recipients)
            body = _permit_out(permit, permits.standing(permit, at=at))
        return Response(body, status=status, headers={"Idempotency-Replayed": "true"} if repeated else None)


class CompletedRun(PartnerView):
    required_scope = "training:write"

    @extend_schema(
        request=FinishIn,
        responses={200: FinishedOut, (409, problems.MEDIA_TYPE): Problem, **_PROBLEMS},
        parameters=[_KEY, OpenApiParameter("id", str, OpenApiParameter.PATH, description="The training run's id")],
        summary="Record that a training run has finished, and what it made",
    )
    def post(self, request: Request, id: str) -> Response:  # noqa: A002 -- named so in the address
        partner, at = partners.of(request), clock.now()
        told = training_runs.Finish(**FinishIn.parse(request.data))

        def act() -> tuple[int, dict[str, Any]]:
            run = training_runs.complete(
                run_id=_id(id, "run"), owners=partner.recipients, told=told, by=actors.partner(partner.slug), at=at
            )
            return 200, _finished_out(run, at)

        return answered_once(request, client=partner.slug, asked=[id, request.data], at=at, act=act)


class OnePermit(PartnerView):
    required_scope = "training:read"

    @extend_schema(
        responses={200: PermitOut, **_PROBLEMS},
        parameters=[OpenApiParameter("id", str, OpenApiParameter.PATH, description="The permit's id, its `jti`")],
        summary="What has become of a permit: ask before a run begins, and while it runs",
    )
    def get(self, request: Request, id: str) -> Response:  # noqa: A002 -- named so in the address
        partner, at = partners.of(request), clock.now()
        permit = permits.find(_id(id, "permit"), owners=partner.recipients)
        return Response(_permit_out(permit, permits.standing(permit, at=at)), headers={"Cache-Control": "no-store"})


def _asked(partner: Partner, sent: dict[str, Any]) -> permits.Asked:
    recipient = sent.get("recipient") or _only_recipient(partner)
    return permits.Asked(
        run=sent["run"],
        model=sent["model"],
        purpose=sent["purpose"],
        recipient=partners.check_recipient(partner, recipient),
        datasets=tuple((one["dataset"], one.get("version")) for one in sent["datasets"]),
    )


def _only_recipient(partner: Partner) -> str:
    """The one that the partner speaks for. Raises DomainError(`recipient_missing`)."""
    named = [one for one in partner.recipients if one]
    if len(named) != 1:
        raise DomainError("recipient_missing", "Say which recipient trains the model.", field="recipient")
    return named[0]


def _id(text: str, what: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise NotFound(f"unknown_{what}", f"There is no such {what}.", field="id") from error


def _refused(refused: PermitRefused) -> Response:
    problem = problems.body(409, refused.code, refused.message)
    reasons = [asdict(one) for one in refused.reasons]
    return Response(problem | {"reasons": reasons}, status=409, content_type=problems.MEDIA_TYPE)


def _permit_out(permit: Permit, standing: permits.Standing) -> dict[str, Any]:
    run = permit.run
    return {
        "permit": str(permit.pk),
        "run": {"id": str(run.pk), "name": run.name},
        "model": {"id": str(run.model_id), "name": run.model.name},
        "purpose": run.purpose,
        "state": standing.state,
        "since": standing.since.isoformat(),
        "reason": asdict(standing.reason) if standing.reason else None,
        "stale": [asdict(one) for one in standing.stale],
        "issued_at": permit.issued_at.isoformat(),
        "expires_at": permit.expires_at.isoformat(),
        "jws": permit.jws,
    }


def _finished_out(run: TrainingRun, at: datetime) -> dict[str, Any]:
    permit = Permit.objects.select_related("run__model").filter(run=run).first()
    return {
        "run": {"id": str(run.pk), "name": run.name},
        "model": {"id": str(run.model_id), "name": run.model.name},
        "artefact_digest": run.artefact_digest,
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "permit": permits.standing_of([permit], at=at)[permit.pk].state if permit else "",
    }
