"""What else happens when a request moves: exemptions, corrections, evidence and files that go, a clock that waits."""

from datetime import datetime

from downstream import corrections, exemptions
from downstream.models import Correction, Exemption
from requests_app import attachments, legal_clock, proofs
from requests_app.models import Attachment, Package, Request, Task
from requests_app.rulebook import Wait


def exempt_dataset(task: Task, *, law: str, by: str, seconded_by: str, at: datetime) -> None:
    """Let a dataset keep the person's rows in spite of their erasure. Raises what `exemptions.exempt` raises."""
    dataset, subject_id = task.dataset, task.request.subject_id
    assert dataset is not None and subject_id is not None  # noqa: S101, PT018 -- whoever calls has a dataset's task
    exemptions.exempt(
        dataset=dataset,
        subject_id=subject_id,
        ground=task.ground,
        legal_ground=law,
        by=by,
        seconded_by=seconded_by,
        request_id=task.request_id,
        at=at,
    )


def end_exemptions(request: Request, *, by: str, at: datetime) -> None:
    """Of an erasure that does not come: what was to be kept in spite of it must not outlast it unseen."""
    for one in Exemption.objects.in_force().filter(request_id=request.pk):
        exemptions.end(exemption=one, reason="The request ended without an erasure.", by=by, at=at)


def drop_corrections(request: Request, *, by: str, at: datetime) -> None:
    """Nobody is asked any longer to put right what the request said."""
    for one in Correction.objects.open().filter(request_id=request.pk):
        corrections.settle(correction=one, by=by, at=at, outcome=Correction.Outcome.NOTHING_WRONG)


def correction_settled(task: Task, *, by: str, at: datetime, is_needed: bool = True) -> None:
    """Staff settled a correction, or left it out: whoever keeps the dataset is no longer asked for it."""
    outcome = Correction.Outcome.CORRECTED if is_needed else Correction.Outcome.NOTHING_WRONG
    asked = Correction.objects.filter(
        request_id=task.request_id, dataset=task.dataset_id, state=Correction.State.OPEN
    ).first()
    if asked is not None:
        corrections.settle(correction=asked, by=by, at=at, outcome=outcome)


def delete_evidence(request: Request, *, by: str, at: datetime) -> None:
    """Evidence of who somebody is goes when the request closes (GDPR Art. 5(1)(c), (e))."""
    proofs.delete_evidence(request=request, by=by, at=at)


def delete_everything(request: Request, *, by: str, at: datetime) -> None:
    """Every file of the request's person goes; a package is unreadable with their key, and its file is due now."""
    for one in Attachment.objects.filter(request__subject=request.subject_id, deleted_at__isnull=True):
        attachments.delete(attachment=one, by=by, at=at)
    theirs = Package.objects.filter(request__subject=request.subject_id)
    theirs.filter(deleted_at__isnull=True).update(expires_at=at)
    theirs.update(sha256="", parts=[])


def end_pause(request: Request, *, reason: Wait, by: str, at: datetime) -> None:
    """What was waited for, if anything was, is there; the days are counted anew."""
    if request.pauses.filter(reason=reason, ended_at__isnull=True).exists():
        legal_clock.end_pause(request=request, reason=reason, by=by, at=at)
