"""Propagations: one run that brings one dataset from one log position to a later one, and its evidence."""

import uuid
from datetime import datetime
from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from downstream.models.datasets import Dataset
from downstream.propagation_states import OPEN, PURGE_TRANSITIONS, TRANSITIONS, Purge, Status, UnitStatus
from portal.append_only import AppendOnly


class PropagationQuerySet(models.QuerySet["Propagation"]):
    def open(self) -> "PropagationQuerySet":
        return self.filter(status__in=OPEN)

    def busy(self) -> "PropagationQuerySet":
        """Runs that nobody else may begin beside: one that goes on, or one whose old versions are being erased."""
        return self.filter(Q(status__in=OPEN) | Q(purge=Purge.WORKING))

    def kept(self) -> "PropagationQuerySet":
        """Verified runs whose removed rows' bytes are not known to be gone.

        Not those that a holder attests: they have no second state, and what it keeps is its own to erase.
        """
        return self.filter(status=Status.VERIFIED).exclude(purge__in=["", Purge.PURGED])


class Propagation(models.Model):
    """Claimed by a lease with a fencing token: whoever holds an older token can change nothing."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="propagations")
    from_position = models.BigIntegerField()
    to_position = models.BigIntegerField()
    is_full = models.BooleanField(
        _("looks for everybody"),
        default=False,
        help_text=_("Not only for those whom the log names since the last run: files came in, or it is the first."),
    )
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.PLANNED)
    planned_at = models.DateTimeField(_("planned"))
    deadline = models.DateTimeField(_("deadline"))
    handed_over_at = models.DateTimeField(null=True)
    next_try_at = models.DateTimeField(_("next try"))
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    fencing_token = models.BigIntegerField(default=0)
    lease_holder = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True)
    reason_code = models.CharField(max_length=60, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    rows_after = models.BigIntegerField(null=True)
    digest_before = models.CharField(max_length=64, blank=True)
    digest_after = models.CharField(max_length=64, blank=True)
    verified_at = models.DateTimeField(_("verified"), null=True)
    files_by_index = models.PositiveIntegerField(
        _("files not read again"),
        default=0,
        help_text=_("When it was verified: they were unchanged since every key in them was last read."),
    )
    purge = models.CharField(_("bytes"), max_length=10, choices=Purge.choices, blank=True)
    purge_deadline = models.DateTimeField(_("deadline of the bytes"), null=True)
    kept_until = models.DateTimeField(_("old versions kept until"), null=True)
    purge_attempts = models.PositiveIntegerField(_("attempts at the bytes"), default=0)
    purge_reason = models.TextField(_("reason of the bytes"), blank=True)
    links_gone_at = models.DateTimeField(
        _("other names deleted"), null=True, help_text=_("When staff said that old files' other names are deleted.")
    )
    residue = models.JSONField(
        _("residue"),
        default=dict,
        help_text=_("What the last look at the bytes that are physically there has found, and what it cannot reach."),
    )
    purged_at = models.DateTimeField(_("bytes gone"), null=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    objects = PropagationQuerySet.as_manager()

    class Meta:
        verbose_name = _("propagation")
        verbose_name_plural = _("propagations")
        ordering = ["-planned_at"]
        permissions = [("retry_propagation", _("Can try a propagation again"))]
        triggers = [
            pgtrigger.FSM(
                name="propagation_states",
                field="status",
                transitions=[(str(a), str(b)) for a, followers in TRANSITIONS.items() for b in sorted(followers)],
            ),
            pgtrigger.FSM(
                name="purge_states",
                field="purge",
                transitions=[(str(a), str(b)) for a, followers in PURGE_TRANSITIONS.items() for b in sorted(followers)],
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["dataset"],
                # whoever erases old versions would erase what a run is writing
                condition=Q(status__in=sorted(OPEN)) | Q(purge=Purge.WORKING),
                name="one_open_propagation_per_dataset",
            ),
            models.CheckConstraint(
                condition=Q(to_position__gt=models.F("from_position"))
                | Q(is_full=True, to_position=models.F("from_position")),
                name="forward_only",
            ),
            models.CheckConstraint(
                condition=~Q(status=Status.VERIFIED) | Q(verified_at__isnull=False),
                name="verified_has_its_time",
            ),
            models.CheckConstraint(
                condition=Q(purge="") | Q(status=Status.VERIFIED), name="what_is_purged_was_verified_first"
            ),
            models.CheckConstraint(
                condition=~Q(purge=Purge.PURGED) | Q(purged_at__isnull=False), name="purged_has_its_time"
            ),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], condition=Q(status__in=sorted(OPEN)), name="propagation_due"),
            models.Index(
                fields=["next_try_at"],
                condition=Q(purge__in=[Purge.WAITING, Purge.WORKING, Purge.FAILED, Purge.STOPPED]),
                name="purge_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dataset_id}: {self.from_position} → {self.to_position}"

    def is_late(self, at: datetime) -> bool:
        return self.status != Status.VERIFIED and at > self.deadline

    def is_kept_too_long(self, at: datetime) -> bool:
        """Whether the removed rows' bytes should be gone by now."""
        return self.purge != Purge.PURGED and self.purge_deadline is not None and at > self.purge_deadline


