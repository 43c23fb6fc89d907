"""Shapes of the API's messages about requests."""

import json
from datetime import datetime
from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers

from consents.api.serializers import NamedSubject, Problem, ZonedTime
from consents.vocabulary import ANYWHERE
from portal import problems, references
from portal.api_views import StrictSerializer
from requests_app import explanations, front_ends, legal_clock, rulebook
from requests_app.models import Message, Request, Task
from requests_app.rights import rectification
from requests_app.states import BY_WHOM, Capacity, Right, Status, TaskKind, TaskStatus

LONGEST_JSON, LONGEST_DETAILS = 20_000, 130_000
"""Bytes of a scope, and of details: as many corrections as there may be, each as long as it may be."""
_CORRECTION = {
    "type": "object",
    "required": ["what", "wrong", "right"],
    "properties": {part: {"type": "string", "maxLength": rectification.LONGEST} for part in ("what", "wrong", "right")},
}
_DETAILS = {
    "type": "object",
    "properties": {
        "corrections": {"type": "array", "minItems": 1, "maxItems": rectification.MOST, "items": _CORRECTION}
    },
    "description": (
        "What a rectification corrects: each thing once. One alone may stand without the list, as its three parts."
        " Kept encrypted"
    ),
    "default": {},
}
PATH = "/api/v1/requests"

# the type is drf-spectacular's: (status, media type) or status
PROBLEMS: dict[Any, Any] = {(status, problems.MEDIA_TYPE): Problem for status in (400, 401, 403, 404, 409, 413, 429)}
KEY = OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER)
REFERENCE = OpenApiParameter("reference", str, OpenApiParameter.PATH, description="As a request's answer names it")


def _check_details(value: Any) -> None:
    _check_json(value, longest=LONGEST_DETAILS)


def _check_json(value: Any, longest: int = LONGEST_JSON) -> None:
    """Refuses what could neither be kept nor shown: far too much, NUL, half of a surrogate pair."""
    try:
        text = json.dumps(value, ensure_ascii=False)
        size = len(text.encode())
    except (RecursionError, UnicodeEncodeError):
        raise serializers.ValidationError("This cannot be kept as it is.", code="not_printable") from None
    if size > longest:
        raise serializers.ValidationError(f"This has at most {longest:,} bytes of JSON.", code="too_long")
    if r"\u0000" in text:
        raise serializers.ValidationError("NUL does not belong here.", code="not_printable")


class RequesterIn(StrictSerializer):
    """Who asks for somebody else."""

    name = serializers.CharField(max_length=200)
    contact = serializers.CharField(max_length=255, default="", allow_blank=True)
    relation = serializers.CharField(max_length=200, default="", allow_blank=True)


@extend_schema_field(_DETAILS)
class _Details(serializers.DictField):
    """Of rights that need more said."""


class RequestIn(StrictSerializer):
    """What one person asks in one go; each right becomes a request, and all of them are linked."""

    subject = NamedSubject()
    rights = serializers.ListField(
        child=serializers.ChoiceField(choices=Right.choices), allow_empty=False, max_length=len(Right.values)
    )
    jurisdiction = serializers.CharField(
        max_length=6, default="", allow_blank=True, help_text="Where they live, if they may be unknown to us"
    )
    scope = serializers.DictField(
        default=dict, validators=[_check_json], help_text="`purposes`, where the right is about some"
    )
    details = _Details(default=dict, validators=[_check_details])
    note = serializers.CharField(default="", allow_blank=True, help_text="In the person's words. Kept encrypted")
    capacity = serializers.ChoiceField(choices=BY_WHOM, default=Capacity.SELF)
    requester = RequesterIn(required=False, help_text="Who asks, if not the person. Kept encrypted")
    verified = serializers.BooleanField(
        default=False,
        help_text="You have verified who asks, and their authority if it is not the person (scope requests:vouch)",
    )
    received_at = ZonedTime(required=False, help_text="When it reached you; now if absent")
    locale = serializers.ChoiceField(choices=[code for code, _name in settings.LANGUAGES], default="en")
    about = serializers.CharField(
        max_length=40, required=False, help_text="Of an appeal or a complaint: the earlier request's reference"
    )


