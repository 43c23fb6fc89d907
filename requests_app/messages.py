"""What staff and a person write to each other about a request. Mail only says that something waits.

Bodies are sealed like everything that is typed about a request: nobody reads them once the person is erased.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils.module_loading import import_string

from portal import actors
from portal.errors import Conflict, DomainError, Forbidden, NotFound, TooLarge
from requests_app import appeals, attachments, counting, letters, message_templates, rulebook, sealing, timeline
from requests_app.attachments import Taken, Upload
from requests_app.models import Attachment, Message, MessageTemplate, Request
from requests_app.states import ANSWERED, FileUse, Status

LONGEST = 10_000
"""Characters of one message."""
MOST_FILES = 10
"""With one message."""
MOST_A_DAY = 20
"""Messages of one person about one request within 24 hours."""
AFTER_ANSWER = timedelta(days=60)
"""How long one may write about an answer where the law sets no time for an appeal."""
_RESUME = "requests_app.workflow.resume"
"""By name: the workflow stands above, and writes messages itself."""


class MessageError(DomainError):
    """A message that cannot be sent as it is."""


class TooMany(DomainError):
    """So many in a day that it is no conversation."""


@dataclass(frozen=True)
class File:
    """A file that came with a message, as its readers see it."""

    id: uuid.UUID
    name: str = field(repr=False)
    content_type: str
    size: int
    is_deleted: bool


@dataclass(frozen=True)
class Shown:
    """A message as its readers see it. Without a body the person was erased."""

    id: uuid.UUID
    is_from_staff: bool
    author: str
    sent_at: datetime
    body: str | None = field(repr=False)
    files: tuple[File, ...]
    is_new: bool
    """Whether whoever reads now sees it for the first time."""
    read_at: datetime | None
    template: str


def send(
    *, request: Request, body: str, by: str, at: datetime, template: str = "", files: Sequence[Upload] = ()
) -> Message:
    """Write to the person as staff, and have mail tell them that something waits.

    `template` is what the text began with, as `str(MessageTemplate)`. Raises Forbidden(`staff_only`), MessageError,
    Conflict(`request_closed`, `erased`), and what `attachments.add` raises.
    """
    if by.partition(":")[0] not in {"staff", "system"}:
        raise Forbidden("staff_only", "Only staff write to people.")
    message = _draft(request, Message.FROM_STAFF, body, by, at, files)
    if message_templates.MARK.search(body):
        raise MessageError("unfilled", "Something in square brackets is still to be filled in.", field="body")
    message.template = template
    check_can_send(request, at=at)
    named = [(one.name or "", one) for one in files]
    with attachments.taken(request=request, use=FileUse.MESSAGE, files=named, by=by, at=at) as taken:
        return _send(request.pk, message, body, taken)


def write(*, request: Request, body: str, by: str, at: datetime, files: Sequence[Upload] = ()) -> Message:
    """Write to staff, as the person or whoever asked for them. If we waited for them, the request goes on.

    Raises NotFound(`unknown_request`) for somebody else's, MessageError, Conflict(`request_closed`, `erased`),
    TooMany(`too_many_messages`), and what `attachments.add` raises.
    """
    check_is_theirs(request, by)
    message = _draft(request, Message.FROM_PERSON, body, by, at, files)
    check_can_write(request, at=at)
    named = [(one.name or "", one) for one in files]
    with attachments.taken(request=request, use=FileUse.MESSAGE, files=named, by=by, at=at) as taken:
        return _write(request.pk, message, body, taken)


@transaction.atomic
def read(*, request: Request, by_person: bool, at: datetime, counts: bool = True) -> list[Shown]:
    """Everything written about a request, the oldest first; what is new to this reader counts as read from now on.

    What staff write is read by the person, and the other way round. Where it does not count, somebody only looks on,
    who answers nothing. As many queries, however much was written.
    """
    rows = list(request.messages.order_by("sent_at", "id"))
    new = {one.pk for one in rows if one.read_at is None and (one.direction == Message.FROM_STAFF) == by_person}
    if new and counts:
        Message.objects.filter(pk__in=new, read_at__isnull=True).update(read_at=at)
    files = _files_of(request)
    bodies = sealing.unseal_all(request, [(one.sealed_body, sealing.MESSAGE) for one in rows])
    return [
        Shown(
            id=one.pk,
            is_from_staff=one.direction == Message.FROM_STAFF,
            author=one.author,
            sent_at=one.sent_at,
            body=body,
            files=tuple(files.get(one.pk, ())),
            is_new=one.pk in new,
            read_at=at if counts and one.pk in new else one.read_at,
            template=one.template,
        )
        for one, body in zip(rows, bodies, strict=True)
    ]


def unread(request_ids: Collection[uuid.UUID], *, by_person: bool) -> dict[uuid.UUID, int]:
    """How many messages of these requests wait for this reader, by request; requests without any are left out."""
    rows = _new_to(by_person).filter(request__in=request_ids).order_by()
    return dict(rows.values_list("request").annotate(count=Count("pk")))


def fill(template: MessageTemplate, request: Request) -> str:
    """The text of a template with the request's own words in it, in the template's language.

    What the request lacks yet leaves a mark like `[extended_until?]`, and nothing is sent with one of those.
    """
    return message_templates.fill(template.body, request, language=template.language)


def check_is_theirs(request: Request, by: str) -> None:
    """Raise NotFound unless this is the person, or the partner or agent that brought the request."""
    theirs = {
        request.subject_id and actors.subject(request.subject_id),
        request.partner and actors.partner(request.partner),
        request.agent_id and f"agent:{request.agent_id}",
    }
    if not by or by not in theirs:
        raise NotFound("unknown_request", "There is no such request of yours.")


def check_can_write(request: Request, *, at: datetime) -> None:
    """Raise Conflict unless the request is open, or was answered so lately that one may still object to the answer."""
    if not can_write(request, at=at):
        raise Conflict("request_closed", "This request is closed, and nothing more is written about it.")


def can_write(request: Request, *, at: datetime) -> bool:
    return not request.is_closed or _is_in_time(request, at=at)


check_can_send, can_send = check_can_write, can_write
"""The same holds for staff: who cannot answer is not written to."""


def _draft(request: Request, direction: str, body: str, by: str, at: datetime, files: Sequence[Upload]) -> Message:
    if not body.strip() and not files:
        raise MessageError("message_empty", "Write something.", field="body")
    if len(body) > LONGEST:
        raise TooLarge("message_too_long", f"Keep it to {LONGEST} characters.", field="body")
    if any(letter < " " and letter not in "\t\r\n" for letter in body):
        raise MessageError("message_unreadable", "It holds characters that cannot be shown.", field="body")
    if len(files) > MOST_FILES:
        raise TooLarge("too_many_files", f"Send at most {MOST_FILES} files with one message.", field="files")
    return Message(request=request, direction=direction, author=by, sent_at=at)


@transaction.atomic
def _send(pk: uuid.UUID, message: Message, body: str, taken: Sequence[Taken]) -> Message:
    request = _lock(pk)
    at = message.sent_at
    check_can_send(request, at=at)
    _keep(request, message, body, taken, code="message_from_staff")
    # one mail says that something waits, however much it is
    if not request.letters.filter(code="message_waits", state="waiting").exists():
        letters.write(request=request, code="message_waits", at=at)
    return message


@transaction.atomic
def _write(pk: uuid.UUID, message: Message, body: str, taken: Sequence[Taken]) -> Message:
    request = _lock(pk)
    by, at = message.author, message.sent_at
    check_can_write(request, at=at)
    lately = request.messages.filter(direction=Message.FROM_PERSON, sent_at__gt=at - timedelta(days=1))
    if lately.count() >= MOST_A_DAY:
        raise TooMany("too_many_messages", f"You can send {MOST_A_DAY} messages a day. Go on tomorrow.")
    _keep(request, message, body, taken, code="message_from_person")
    if request.status == Status.AWAITING_SUBJECT:
        import_string(_RESUME)(request=request, by=by, at=at)
    return message


def _keep(request: Request, message: Message, body: str, taken: Sequence[Taken], *, code: str) -> None:
    by, at = message.author, message.sent_at
    message.request = request
    text = body.replace("\r\n", "\n").strip()
    message.sealed_body = sealing.seal(request, text, context=sealing.MESSAGE)
    message.save(force_insert=True)
    for file in taken:
        attachments.keep(request=request, use=FileUse.MESSAGE, file=file, by=by, at=at, message=message)
    timeline.tell(request, code, by=by, at=at, details={"message": str(message.pk), "files": len(taken)})


def _is_in_time(request: Request, *, at: datetime) -> bool:
    """Whether one may still write about a closed request: as long as one may appeal, by the days where they live."""
    closed_at, rule = request.closed_at, rulebook.thaw(request.terms)
    if closed_at is None or request.status not in ANSWERED:
        return False
    onward = appeals.compute(rule, answered=closed_at)
    last = onward.lodge_by or counting.day_of(rule, closed_at) + AFTER_ANSWER
    return counting.day_of(rule, at) <= last


def _new_to(by_person: bool) -> "QuerySet[Message]":
    wanted = Message.FROM_STAFF if by_person else Message.FROM_PERSON
    return Message.objects.filter(Q(read_at__isnull=True), direction=wanted)


def _files_of(request: Request) -> dict[uuid.UUID | None, list[File]]:
    found: dict[uuid.UUID | None, list[File]] = {}
    rows = list(Attachment.objects.filter(request=request, message__isnull=False))
    names = sealing.unseal_all(request, [(one.sealed_name, sealing.FILE_NAME) for one in rows])
    for one, name in zip(rows, names, strict=True):
        shown = File(one.pk, name or "", one.content_type, one.size, is_deleted=one.deleted_at is not None)
        found.setdefault(one.message_id, []).append(shown)
    return found


def _lock(pk: uuid.UUID) -> Request:
    return Request.objects.select_for_update(no_key=True, of=("self",)).select_related("subject").get(pk=pk)
