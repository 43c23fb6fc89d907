"""Exemptions: a dataset that keeps a person's rows when they are erased, because a law says that it must."""

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from consents.models import LedgerEvent, Subject
from consents.vocabulary import Kind
from downstream.models.datasets import Dataset
from portal.append_only import AppendOnly


class ExemptionQuerySet(models.QuerySet["Exemption"]):
    def in_force(self) -> "ExemptionQuerySet":
        return self.filter(ended__isnull=True)

    def of_erased(self) -> "ExemptionQuerySet":
        """Those that keep something back: of people who were erased, or whose erasure is under way."""
        events = LedgerEvent.objects.filter(kind=Kind.ERASURE, subject_id=OuterRef("subject_id"))
        forgotten = Subject.objects.filter(erased_at__isnull=False, pk=OuterRef("subject_id"))
        return self.filter(Exists(events) | Exists(forgotten))


class Exemption(AppendOnly):
    """One person's rows in one dataset stay when they are erased. Two people decided it."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="exemptions")
    subject_id = models.UUIDField(_("person"))
    ground = models.CharField(_("ground"), max_length=30)
    legal_ground = models.CharField(_("law"), max_length=300)
    by = models.CharField(_("proposed by"), max_length=200)
    seconded_by = models.CharField(_("approved by"), max_length=200)
    request_id = models.UUIDField(_("request"))
    fingerprints = ArrayField(
        models.CharField(max_length=64),
        default=list,
        editable=False,
        help_text=_("Keyed, of what the dataset calls them: how their rows are recognised once they are forgotten."),
    )
    at = models.DateTimeField(_("since"))

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"fingerprints"})

    objects = ExemptionQuerySet.as_manager()

    class Meta(AppendOnly.Meta):
        verbose_name = _("exemption from erasures")
        verbose_name_plural = _("exemptions from erasures")
        ordering = ["-at"]
        constraints = [
            models.CheckConstraint(condition=~Q(by=F("seconded_by")), name="an_exemption_takes_two"),
            models.CheckConstraint(condition=~Q(legal_ground=""), name="an_exemption_has_its_law"),
        ]
        indexes = [
            models.Index(fields=["dataset", "subject_id"], name="exemption_of_dataset"),
            models.Index(fields=["subject_id"], name="exemption_of_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.subject_id} in {self.dataset_id}"


class ExemptionEnd(AppendOnly):
    """The duty to keep the rows is over: from here on they leave."""

    exemption = models.OneToOneField(Exemption, primary_key=True, on_delete=models.PROTECT, related_name="ended")
    by = models.CharField(_("ended by"), max_length=200)
    reason = models.CharField(_("reason"), max_length=300)
    at = models.DateTimeField(_("ended"))

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(AppendOnly.Meta):
        verbose_name = _("end of an exemption")
        verbose_name_plural = _("ends of exemptions")

    def __str__(self) -> str:
        return f"end of {self.exemption_id}"