class LinksOut(serializers.Serializer[Any]):
    self = serializers.CharField()
    messages = serializers.CharField()
    package = serializers.CharField()


class RequestOut(serializers.Serializer[Any]):
    reference = serializers.CharField()
    group = serializers.UUIDField(help_text="Requests that were made in one go have the same")
    right = serializers.ChoiceField(choices=Right.choices)
    status = serializers.ChoiceField(choices=Status.choices)
    subject = serializers.UUIDField(
        allow_null=True, help_text="null until it is known who asks, and of whom you may not name"
    )
    capacity = serializers.ChoiceField(choices=Capacity.choices)
    scope = serializers.DictField()
    received_at = serializers.DateTimeField()
    due_on = serializers.DateField(help_text="By the law's clock; see the request itself for how it was counted")
    acknowledge_by = serializers.DateField(allow_null=True)
    extended_until = serializers.DateField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    duplicate_of = serializers.CharField(allow_null=True, help_text="The same was asked before; both get one answer")
    refusal_ground = serializers.CharField(allow_blank=True)
    house_rule = serializers.BooleanField(help_text="No law that we know sets this clock; ours does")
    links = LinksOut()
    verification_url = serializers.CharField(
        required=False, help_text="While it waits as `verifying`: where the person shows who they are"
    )


class CreatedOut(serializers.Serializer[Any]):
    requests = RequestOut(many=True)


class RequestsQuery(StrictSerializer):
    status = serializers.ChoiceField(choices=Status.choices, required=False)
    right = serializers.ChoiceField(choices=Right.choices, required=False)
    open = serializers.BooleanField(required=False, help_text="true: not closed yet; false: closed")
    due_before = serializers.DateField(required=False, help_text="Open ones that are due before this day")
    after = serializers.CharField(max_length=40, required=False, help_text="`next` of the page before")
    limit = serializers.IntegerField(min_value=1, max_value=200, default=25)


class RequestsOut(serializers.Serializer[Any]):
    requests = RequestOut(many=True, help_text="The newest first")
    next = serializers.CharField(allow_null=True, help_text="Send as `after`; also in the Link header (RFC 8288)")


class PauseOut(serializers.Serializer[Any]):
    reason = serializers.CharField()
    began_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class RegulatorOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    url = serializers.CharField()


class ClockOut(serializers.Serializer[Any]):
    rule = serializers.CharField(help_text="The place whose law sets it; * is the house's own rule")
    law = serializers.CharField(help_text="Where it is written")
    arithmetic = serializers.ListField(child=serializers.CharField(), help_text="How the due date came about")
    pauses = PauseOut(many=True)
    regulator = RegulatorOut(allow_null=True, help_text="Where the person may complain")
    silence_from = serializers.DateField(
        allow_null=True,
        help_text="From this day the person may appeal because no answer came; null: answered, or no such appeal to us",
    )


