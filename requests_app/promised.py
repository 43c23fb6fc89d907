"""What else happens when a request moves: letters, files, packages, messages; used where they are there."""

from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.db.models import F
from django.db.models.functions import Greatest

from requests_app import appeals, legal_clock
from requests_app.models import Attachment, IdentityCheck, Package, Pause, Request, Task
from requests_app.rulebook import Rule, Wait
from requests_app.states import EVIDENCE_OF_WHO


def letter(request: Request, code: str, *, at: datetime) -> None:
    """Queue mail that says what became of the request, and no more of anybody."""
    module = _module("requests_app.letters")
    if module is not None:
        module.write(request=request, code=code, at=at)


def message(request: Request, words: str, *, by: str, at: datetime) -> None:
    """Write to the person in the portal."""
    module = _module("requests_app.messages")
    if module is not None:
        module.send(request=request, body=words, by=by, at=at)


def package(request: Request, *, by: str, at: datetime) -> None:
    """Have the answer put together."""
    module = _module("requests_app.packages")
    if module is not None:
        module.ask(request=request, by=by, at=at)


def exempt_dataset(task: Task, *, law: str, by: str, seconded_by: str, at: datetime) -> None:
    """Let a dataset keep the person's rows in spite of their erasure."""
    module = _module("downstream.exemptions")
    if module is not None:
        module.exempt(
            dataset=task.dataset,
            subject_id=task.request.subject_id,
            ground=task.ground,
            legal_ground=law,
            by=by,
            seconded_by=seconded_by,
            request_id=task.request_id,
            at=at,
        )


def delete_evidence(request: Request, *, by: str, at: datetime) -> None:
    """Evidence of who somebody is goes when the request closes (GDPR Art. 5(1)(c), (e))."""
    _delete_files(Attachment.objects.filter(request=request, use__in=sorted(EVIDENCE_OF_WHO)), by=by, at=at)
    IdentityCheck.objects.filter(request=request).update(code_digest=None, sealed_target=None)


def delete_everything(request: Request, *, by: str, at: datetime) -> None:
    """Every file of the request's person goes; a package is unreadable with their key, and its file is due now."""
    _delete_files(Attachment.objects.filter(request__subject=request.subject_id), by=by, at=at)
    packages = Package.objects.filter(request__subject=request.subject_id, deleted_at__isnull=True)
    packages.update(expires_at=at)


def begin_pause(request: Request, *, reason: Wait, by: str, at: datetime) -> None:
    """The clock may stand still from now on; whether it does is the rule's to say."""
    if hasattr(legal_clock, "begin_pause"):
        legal_clock.begin_pause(request=request, reason=reason, by=by, at=at)
        return
    Pause.objects.create(request=request, reason=reason, began_at=at)


def end_pause(request: Request, *, reason: Wait, by: str, at: datetime) -> None:
    """What was waited for is there; the days are counted anew."""
    waiting = request.pauses.filter(reason=reason, ended_at__isnull=True)
    if not waiting.exists():
        return
    if hasattr(legal_clock, "end_pause"):
        legal_clock.end_pause(request=request, reason=reason, by=by, at=at)
        return
    waiting.update(ended_at=Greatest(F("began_at"), at))
    counted = legal_clock.of(request)
    request.due_on, request.acknowledge_by = counted.due, counted.acknowledge_by
    request.save(update_fields=["due_on", "acknowledge_by"])


def clock_of(rule: Rule) -> Rule:
    """The rule by which an appeal under `rule` is counted."""
    made: Rule = appeals.clock_of(rule) if hasattr(appeals, "clock_of") else rule
    return made


def _delete_files(files: Any, *, by: str, at: datetime) -> None:
    module = _module("requests_app.attachments")
    if module is None:
        return
    for one in files.filter(deleted_at__isnull=True):
        module.delete(attachment=one, by=by, at=at)


def _module(name: str) -> Any:
    return import_module(name) if find_spec(name) is not None else None
