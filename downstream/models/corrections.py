"""Corrections: data of a person in one dataset that was found to be wrong, and has to be put right there."""

import uuid
from datetime import datetime
from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from consents.models import Subject
from downstream.models.datasets import Dataset


class CorrectionQuerySet(models.QuerySet["Correction"]):
    def open(self) -> "CorrectionQuerySet":
        return self.filter(state=Correction.State.OPEN)

    def overdue(self, at: datetime) -> "CorrectionQuerySet":
        """Open past their deadline; of whoever was forgotten since there is nothing left to correct."""
        forgotten = Subject.objects.filter(erased_at__isnull=False, pk=models.OuterRef("subject_id"))
        return self.open().filter(~models.Exists(forgotten), due_at__lt=at)


class Correction(models.Model):
    """What was wrong stands in the request, sealed; here is only where it has to be put right, and whether it was."""

    class State(models.TextChoices):
        OPEN = "open", _("open")
        DONE = "done", _("done")

    class Outcome(models.TextChoices):
        CORRECTED = "corrected", _("corrected")
        NOTHING_WRONG = "nothing_wrong", _("nothing to correct there")

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="corrections")
    subject_id = models.UUIDField(_("person"))
    request_id = models.UUIDField(_("request"))
    rows = models.BigIntegerField(_("rows"), null=True, help_text=_("When it was asked for; empty where nobody knows."))
    reason_code = models.CharField(
        max_length=60, blank=True, help_text=_("Why the rows could not be counted, where they could not.")
    )
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.OPEN)
    outcome = models.CharField(_("outcome"), max_length=20, choices=Outcome.choices, blank=True)
    asked_by = models.CharField(_("asked by"), max_length=200)
    asked_at = models.DateTimeField(_("asked"))
    due_at = models.DateTimeField(_("due"))
    settled_by = models.CharField(_("settled by"), max_length=200, blank=True)
    settled_at = models.DateTimeField(_("settled"), null=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    objects = CorrectionQuerySet.as_manager()

    class Meta:
        verbose_name = _("correction")
        verbose_name_plural = _("corrections")
        ordering = ["-asked_at", "-id"]
        permissions = [("settle_correction", _("Can say that data in a dataset is corrected"))]
        triggers = [
            pgtrigger.FSM(name="correction_states", field="state", transitions=[("open", "done")]),
        ]
        constraints = [
            models.UniqueConstraint(
                # of a request that was opened again it is asked again
                fields=["request_id", "dataset"],
                condition=Q(state="open"),
                name="one_open_correction_per_dataset",
            ),
            models.CheckConstraint(
                condition=Q(state="open", settled_at__isnull=True, settled_by="", outcome="")
                | Q(state="done", settled_at__isnull=False) & ~Q(settled_by="") & ~Q(outcome=""),
                name="what_is_settled_says_by_whom",
            ),
        ]
        indexes = [models.Index(fields=["dataset", "due_at"], condition=Q(state="open"), name="correction_due")]

    def __str__(self) -> str:
        return f"{self.subject_id} in {self.dataset_id}"