class TargetQuerySet(models.QuerySet["Target"]):
    def gaps(self) -> "TargetQuerySet":
        """People of whom nobody can tell; one about times is closed once the dataset names its column and is redone."""
        told = Q(reason_code=Target.NO_TIME) & ~Q(propagation__dataset__created_column="")
        return self.filter(is_gap=True).exclude(told)


class Target(models.Model):
    """One person whose rows have to leave in this run: every row, or those made in spans of time.

    `spans` are pairs of times as ISO 8601, from and before; none stands for every row.
    """

    NO_NAME, NO_TIME = "no_name", "no_created_column"

    id = models.BigAutoField(primary_key=True)
    propagation = models.ForeignKey(Propagation, on_delete=models.CASCADE, related_name="targets")
    subject_id = models.UUIDField()
    is_gap = models.BooleanField(
        default=False, help_text=_("They have no name in the dataset's key scheme, so nobody can tell.")
    )
    reason_code = models.CharField(max_length=20, blank=True)
    spans = models.JSONField(default=list)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    objects = TargetQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["propagation", "subject_id"], name="one_target_per_person")]

    def __str__(self) -> str:
        return str(self.subject_id)


class Unit(models.Model):
    """One file of a run: written down before it is swapped, so that a resumed run knows what happened.

    `rows` counts the rows found per person, by subject id, and those of people who were erased together under `ERASED`;
    `record` is the connector's own note.
    """

    ERASED = "erased"

    id = models.BigAutoField(primary_key=True)
    propagation = models.ForeignKey(Propagation, on_delete=models.CASCADE, related_name="units")
    name = models.CharField(max_length=1000)
    status = models.CharField(max_length=10, choices=UnitStatus.choices, default=UnitStatus.STAGED)
    record = models.JSONField()
    rows = models.JSONField(default=dict)
    staged_at = models.DateTimeField()
    committed_at = models.DateTimeField(null=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        indexes = [models.Index(fields=["propagation", "status"], name="unit_by_status")]

    def __str__(self) -> str:
        return self.name


class PurgeReceipt(AppendOnly):
    """For one run: the removed rows' bytes were searched for and are gone, and what could not be looked at."""

    propagation_id = models.UUIDField(primary_key=True)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="purge_receipts")
    looked_at = models.PositiveIntegerField(_("places searched"))
    people = models.PositiveIntegerField(_("people searched for"))
    not_searched = models.PositiveIntegerField(
        _("people not searched for"),
        help_text=_("Of whom rows may be there still: only rows of a span were removed, or they came back by right."),
    )
    unreachable = models.JSONField(_("what cannot be searched"), default=list)
    purged_at = models.DateTimeField(_("bytes gone"))

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(AppendOnly.Meta):
        verbose_name = _("purge receipt")
        verbose_name_plural = _("purge receipts")

    def __str__(self) -> str:
        return str(self.propagation_id)


class RemovalReceipt(AppendOnly):
    """For one person and one dataset: what was found, what was removed, and that somebody looked again.

    With `spans` it speaks only of rows made in them; all other rows of the person stayed. With `attested_by` it says
    what the dataset's holder told us: nobody of ours has looked.
    """

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    propagation_id = models.UUIDField()
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="receipts")
    subject_id = models.UUIDField()
    position = models.BigIntegerField()
    rows_found = models.BigIntegerField(_("rows found"))
    rows_removed = models.BigIntegerField(_("rows removed"))
    files = models.JSONField(default=list)
    spans = models.JSONField(_("only rows made"), default=list)
    digest_before = models.CharField(max_length=64)
    digest_after = models.CharField(max_length=64)
    verified_at = models.DateTimeField(_("verified"))
    attested_by = models.CharField(
        _("attested by"),
        max_length=200,
        blank=True,
        help_text=_("Who holds the dataset and says so; empty where we looked again ourselves."),
    )
    is_counted = models.BooleanField(
        _("counted"), default=True, help_text=_("No: the holder did not say how many rows; the counts are then 0.")
    )
    files_by_index = models.PositiveIntegerField(_("files not read again"), default=0)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(AppendOnly.Meta):
        verbose_name = _("removal receipt")
        verbose_name_plural = _("removal receipts")
        constraints = [
            models.UniqueConstraint(fields=["propagation_id", "subject_id"], name="one_receipt_per_person"),
            models.CheckConstraint(condition=Q(rows_removed=models.F("rows_found")), name="all_that_was_found_is_gone"),
            models.CheckConstraint(
                condition=Q(is_counted=True) | ~Q(attested_by=""), name="what_we_removed_ourselves_is_counted"
            ),
        ]
        indexes = [
            models.Index(fields=["subject_id", "dataset", "-verified_at"], name="receipt_of_subject"),
            # who left since a version: counted for every model
            models.Index(fields=["dataset", "position"], condition=Q(rows_removed__gt=0), name="removal_by_position"),
        ]

    def __str__(self) -> str:
        return f"{self.rows_removed} rows of {self.subject_id}"
