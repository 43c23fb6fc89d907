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
    """What training runs name. Registering makes the first, every verified propagation one, and so does a look that
    finds new files.
    """

    class Origin(models.TextChoices):
        REGISTERED = "registered", _("registered")
        PROPAGATED = "propagated", _("people were taken out, or looked for")
        NOTICED = "noticed", _("somebody else changed it")

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField(_("version"), help_text=_("Counted from 1 within the dataset."))
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="children")
    propagation_id = models.UUIDField(null=True, help_text=_("The run that made it; none where a look noticed it."))
    origin = models.CharField(_("how it came to be"), max_length=10, choices=Origin.choices, default=Origin.PROPAGATED)
    position = models.BigIntegerField(
        _("position"),
        help_text=_("Every no up to it is verified in this version; 0 while it holds what nobody has looked through."),
    )
    has_arrivals = models.BooleanField(
        _("holds what nobody has looked through"),
        default=False,
        help_text=_("Files that came in or were changed by others; the next run looks through them for everybody."),
    )
    manifest_digest = models.CharField(_("manifest digest"), max_length=64)
    rows = models.BigIntegerField(_("rows"))
    files = models.PositiveIntegerField(_("files"))
    columns = models.JSONField(_("columns"), default=list)
    units = models.BinaryField(
        null=True,
        editable=False,
        help_text=_("What changed in its units since the parent, or all of them; see downstream.version_units."),
    )
    made_at = models.DateTimeField(_("made"))

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(AppendOnly.Meta):
        verbose_name = _("dataset version")
        verbose_name_plural = _("dataset versions")
        ordering = ["dataset", "-number"]
        indexes = [
            models.Index(fields=["dataset"], condition=Q(has_arrivals=True), name="version_with_arrivals"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["dataset", "number"], name="one_version_of_a_number"),
            models.CheckConstraint(condition=Q(number=1) | Q(parent__isnull=False), name="later_version_has_a_parent"),
            models.CheckConstraint(
                condition=Q(has_arrivals=False) | Q(position=0), name="what_arrived_is_verified_up_to_nothing"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dataset_id} v{self.number}"
