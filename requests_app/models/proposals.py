"""What two people decide about requests."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from requests_app.models.requests import Request
from requests_app.states import (
    Ground,
    ProposalKind,
)


class Proposal(models.Model):
    """What one member of staff proposes and another decides: a refusal, or an exemption of one task."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="proposals")
    task = models.ForeignKey(
        "requests_app.Task", null=True, blank=True, on_delete=models.PROTECT, related_name="proposals"
    )
    kind = models.CharField(_("proposal"), max_length=20, choices=ProposalKind.choices)
    ground = models.CharField(_("ground"), max_length=30, choices=Ground.choices)
    sealed_reason = models.BinaryField(null=True, editable=False)
    proposed_by = models.CharField(max_length=120)
    proposed_at = models.DateTimeField()
    decided_by = models.CharField(max_length=120, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    is_approved = models.BooleanField(null=True, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"sealed_reason"})

    class Meta:
        verbose_name = _("proposal")
        verbose_name_plural = _("proposals")
        ordering = ["-proposed_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(decided_at__isnull=True, decided_by="", is_approved__isnull=True)
                | Q(decided_at__isnull=False, is_approved__isnull=False) & ~Q(decided_by=""),
                name="proposal_decided_when_and_by_whom",
            ),
            models.CheckConstraint(
                condition=Q(is_approved__isnull=True) | Q(is_approved=False) | ~Q(decided_by=F("proposed_by")),
                name="proposal_needs_four_eyes",
            ),
            models.CheckConstraint(
                condition=Q(kind=ProposalKind.EXEMPT, task__isnull=False)
                | ~Q(kind=ProposalKind.EXEMPT) & Q(task__isnull=True),
                name="only_a_task_is_exempted",
            ),
            models.UniqueConstraint(
                fields=["request", "kind", "task"],
                condition=Q(decided_at__isnull=True),
                name="one_open_proposal",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.ground}"
