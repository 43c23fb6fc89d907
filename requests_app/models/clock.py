"""When the legal clock of requests stood still, and of which deadlines staff were told."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from portal.append_only import AppendOnly
from requests_app.models.requests import Request
from requests_app.rulebook import Wait


class Pause(models.Model):
    """A time of waiting for the person; whether its days count is the rule's to say."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="pauses")
    reason = models.CharField(_("waits for"), max_length=20, choices=[(one.value, one.value) for one in Wait])
    began_at = models.DateTimeField(_("began"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("pause")
        verbose_name_plural = _("pauses")
        ordering = ["began_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["request", "reason"], condition=Q(ended_at__isnull=True), name="one_open_pause_per_reason"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("began_at")), name="pause_ends_after_it_began"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reason} from {self.began_at:%Y-%m-%d}"


class ClockNotice(AppendOnly):
    """That staff were reminded or warned of a request's deadline, once for each day that was due."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="clock_notices")
    code = models.CharField(max_length=30, help_text=_("due_in_7, due_in_2, due_today, overdue, escalated, …"))
    due_on = models.DateField()
    at = models.DateTimeField()

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(AppendOnly.Meta):
        verbose_name = _("notice of a deadline")
        verbose_name_plural = _("notices of deadlines")
        constraints = [
            models.UniqueConstraint(fields=["request", "code", "due_on"], name="one_notice_of_a_kind"),
        ]

    def __str__(self) -> str:
        return self.code
