"""What staff decide about a model that learned from people who said no since."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from downstream.models.training import TrainedModel, TrainingRun
from portal.append_only import AppendOnly


class ExposureDecision(AppendOnly):
    """One decision about one model, as it stood then. A later one stands in its place; none is edited."""

    RETRAIN, RETIRE, ACCEPTED = "retrain", "retire", "accepted"
    CHOICES = [
        (RETRAIN, _("train it anew")),
        (RETIRE, _("retire it")),
        (ACCEPTED, _("keep it, with a ground")),
    ]

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    model = models.ForeignKey(TrainedModel, on_delete=models.PROTECT, related_name="decisions")
    run = models.ForeignKey(TrainingRun, on_delete=models.PROTECT, related_name="decisions")
    kind = models.CharField(_("decision"), max_length=8, choices=CHOICES)
    due_on = models.DateField(_("by"), null=True, blank=True)
    ground = models.TextField(_("ground"), blank=True)
    legal_ground = models.CharField(_("legal ground"), max_length=200, blank=True)
    exposed = models.PositiveIntegerField(_("people exposed"), help_text=_("When it was decided."))
    decided_at = models.DateTimeField(_("decided"))
    decided_by = models.CharField(_("decided by"), max_length=120)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(AppendOnly.Meta):
        verbose_name = _("decision about exposures")
        verbose_name_plural = _("decisions about exposures")
        ordering = ["-decided_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="accepted", due_on__isnull=True) & ~Q(ground="") & ~Q(legal_ground="")
                | Q(kind__in=["retrain", "retire"], due_on__isnull=False),
                name="a_decision_has_a_day_or_a_ground",
            )
        ]
        indexes = [models.Index(fields=["model", "-decided_at"], name="latest_decision")]

    def __str__(self) -> str:
        return f"{self.kind} {self.model_id}"
