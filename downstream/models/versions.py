"""Versions of datasets: what a dataset was at a moment, by a digest that names its units and their content."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from downstream.models.datasets import Dataset
from portal.append_only import AppendOnly


class DatasetVersion(AppendOnly):
    """What training runs name. Every verified propagation makes one, and so does whoever finds new files."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField(_("version"), help_text=_("Counted from 1 within the dataset."))
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="children")
    propagation_id = models.UUIDField(null=True, help_text=_("The run that made it; none where a look noticed it."))
    position = models.BigIntegerField(_("position"), help_text=_("Every no up to it is verified in this version."))
    manifest_digest = models.CharField(_("manifest digest"), max_length=64)
    rows = models.BigIntegerField(_("rows"))
    files = models.PositiveIntegerField(_("files"))
    made_at = models.DateTimeField(_("made"))

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(AppendOnly.Meta):
        verbose_name = _("dataset version")
        verbose_name_plural = _("dataset versions")
        ordering = ["dataset", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["dataset", "number"], name="one_version_of_a_number"),
            models.CheckConstraint(condition=Q(number=1) | Q(parent__isnull=False), name="later_version_has_a_parent"),
        ]

    def __str__(self) -> str:
        return f"{self.dataset_id} v{self.number}"
