"""Training: models, the runs that made them, what each run read, and the permits under which they began."""

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from downstream.models.versions import DatasetVersion
from portal.append_only import AppendOnly


class TrainedModel(models.Model):
    """A model by its name, which stands for what its latest finished run made."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=200)
    owner = models.ForeignKey("consents.Recipient", on_delete=models.PROTECT, related_name="trained_models")
    registered_at = models.DateTimeField(_("registered"))
    retired_at = models.DateTimeField(_("retired"), null=True, blank=True)
    retired_by = models.CharField(_("retired by"), max_length=120, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("model")
        verbose_name_plural = _("models")
        ordering = ["name"]
        permissions = [("decide_exposure", _("Can decide what becomes of a model that people said no after"))]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="one_model_of_a_name"),
            models.CheckConstraint(
                condition=Q(retired_at__isnull=True, retired_by="") | Q(retired_at__isnull=False) & ~Q(retired_by=""),
                name="model_retired_when_and_by_whom",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TrainingRun(models.Model):
    """One training of a model: asked for with a permit, or heard of by lineage alone."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("run"), max_length=200, help_text=_("What the asker calls it."))
    model = models.ForeignKey(TrainedModel, on_delete=models.PROTECT, related_name="runs")
    purpose = models.CharField(_("purpose"), max_length=80, blank=True, help_text=_("Empty: lineage does not say."))
    partner = models.SlugField(_("partner"))
    lineage_run = models.UUIDField(
        null=True, help_text=_("The run that lineage tells of; one that makes several models is a training of each.")
    )
    recorded_at = models.DateTimeField(_("recorded"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    artefact_digest = models.CharField(_("digest of the artefact"), max_length=100, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("training run")
        verbose_name_plural = _("training runs")
        ordering = ["-recorded_at"]
        indexes = [
            models.Index(
                fields=["model", "-finished_at", "-id"],
                condition=Q(finished_at__isnull=False),
                name="latest_finished_run",
            ),
            models.Index(fields=["partner", "name"], name="run_by_its_name"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["lineage_run", "model"],
                condition=Q(lineage_run__isnull=False),
                name="one_training_of_a_run_and_model",
            )
        ]

    def __str__(self) -> str:
        return self.name


class RunInput(models.Model):
    """A dataset version that a run reads. What lineage says of it follows the events, which are kept for good."""

    PERMIT, LINEAGE, EARLIER = "permit", "lineage", "earlier_run"

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(TrainingRun, on_delete=models.PROTECT, related_name="inputs")
    version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="training_inputs")
    named_by = models.CharField(
        _("known from"),
        max_length=12,
        choices=[
            (PERMIT, _("the permit")),
            (LINEAGE, _("lineage")),
            (EARLIER, _("the earlier run that it goes on from")),
        ],
    )

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "version"], name="one_input_of_a_version")]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.version_id}"


class Permit(AppendOnly):
    """The signed yes to one run. What has become of it is derived when somebody looks (`downstream.permits`)."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.OneToOneField(TrainingRun, on_delete=models.PROTECT, related_name="permit")
    recipients = ArrayField(models.SlugField(), help_text=_("For whom holds bear on it."))
    holds_known = ArrayField(
        models.UUIDField(),
        default=list,
        help_text=_("Holds that were open and had been carried out in every version when it was given."),
    )
    issued_at = models.DateTimeField(_("issued"))
    expires_at = models.DateTimeField(_("expires"))
    position = models.BigIntegerField(_("position"), help_text=_("The log's head when it was given."))
    jws = models.TextField(_("signed permit"))

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(AppendOnly.Meta):
        verbose_name = _("training permit")
        verbose_name_plural = _("training permits")
        ordering = ["-issued_at"]
        constraints = [
            models.CheckConstraint(condition=Q(expires_at__gt=models.F("issued_at")), name="a_permit_lasts_a_while")
        ]
        indexes = [models.Index(fields=["expires_at"], name="permit_by_its_end")]

    def __str__(self) -> str:
        return str(self.id)


class PermitEvent(AppendOnly):
    """That a permit is void, once for each: what a webhook tells its holder."""

    VOID = "permit.void"

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    permit = models.ForeignKey(Permit, on_delete=models.PROTECT, related_name="events")
    kind = models.CharField(max_length=20, choices=[(VOID, _("void"))])
    partner = models.SlugField()
    payload = models.JSONField()
    at = models.DateTimeField()

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(AppendOnly.Meta):
        constraints = [models.UniqueConstraint(fields=["permit", "kind"], name="permit_told_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.permit_id}"


class PermitRefusal(AppendOnly):
    """A run that was not permitted, with every reason. `datasets` and `reasons` are as they were asked and answered."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run_name = models.CharField(_("run"), max_length=200)
    model_name = models.CharField(_("model"), max_length=200)
    purpose = models.CharField(_("purpose"), max_length=80)
    recipient = models.SlugField(_("recipient"))
    partner = models.SlugField(_("partner"))
    datasets = models.JSONField(_("datasets"))
    reasons = models.JSONField(_("reasons"))
    refused_at = models.DateTimeField(_("refused"))

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(AppendOnly.Meta):
        verbose_name = _("refused training run")
        verbose_name_plural = _("refused training runs")
        ordering = ["-refused_at"]

    def __str__(self) -> str:
        return self.run_name
