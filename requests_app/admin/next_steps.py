"""What of one request waits for somebody of the staff, and where on its page that is; nothing is read for it anew."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal import actors
from portal.models import User
from requests_app import messages
from requests_app.admin.deeds import BY_NAME
from requests_app.models import Attachment, Proposal, Request, Task
from requests_app.states import FileUse, PackageStatus, Status, TaskKind, TaskStatus

Step = tuple[str, str]
"""In words, and the address or the part of the page."""
_WAITS_FOR_STAFF = frozenset({PackageStatus.REVIEW, PackageStatus.FAILED})


@dataclass(frozen=True)
class Parts:
    """What the page has read already."""

    proposals: Sequence[Proposal]
    tasks: Sequence[Task]
    written: Sequence[messages.Shown]
    files: Sequence[Attachment]
    answer: Mapping[str, Any]
    owed: Sequence[Request] = ()
    """Of an erasure: the open requests for a copy of the same person."""
    erasure: Request | None = None
    """Of a request for a copy: the open erasure of the same person."""
    to_correct: str = ""
    """Where it is written down what is to be corrected, if that is missing."""


def of(request: Request, staff: User, parts: Parts) -> list[Step]:
    """The steps in the order in which they are best taken."""
    before = [*_decide(staff, parts), *_look(request, parts), *_read(parts), *_write_down(parts), *_first(parts)]
    return [*before, *_do(request, parts), *_release(parts)]


def _decide(staff: User, parts: Parts) -> Iterator[Step]:
    waiting = [one for one in parts.proposals if one.is_approved is None]
    may = staff.has_perm(BY_NAME["decide"].permission)
    if any(may and one.proposed_by != actors.staff(staff.pk) for one in waiting):
        yield _("Decide what a colleague has proposed"), "#proposals"
    elif waiting:
        yield _("A colleague has to decide what is proposed"), "#proposals"


def _look(request: Request, parts: Parts) -> Iterator[Step]:
    evidence = [one for one in parts.files if one.use == FileUse.IDENTITY and not one.deleted_at]
    if evidence and request.status == Status.VERIFYING:
        yield _("Look at the evidence of identity that came, and decide the proof"), "#files"


def _read(parts: Parts) -> Iterator[Step]:
    unread = sum(one.is_new and not one.is_from_staff for one in parts.written)
    if unread:
        words = ngettext("Read the new message", "Read the %(count)d new messages", unread)
        yield words % {"count": unread}, "#messages"


def _first(parts: Parts) -> Iterator[Step]:
    for one in parts.owed:
        words = _("Answer their request for a copy first: %(reference)s, due %(day)s")
        yield words % {"reference": one.reference, "day": date_format(one.due_on)}, _page(one)
    if parts.erasure is not None:
        words = _("Answer before %(day)s: their erasure, %(reference)s, takes the copy along on that day")
        said = {"reference": parts.erasure.reference, "day": date_format(parts.erasure.due_on)}
        yield words % said, _page(parts.erasure)


def _page(one: Request) -> str:
    return reverse("admin:requests_app_request_change", args=[one.pk])


def _write_down(parts: Parts) -> Iterator[Step]:
    if parts.to_correct:
        yield _("Write down what is to be corrected, so that whoever keeps the data is told"), parts.to_correct


def _do(request: Request, parts: Parts) -> Iterator[Step]:
    by_hand = sum(one.status == TaskStatus.OPEN and one.kind == TaskKind.MANUAL for one in parts.tasks)
    # while a refusal is decided, nobody works for nothing
    if by_hand and request.status != Status.IN_REVIEW:
        words = ngettext("Do the task that is done by hand", "Do the %(count)d tasks that are done by hand", by_hand)
        yield words % {"count": by_hand}, "#tasks"


def _release(parts: Parts) -> Iterator[Step]:
    package = parts.answer["package"]
    if package and package.status in _WAITS_FOR_STAFF:
        yield _("The answer package: %s") % parts.answer["answer_label"].lower(), parts.answer["answer"]
