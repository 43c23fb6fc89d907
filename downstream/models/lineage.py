"""Lineage as others report it (OpenLineage): which run read what and wrote what."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from downstream.models.datasets import Dataset
from downstream.models.training import TrainedModel
from downstream.models.versions import DatasetVersion
from portal.append_only import AppendOnly


class LineageEvent(AppendOnly):
    """One RunEvent, kept as far as it is read: facets that Heed does not need are left with their sender."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run_id = models.UUIDField()
    event_type = models.CharField(max_length=8)
    event_time = models.DateTimeField()
    job_namespace = models.CharField(max_length=500)
    job_name = models.CharField(max_length=500)
    producer = models.CharField(max_length=500, blank=True)
    inputs = models.JSONField(default=list)
    outputs = models.JSONField(default=list)
    partner = models.SlugField()
    received_at = models.DateTimeField()

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(AppendOnly.Meta):
        verbose_name = _("lineage event")
        verbose_name_plural = _("lineage events")
        constraints = [
            models.UniqueConstraint(fields=["run_id", "event_type", "event_time"], name="one_event_of_a_moment")
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.run_id}"


class LineageNode(models.Model):
    """Something that runs read and write: a registered dataset, a model, or whatever lies between them.

    Several models may have one name, each of another owner; what is no model is one thing to everybody.
    """

    id = models.BigAutoField(primary_key=True)
    namespace = models.CharField(max_length=500)
    name = models.CharField(max_length=1000)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, null=True, related_name="lineage_nodes")
    model = models.ForeignKey(TrainedModel, on_delete=models.PROTECT, null=True, related_name="lineage_nodes")

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["namespace", "name"], condition=Q(model__isnull=True), name="one_node_of_a_name"
            ),
            models.UniqueConstraint(
                fields=["namespace", "name", "model"],
                condition=Q(model__isnull=False),
                name="one_node_of_a_name_and_model",
            ),
            models.CheckConstraint(
                condition=Q(dataset__isnull=True) | Q(model__isnull=True), name="no_dataset_is_a_model"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.namespace} {self.name}"


class LineageRun(models.Model):
    """A run as its events tell of it so far, in whatever order they came."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, editable=False)
    partner = models.SlugField()
    job_namespace = models.CharField(max_length=500)
    job_name = models.CharField(max_length=500)
    started_at = models.DateTimeField(help_text=_("The earliest moment that an event names."))
    ended_at = models.DateTimeField(null=True)
    succeeded = models.BooleanField(null=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    def __str__(self) -> str:
        return f"{self.job_namespace} {self.job_name} {self.id}"


class LineageRead(models.Model):
    """That a run read a node; of a registered dataset, which version it was."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(LineageRun, on_delete=models.CASCADE, related_name="reads")
    node = models.ForeignKey(LineageNode, on_delete=models.CASCADE, related_name="read_by")
    version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, null=True, related_name="lineage_reads")
    is_stated = models.BooleanField(default=False, help_text=_("The sender named the version."))

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "node"], name="read_once")]

    def __str__(self) -> str:
        return f"{self.run_id} reads {self.node_id}"


class LineageWrite(models.Model):
    """That a run wrote a node; whether what was there before is gone with it."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(LineageRun, on_delete=models.CASCADE, related_name="writes")
    node = models.ForeignKey(LineageNode, on_delete=models.CASCADE, related_name="written_by")
    replaces = models.BooleanField(default=False)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "node"], name="written_once")]

    def __str__(self) -> str:
        return f"{self.run_id} writes {self.node_id}"
