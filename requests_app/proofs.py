"""Which proof of who asks a request still lacks, by what was shown in its group; and ending proofs with their files.

Proportionate (GDPR Art. 12(6), recital 64; Cal. Code Regs. tit. 11 § 7060): to say no to something, an address is
enough. What could harm the person if somebody else got it needs a second proof, which staff choose. Who asks for
somebody else shows that they may, and who has an agent says so themselves (§ 7063).
"""

import uuid
from collections.abc import Collection
from datetime import datetime

from django.db.models import Max, Q, QuerySet, TextChoices
from django.utils.translation import gettext_lazy as _

from requests_app import attachments, timeline
from requests_app.models import Attachment, IdentityCheck, Request
from requests_app.rulebook import Wait
from requests_app.states import (
    AT_ONCE,
    BY_STAFF,
    EVIDENCE_OF_WHO,
    RISKY,
    Capacity,
    Channel,
    CheckMethod,
    CheckStatus,
    Status,
)

BY_CODE = frozenset({CheckMethod.CODE, CheckMethod.CONFIRMATION, CheckMethod.SECOND_CODE})
"""Passed by typing a code."""
LOOKED_AT = frozenset({CheckMethod.DOCUMENT, CheckMethod.CALLBACK})
"""Decided by staff."""
CHOSEN = LOOKED_AT | {CheckMethod.SECOND_CODE}
"""What staff may ask for beside the first proof."""
FILES = "attachments"
"""The kind of sealed file that evidence is."""


class Need(TextChoices):
    """What is lacking."""

    ADDRESS = "address", _("a code sent to their address")
    CONFIRMATION = "confirmation", _("the person's own word, by a code sent to their address")
    AUTHORITY = "authority", _("evidence that somebody may ask for this person, which staff look at")
    SECOND = "second", _("a second proof, which staff choose")


def is_proven(request: Request) -> bool:
    """Whether it is shown who asks, as far as this request needs it, and nobody doubts it."""
    return request.identity_confirmed_at is not None and request.status != Status.VERIFYING


def of_group(group: uuid.UUID) -> "QuerySet[IdentityCheck]":
    """Every proof of what was asked in one go: one serves for all of it."""
    return IdentityCheck.objects.filter(request__group=group)


def passed(group: uuid.UUID) -> set[str]:
    """The methods by which something was shown (one statement)."""
    return set(of_group(group).filter(status=CheckStatus.PASSED).values_list("method", flat=True))


def missing(request: Request, shown: Collection[str] | None = None) -> list[Need]:
    """What this request still needs; [] where it needs nothing more. `shown` spares the statement of `passed`."""
    if is_proven(request) or request.is_closed:
        return []
    if request.identity_confirmed_at is not None:
        return [] if _is_shown_anew(request) else [Need.SECOND]
    shown = passed(request.group) if shown is None else shown
    lacking = [*_first(request, shown)]
    if request.right in AT_ONCE:
        return lacking
    if request.capacity != Capacity.SELF:
        # a registered agent signs what it sends, and has shown its authority when it was registered
        if request.agent_id is None and CheckMethod.DOCUMENT not in shown:
            lacking.append(Need.AUTHORITY)
    elif request.right in RISKY and CHOSEN.isdisjoint(shown):
        lacking.append(Need.SECOND)
    return lacking


def _is_shown_anew(request: Request) -> bool:
    """Of one that staff came to doubt: whether something was shown since they do."""
    since = request.pauses.filter(reason=Wait.IDENTITY).aggregate(latest=Max("began_at"))["latest"]
    anew = of_group(request.group).filter(status=CheckStatus.PASSED, method__in=CHOSEN)
    return since is not None and anew.filter(decided_at__gte=since).exists()


def _first(request: Request, shown: Collection[str]) -> list[Need]:
    if request.capacity == Capacity.AGENT:
        return [] if CheckMethod.CONFIRMATION in shown else [Need.CONFIRMATION]
    if CheckMethod.CODE in shown or (goes_without_code(request) and not LOOKED_AT.isdisjoint(shown)):
        return []
    return [Need.ADDRESS]


def goes_without_code(request: Request) -> bool:
    """Whether staff's look may stand in for a code: nobody reads mail to the dead, and who writes letters need not."""
    return request.channel in (*BY_STAFF, Channel.IMPORT) or request.capacity == Capacity.HEIR


def end_pending(request: Request, *, by: str, at: datetime) -> int:
    """Proofs of this request that nobody waits for any more run out; answers how many. No code or address is kept.

    What was asked in one go has its codes on the first of it: they go on as long as another still waits.
    """
    rows = IdentityCheck.objects.filter(request=request)
    if _is_waited_for(request):
        rows = rows.exclude(status=CheckStatus.PENDING)
    rows.exclude(code_digest__isnull=True, sealed_target__isnull=True).update(code_digest=None, sealed_target=None)
    pending = rows.filter(status=CheckStatus.PENDING)
    return pending.update(status=CheckStatus.EXPIRED, decided_by=by, decided_at=at)


def delete_evidence(*, request: Request, by: str, at: datetime) -> int:
    """Delete the files that show who somebody is or may ask for, and end what is pending; answers how many files.

    Called where a request closes (GDPR Art. 5(1)(e)), within that transaction. That there was a proof, and what came
    of it, stays.
    """
    end_pending(request, by=by, at=at)
    if _is_waited_for(request):
        # the last of the group takes them along
        return 0
    ended = Q(request=request) | Q(request__group=request.group, request__closed_at__isnull=False)
    files = list(Attachment.objects.filter(ended, use__in=EVIDENCE_OF_WHO, deleted_at__isnull=True))
    for one in files:
        attachments.delete(attachment=one, by=by, at=at)
    if files:
        timeline.tell(request, "evidence_deleted", by=by, at=at, details={"files": len(files)})
    return len(files)


def _is_waited_for(request: Request) -> bool:
    return may_wait(request.group).exclude(pk=request.pk).exists()


def may_wait(group: uuid.UUID) -> "QuerySet[Request]":
    """The same, and what waits again where a second person decides against refusing it unproven."""
    in_review = Q(status=Status.IN_REVIEW, identity_confirmed_at__isnull=True)
    return Request.objects.filter(Q(status=Status.VERIFYING) | in_review, group=group)


def waiting(group: uuid.UUID) -> "QuerySet[Request]":
    """What of the group still waits for a proof."""
    return Request.objects.filter(group=group, status=Status.VERIFYING)
