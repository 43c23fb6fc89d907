"""What we ask of those who hold a dataset in our stead, and what they answer."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from downstream.models.datasets import Dataset
from downstream.models.propagations import Propagation
from portal.append_only import AppendOnly


class HolderRequest(models.Model):
    """One thing asked of a holder: about one person, or about everyone of a run where `subject_id` is null.

    It is written before anything leaves the house, so that whoever takes over knows what may have been sent. Its id is
    what the holder knows it by: a UUID of version 4, as OpenDSR wants it.
    """

    class State(models.TextChoices):
        WRITTEN = "written", _("not sent yet")
        SENT = "sent", _("waits for the holder")
        DONE = "done", _("carried out, says the holder")
        REFUSED = "refused", _("refused")

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(
        primary_key=True, default=uuid.uuid4, editable=False
    )
    propagation = models.ForeignKey(Propagation, on_delete=models.CASCADE, related_name="asked")
    subject_id = models.UUIDField(null=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.WRITTEN)
    written_at = models.DateTimeField(_("written"))
    begun_at = models.DateTimeField(null=True, help_text=_("From then on it may have reached the holder."))
    sent_at = models.DateTimeField(_("received by the holder"), null=True)
    expected_at = models.DateTimeField(_("promised for"), null=True)
    next_look_at = models.DateTimeField(_("asked again at"))
    looks = models.PositiveIntegerField(default=0)
    fetched_at = models.DateTimeField(_("keys fetched"), null=True)
    answered_at = models.DateTimeField(_("answered"), null=True)
    rows = models.BigIntegerField(_("rows"), null=True, help_text=_("Rows removed, where the holder says how many."))
    evidence = models.JSONField(
        default=dict,
        help_text=_("SHA-256 of the holder's signed answer, its signature, and the certificate's SHA-256."),
    )

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("request to a holder")
        verbose_name_plural = _("requests to holders")
        ordering = ["-written_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["propagation", "subject_id"],
                condition=~Q(state="refused"),
                nulls_distinct=False,
                name="asked_once_about_a_person",
            )
        ]
        indexes = [models.Index(fields=["propagation", "state", "next_look_at"], name="asked_by_state")]

    def __str__(self) -> str:
        return str(self.id)


class Acknowledgement(AppendOnly):
    """What a partner that holds a dataset said about one run; also what was not believed, with the reason."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="acknowledgements")
    propagation_id = models.UUIDField()
    partner = models.SlugField(_("partner"))
    received_at = models.DateTimeField(_("received"))
    accepted = models.BooleanField(_("accepted"))
    reason_code = models.CharField(max_length=60, blank=True)
    words = models.CharField(_("in its words"), max_length=500, blank=True)
    rows_found = models.BigIntegerField(_("rows found"), null=True)
    rows_removed = models.BigIntegerField(_("rows removed"), null=True)
    rows_after = models.BigIntegerField(_("rows after"), null=True)
    digest_before = models.CharField(max_length=64, blank=True)
    digest_after = models.CharField(max_length=64, blank=True)
    version = models.CharField(_("version"), max_length=120, blank=True)
    verified_at = models.DateTimeField(_("looked again"), null=True)
    body_digest = models.CharField(max_length=64, help_text=_("Keyed fingerprint of the whole message."))

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"words"})

    class Meta(AppendOnly.Meta):
        verbose_name = _("acknowledgement")
        verbose_name_plural = _("acknowledgements")
        ordering = ["-received_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["propagation_id"],
                condition=Q(accepted=True, reason_code=""),
                name="a_run_is_acknowledged_once",
            )
        ]
        indexes = [models.Index(fields=["dataset", "-received_at"], name="acknowledged_last")]

    def __str__(self) -> str:
        return f"{self.partner} on {self.propagation_id}"
