"""Files that could not be looked into for the words that have to be left out: staff decide about each before release.

A file is handed out as it is (a clearance, with its reason), or left out (a redaction of its cell, with ground and
reason). A clearance holds for the words that were looked for when it was given: with further ones the file is asked
about again. So it is when the file has changed, because rows are named by their content.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import transaction

from portal.errors import Conflict, DomainError
from requests_app import sealing, timeline
from requests_app.models import Clearance, Package, Redaction, Request
from requests_app.packages import redaction
from requests_app.packages.redaction import RedactionError, Unseen, What
from requests_app.states import PackageStatus

_LONGEST_REASON = 2_000
Named = tuple[str, str, str]
"""A file: its part, the mark of its row, its column."""


def seal(request: Request, found: Sequence[Unseen]) -> bytes:
    """What a build found, for `Package.sealed_unseen`. Raises Conflict(`erased`)."""
    return sealing.seal_json(request, [asdict(one) for one in found], context=sealing.UNSEEN)


def of(package: Package) -> list[Unseen] | None:
    """The files that could not be looked into; None where none was, because nothing was to be left out or is known."""
    said = sealing.unseal_json(package.request, package.sealed_unseen, context=sealing.UNSEEN)
    if said is None:
        return None
    return [Unseen(**{**one, "whys": tuple((why, place) for why, place in one["whys"])}) for one in said]


def name_of(one: Unseen) -> Named:
    return one.part, one.mark, one.column


def undecided(package: Package) -> list[Unseen]:
    """Those about which staff have to decide still, with the words that are looked for now."""
    found = of(package) or []
    cleared = _cleared(package.request) if found else set()
    return [one for one in found if name_of(one) not in cleared]


def check_are_decided(package: Package) -> None:
    """Raise Conflict(`files_not_looked_into` | `files_undecided` | `files_too_many`)."""
    if package.applied and package.sealed_unseen is None:
        raise Conflict("files_not_looked_into", "Its files were not looked into for words. Build it again.")
    if any(part.get("unseen", 0) > redaction.MOST_UNSEEN for part in package.parts):
        raise Conflict(
            "files_too_many",
            f"More than {redaction.MOST_UNSEEN:,} files of one part cannot be looked into. Leave out their column,"
            " or look for the words in other parts alone.",
        )
    waiting = len(undecided(package))
    if waiting:
        files = "1 file" if waiting == 1 else f"{waiting} files"
        raise Conflict("files_undecided", f"{files} could not be looked into for words. Decide about each.")


@transaction.atomic
def clear(*, package: Package, files: Collection[Named], reason: str, by: str, at: datetime) -> Clearance:
    """Hand these files out as they are. Raises Conflict(`wrong_state` | `closed`), RedactionError."""
    package, request = _lock(package)
    chosen = _chosen(package, files, reason)
    clearance = Clearance.objects.create(
        request=request,
        sealed_files=sealing.seal_json(request, [name_of(one) for one in chosen], context=sealing.UNSEEN),
        looked_for=sorted(_sought(request)),
        sealed_reason=sealing.seal(request, reason.strip(), context=sealing.UNSEEN),
        made_at=at,
        made_by=by,
    )
    timeline.tell(request, "files_cleared", by=by, at=at, details={"files": len(chosen)})
    return clearance


@transaction.atomic
def leave_out(
    *, package: Package, files: Collection[Named], ground: str, reason: str, by: str, at: datetime
) -> list[Redaction]:
    """Leave these files out of the next build. Raises what `clear` and `redaction.redact` raise."""
    package, request = _lock(package)
    rows = defaultdict[tuple[str, str], list[str]](list)
    for one in _chosen(package, files, reason):
        rows[one.part, one.column].append(one.mark)
    return [
        redaction.redact(
            request=request, what=What(part, column, tuple(marks)), ground=ground, reason=reason, by=by, at=at
        )
        for (part, column), marks in rows.items()
    ]


@transaction.atomic
def undo(*, clearance: Clearance, by: str, at: datetime) -> None:
    """Take a clearance back: its files have to be decided again. Raises Conflict(`undone` | `closed`)."""
    request = redaction.take_back(clearance, by=by, at=at)
    timeline.tell(request, "clearance_undone", by=by, at=at)


def files_of(clearance: Clearance) -> list[Named]:
    """Which files it is about; none once the person was erased."""
    said: list[Any] = sealing.unseal_json(clearance.request, clearance.sealed_files, context=sealing.UNSEEN) or []
    return [(part, mark, column) for part, mark, column in said]


def reason_of(clearance: Clearance) -> str | None:
    """Why, in staff's words; None once the person was erased."""
    return sealing.unseal(clearance.request, clearance.sealed_reason, context=sealing.UNSEEN)


def _cleared(request: Request) -> set[Named]:
    """Those that are handed out as they are, whatever is looked for now."""
    sought = _sought(request)
    given = request.clearances.filter(undone_at__isnull=True, looked_for__contains=sorted(sought))
    return {one for clearance in given.select_related("request__subject") for one in files_of(clearance)}


def _sought(request: Request) -> set[uuid.UUID]:
    """The redactions in force that look for words."""
    return {one.pk for one in redaction.in_force(request) if one.what.words.strip()}


def _lock(package: Package) -> tuple[Package, Request]:
    request = redaction.lock(package.request)
    package = Package.objects.select_for_update().get(pk=package.pk)
    package.request = request
    if package.status != PackageStatus.REVIEW:
        raise Conflict("wrong_state", "Only of an answer that waits for your look files can be decided.")
    return package, request


def _chosen(package: Package, files: Collection[Named], reason: str) -> list[Unseen]:
    """What was asked for, each of which has to wait for a decision."""
    if not reason.strip():
        raise RedactionError("reason_missing", "Say why: an authority may ask.", field="reason")
    if len(reason) > _LONGEST_REASON:
        raise RedactionError("too_long", "That is too much at once.", field="reason")
    waiting = {name_of(one): one for one in undecided(package)}
    if not files:
        raise RedactionError("files_missing", "Tick the files that you decide about.", field="files")
    unknown = set(files) - waiting.keys()
    if unknown:
        raise DomainError("unknown_file", "One of these files does not wait for a decision. Look again.", field="files")
    return [waiting[one] for one in files]
