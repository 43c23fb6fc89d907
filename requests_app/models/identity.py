"""How it was shown who asks: codes that were sent, evidence that staff looked at. The evidence itself is a file."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from requests_app.models.requests import Request
from requests_app.states import CheckMethod, CheckStatus


class IdentityCheck(models.Model):
    """One proof of identity or authority that a request needs, and what became of it. No code is kept readable."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="checks")
    method = models.CharField(_("method"), max_length=20, choices=CheckMethod.choices)
    status = models.CharField(_("status"), max_length=20, choices=CheckStatus.choices, default=CheckStatus.PENDING)
    code_digest = models.BinaryField(max_length=32, null=True, editable=False)
    sealed_target = models.BinaryField(null=True, editable=False, help_text=_("Where the code was sent."))
    tries = models.PositiveSmallIntegerField(default=0)
    asked_by = models.CharField(max_length=120)
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_by = models.CharField(max_length=120, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"code_digest", "sealed_target"})

    class Meta:
        verbose_name = _("proof of identity")
        verbose_name_plural = _("proofs of identity")
        ordering = ["asked_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status=CheckStatus.PENDING, decided_at__isnull=True)
                | ~Q(status=CheckStatus.PENDING) & Q(decided_at__isnull=False),
                name="check_decided_has_its_time",
            ),
        ]
        indexes = [
            models.Index(fields=["expires_at"], name="check_pending", condition=Q(status=CheckStatus.PENDING)),
        ]

    def __str__(self) -> str:
        return f"{self.method}: {self.status}"
