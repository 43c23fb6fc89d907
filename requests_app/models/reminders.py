"""Mail to staff about deadlines that waits to be sent."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7


class StaffLetter(models.Model):
    """What one turn of the reminders found for one member of staff: references and days, nothing of anybody.

    Written together with the notices that it tells of, so that a turn that is killed loses neither.
    """

    WAITING, SENT, GIVEN_UP = "waiting", "sent", "given_up"
    STATES = [(WAITING, _("waiting")), (SENT, _("sent")), (GIVEN_UP, _("given up"))]

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    to = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    lines = models.JSONField(help_text=_("What is told of each request: its id, the code of the notice, the day."))
    state = models.CharField(max_length=20, choices=STATES, default=WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField()
    last_reason = models.CharField(max_length=40, blank=True)
    written_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("letter to staff")
        verbose_name_plural = _("letters to staff")
        ordering = ["written_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="waiting", settled_at__isnull=True)
                | ~Q(state="waiting") & Q(settled_at__isnull=False),
                name="staff_letter_settled_when_done",
            ),
        ]
        indexes = [models.Index(fields=["not_before"], name="staff_letter_due", condition=Q(state="waiting"))]

    def __str__(self) -> str:
        return f"{self.written_at:%Y-%m-%d %H:%M}"
