"""Regulators' cases: opened, noted, linked with holds, closed. What was written in one is never changed."""

from datetime import datetime

from django.db import transaction

from consents.models import CaseNote, Hold, RegulatorCase
from portal import audit
from portal.errors import Conflict, DomainError


class CaseError(DomainError):
    """A case or note that says too little."""


@transaction.atomic
def open(  # noqa: A001 -- cases.open reads as the field says it
    *, authority: str, title: str, by: str, at: datetime, reference: str = "", notes: str = ""
) -> RegulatorCase:
    """Open a case of this authority. Raises CaseError."""
    for field, value in (("authority", authority), ("title", title)):
        if not value.strip():
            raise CaseError(f"{field}_missing", "A case names its authority and what it is about.", field=field)
    case = RegulatorCase.objects.create(
        authority=authority.strip(),
        title=title.strip(),
        reference=reference.strip(),
        notes=notes.strip(),
        opened_at=at,
        opened_by=by,
    )
    audit.record(at=at, by=by, action="case.open", of=("case", case.pk), details={"authority": case.authority})
    return case


@transaction.atomic
def note(*, case: RegulatorCase, text: str, by: str, at: datetime) -> CaseNote:
    """Write down what was asked, answered or agreed. Raises CaseError, and Conflict(`case_closed`)."""
    case = _lock(case)
    if not text.strip():
        raise CaseError("text_missing", "Write what happened.", field="text")
    written = CaseNote.objects.create(case=case, text=text.strip(), written_at=at, written_by=by)
    audit.record(at=at, by=by, action="case.note", of=("case", case.pk), details={"note": written.pk})
    return written


@transaction.atomic
def link(*, case: RegulatorCase, hold: Hold, by: str, at: datetime) -> None:
    """Say that this hold belongs to the case. Raises Conflict(`case_closed` | `hold_has_case`)."""
    case = _lock(case)
    hold = Hold.objects.select_for_update().get(pk=hold.pk)
    if hold.case_id is not None:
        raise Conflict("hold_has_case", "This hold belongs to a case already.", field="hold")
    hold.case = case
    hold.save(update_fields=["case"])
    audit.record(at=at, by=by, action="case.link", of=("case", case.pk), details={"hold": str(hold.pk)})


@transaction.atomic
def close(*, case: RegulatorCase, by: str, at: datetime) -> None:
    """Close the case; its holds stay as they are, for each is lifted by two people. Raises Conflict(`case_closed`)."""
    case = _lock(case)
    case.closed_at, case.closed_by = at, by
    case.save(update_fields=["closed_at", "closed_by"])
    audit.record(at=at, by=by, action="case.close", of=("case", case.pk))


def _lock(case: RegulatorCase) -> RegulatorCase:
    locked = RegulatorCase.objects.select_for_update().get(pk=case.pk)
    if not locked.is_open:
        raise Conflict("case_closed", "This case was closed already.")
    return locked
