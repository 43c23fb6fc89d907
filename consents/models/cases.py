"""Regulators' inquiries: what a hold, a notice or a report is linked to."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from portal.append_only import AppendOnly


class RegulatorCase(models.Model):
    """One inquiry of one authority, from its first letter to its end."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    authority = models.CharField(_("authority"), max_length=120, help_text=_("For example: ICO"))
    reference = models.CharField(_("their reference"), max_length=120, blank=True)
    title = models.CharField(_("what it is about"), max_length=200)
    notes = models.TextField(_("notes"), blank=True, help_text=_("Questions, dates, who speaks with them."))
    opened_at = models.DateTimeField(_("opened"))
    opened_by = models.CharField(_("opened by"), max_length=120)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    closed_by = models.CharField(_("closed by"), max_length=120, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("regulator case")
        verbose_name_plural = _("regulator cases")
        ordering = ["-opened_at"]
        permissions = [("handle_case", _("Can open, note and close regulator cases"))]
        constraints = [
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True, closed_by="") | Q(closed_at__isnull=False) & ~Q(closed_by=""),
                name="case_closed_when_and_by_whom",
            )
        ]

    def __str__(self) -> str:
        return f"{self.authority}: {self.title}"

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


class CaseNote(AppendOnly):
    """What was asked, answered or agreed in a case; written once."""

    case = models.ForeignKey(RegulatorCase, on_delete=models.PROTECT, related_name="entries")
    text = models.TextField(_("note"))
    written_at = models.DateTimeField(_("written"))
    written_by = models.CharField(_("written by"), max_length=120)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(AppendOnly.Meta):
        verbose_name = _("case note")
        verbose_name_plural = _("case notes")
        ordering = ["written_at", "pk"]

    def __str__(self) -> str:
        return f"{self.written_at:%Y-%m-%d}"