class HappenedOut(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    code = serializers.CharField()


class TaskOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    place = serializers.CharField(allow_blank=True, help_text="A dataset or system; empty: the house itself")
    kind = serializers.ChoiceField(choices=TaskKind.choices)
    status = serializers.ChoiceField(choices=TaskStatus.choices)
    ground = serializers.CharField(allow_blank=True, help_text="Why it is exempted")
    settled_at = serializers.DateTimeField(allow_null=True)


class CountsOut(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    unread = serializers.IntegerField(help_text="From our staff, not read yet")


class OneRequestOut(RequestOut):
    clock = ClockOut()
    timeline = HappenedOut(many=True)
    tasks = TaskOut(many=True)
    messages = CountsOut()
    waits_until = serializers.DateField(
        allow_null=True,
        help_text="Of an erasure: it is not closed before the person has fetched the copy that lies ready for them, "
        "or says that they need it no longer (DELETE its package), but on this day at the latest",
    )


class MessageIn(StrictSerializer):
    body = serializers.CharField(help_text="Kept encrypted")


class MessageOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    sent_at = serializers.DateTimeField()


class SaidOut(MessageOut):
    # `from` is a word of Python's
    author = serializers.ChoiceField(choices=Message.DIRECTIONS)
    body = serializers.CharField(allow_null=True, help_text="null once the person was erased")


class SaidsOut(serializers.Serializer[Any]):
    messages = SaidOut(many=True, help_text="The oldest first")


def request_out(one: Request, *, is_seen: bool = True) -> dict[str, Any]:
    """A request as its partner sees it; not `is_seen` is whom the partner's registration does not cover."""
    reference = one.reference
    path = f"{PATH}/{reference}"
    said = {
        "reference": reference,
        "group": str(one.group),
        "right": str(one.right),
        "status": str(one.status),
        "subject": str(one.subject_id) if one.subject_id and is_seen else None,
        "capacity": str(one.capacity),
        "scope": one.scope,
        "received_at": one.received_at.isoformat(),
        "due_on": one.due_on.isoformat(),
        "acknowledge_by": one.acknowledge_by.isoformat() if one.acknowledge_by else None,
        "extended_until": one.extended_until.isoformat() if one.extended_until else None,
        "closed_at": one.closed_at.isoformat() if one.closed_at else None,
        "duplicate_of": _first(one),
        "refusal_ground": one.refusal_ground,
        "house_rule": one.rule == ANYWHERE,
        "links": {"self": path, "messages": f"{path}/messages", "package": f"{path}/package"},
    }
    if one.status == Status.VERIFYING:
        said["verification_url"] = front_ends.verification_url(one)
    return said


def _first(one: Request) -> str | None:
    """What was asked before. Nobody learns of it by naming a person: only once that person showed that they ask."""
    if one.duplicate_of_id is None or one.status == Status.VERIFYING:
        return None
    return references.encode("Q", one.duplicate_of_id)


def one_request_out(one: Request, *, is_seen: bool, at: datetime) -> dict[str, Any]:
    """The same with its clock, its timeline, its tasks and how many messages there are.

    Five statements; of an erasure six.
    """
    said = list(one.messages.values_list("direction", "read_at"))
    unread = [at for direction, at in said if direction == Message.FROM_STAFF and at is None]
    tasks = one.tasks.select_related("dataset", "system") if is_seen else ()
    return {
        **request_out(one, is_seen=is_seen),
        "clock": _clock_out(one, at=at),
        "timeline": [{"at": entry.at, "code": entry.code} for entry in one.timeline.all()],
        "tasks": [_task_out(task) for task in tasks],
        "messages": {"total": len(said), "unread": len(unread)},
        "waits_until": front_ends.waits_until(one, at=at) if is_seen else None,
    }


def _clock_out(one: Request, *, at: datetime) -> dict[str, Any]:
    rule = rulebook.thaw(one.terms)
    pauses = [
        {"reason": pause.reason, "began_at": pause.began_at, "ended_at": pause.ended_at} for pause in one.pauses.all()
    ]
    named = rule.regulator
    regulator = {"name": explanations.authority(named.name), "url": named.url} if named is not None else None
    return {
        "rule": one.rule,
        "law": rule.source,
        "arithmetic": legal_clock.arithmetic(one, at=at),
        "pauses": pauses,
        "regulator": regulator,
        "silence_from": legal_clock.silence_from(one, at=at),
    }


def _task_out(task: Task) -> dict[str, Any]:
    place = task.dataset or task.system
    return {
        "code": task.code,
        "place": place.public_name if place else "",
        "kind": task.kind,
        "status": task.status,
        "ground": task.ground,
        "settled_at": task.settled_at,
    }
