"""The parts of an answer that come from requests: what was asked, what happened, what was written, which files."""

from collections.abc import Iterator

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from requests_app import attachments, sealing, told
from requests_app import timeline as timelines
from requests_app.models import Attachment, Message, Request, TimelineEntry
from requests_app.packages import parts
from requests_app.packages.parts import Asking, Column, Part, Row
from requests_app.states import ANSWERED, FileUse

_AT_ONCE = 500
_SHOWN = (FileUse.MESSAGE, FileUse.ANSWER)
"""Evidence of identity is no answer, and evidence of work done is staff's own."""


def requests(asking: Asking) -> Part:
    columns = (
        Column("reference", _("Reference")),
        Column("right", _("Request")),
        Column("status", _("Status")),
        Column("channel", _("How")),
        Column("capacity", _("Asked as")),
        Column("received_at", _("Received"), "time"),
        Column("due_on", _("Answer due"), "day"),
        Column("closed_at", _("Closed"), "time"),
        Column("note", _("What you wrote")),
        Column("details", _("Details"), "any"),
    )
    says = _("Every request that you made, or that somebody made for you.")
    return Part("requests", _("Requests"), says, columns, lambda: _requests(asking))


def _requests(asking: Asking) -> Iterator[Row]:
    for one in _of(asking).iterator(_AT_ONCE):
        yield {
            "reference": one.reference,
            "right": one.get_right_display(),
            "status": one.get_status_display(),
            "channel": one.get_channel_display(),
            "capacity": one.get_capacity_display(),
            "received_at": one.received_at,
            "due_on": one.due_on,
            "closed_at": one.closed_at,
            "note": sealing.unseal(one, one.sealed_note, context=sealing.NOTE),
            "details": sealing.unseal_json(one, one.sealed_details, context=sealing.DETAILS),
        }


def timeline(asking: Asking) -> Part:
    columns = (
        Column("request", _("Request")),
        Column("at", _("When"), "time"),
        Column("by", _("Who")),
        Column("what", _("What")),
        Column("code", _("Code")),
        Column("details", _("Details"), "any"),
        Column("words", _("In words")),
    )
    says = _("What happened to your requests, and when.")
    return Part("timeline", _("What happened to your requests"), says, columns, lambda: _timeline(asking))


def _timeline(asking: Asking) -> Iterator[Row]:
    entries = TimelineEntry.objects.filter(request__in=_of(asking)).select_related("request__subject")
    for entry in entries.order_by("at", "id").iterator(_AT_ONCE):
        yield {
            "request": entry.request.reference,
            "at": entry.at,
            "by": who(entry.actor),
            "what": str(told.happened(entry.code, entry.request.right)),
            "code": entry.code,
            "details": entry.details or None,
            "words": timelines.words(entry.request, entry),
        }


def messages(asking: Asking) -> Part:
    columns = (
        Column("request", _("Request")),
        Column("sent_at", _("Sent on"), "time"),
        Column("direction", _("From whom")),
        Column("read_at", _("Read on"), "time"),
        Column("text", _("Text")),
    )
    says = _("What you and our staff wrote to each other.")
    return Part("messages", _("Messages"), says, columns, lambda: _messages(asking))


def _messages(asking: Asking) -> Iterator[Row]:
    written = Message.objects.filter(request__in=_of(asking)).select_related("request__subject")
    for one in written.order_by("sent_at", "id").iterator(_AT_ONCE):
        yield {
            "request": one.request.reference,
            "sent_at": one.sent_at,
            "direction": one.get_direction_display(),
            "read_at": one.read_at,
            "text": sealing.unseal(one.request, one.sealed_body, context=sealing.MESSAGE),
        }


def files(asking: Asking) -> Part:
    """What came with messages, and what staff brought from other systems for this answer."""
    columns = (
        Column("request", _("Request")),
        Column("name", _("Name")),
        Column("use", _("What for")),
        Column("content_type", _("Type")),
        Column("size", _("Bytes"), "number"),
        Column("uploaded_at", _("Uploaded"), "time"),
        Column("file", _("File"), "file"),
    )
    says = _("Files that came with messages, and what our staff brought together from other systems.")
    named = {}

    def rows() -> Iterator[Row]:
        for number, one in enumerate(_attachments(asking), start=1):
            row = _file(number, one)
            named[row["file"]] = one
            yield row

    def opened(name: str) -> Iterator[bytes] | None:
        return attachments.open_file(named[name]) if name in named else None

    return Part("files", _("Files"), says, columns, rows, file=opened)


def _attachments(asking: Asking) -> Iterator[Attachment]:
    theirs = Attachment.objects.filter(request__in=_of(asking), use__in=_SHOWN, deleted_at__isnull=True)
    given = Q(request=asking.request) | Q(request__status__in=ANSWERED)
    # parts of another answer are not handed out before that answer is given
    theirs = theirs.filter(given | ~Q(use=FileUse.ANSWER))
    return theirs.select_related("request__subject").order_by("uploaded_at", "id").iterator(_AT_ONCE)


def _file(number: int, one: Attachment) -> Row:
    name = sealing.unseal(one.request, one.sealed_name, context=sealing.FILE_NAME) or "file"
    return {
        "request": one.request.reference,
        "name": name,
        "use": one.get_use_display(),
        "content_type": one.content_type,
        "size": one.size,
        "uploaded_at": one.uploaded_at,
        # the name itself may hold anything; only its ending is kept
        "file": f"files/{number:04}{parts.ending(name)}",
    }


def who(actor: str) -> str:
    """Who acted, for the person: nobody of the staff is named."""
    kind = actor.partition(":")[0]
    words = {
        "subject": _("you"),
        "staff": _("our privacy staff"),
        "partner": _("a partner service"),
        "agent": _("your agent"),
    }
    return words.get(kind, "Heed")


def _of(asking: Asking) -> "QuerySet[Request]":
    return Request.objects.filter(subject_id=asking.subject_id).select_related("subject").order_by("received_at", "id")
