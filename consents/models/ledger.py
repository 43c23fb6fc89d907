"""The ledger: events that nobody can edit, their gap-free positions, and the state derived from them."""

import uuid
from typing import Any, ClassVar

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Func, Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from consents.vocabulary import EVERY, Action, Kind, Slot, Source
from portal.append_only import AppendOnly


# subscripting needs django-stubs at run time
class TransactionId(models.Field):  # type: ignore[type-arg]
    """PostgreSQL's 64-bit transaction id (xid8), which never wraps."""

    def db_type(self, connection: Any) -> str:
        return "xid8"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> int | None:
        return None if value is None else int(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return str(value) if isinstance(value, int) else value


class CurrentTransactionId(Func):
    function = "pg_current_xact_id"
    arity = 0
    output_field = TransactionId()


class LedgerEvent(AppendOnly):
    """One thing that can change a decision. Written by `consents.ledger` alone.

    No foreign keys: the ledger outlives what it speaks of. `evidence` is sealed under the person's key.
    `salt` hides the content in the public log's leaf: whoever holds only the leaf can guess nothing from it.
    The table is partitioned by month through the time in the id (see `portal.partitions`).
    """

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    subject_id = models.UUIDField(null=True)
    purpose = models.CharField(max_length=80, default=EVERY, blank=True)
    recipient = models.CharField(max_length=50, default=EVERY, blank=True)
    category = models.CharField(max_length=40, default=EVERY, blank=True)
    action = models.CharField(max_length=12, choices=Action.choices, blank=True)
    source = models.CharField(max_length=14, choices=Source.choices)
    actor = models.CharField(max_length=120)
    notice = models.CharField(max_length=80, blank=True)
    evidence = models.BinaryField(null=True)
    details = models.JSONField(default=dict)
    salt = models.UUIDField(db_default=RandomUUID(), editable=False)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    transaction_id = TransactionId(db_default=CurrentTransactionId(), editable=False)

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"evidence"})

    class Meta(AppendOnly.Meta):
        verbose_name = _("ledger event")
        verbose_name_plural = _("ledger")
        indexes = [
            models.Index(fields=["transaction_id", "id"], name="event_by_transaction"),
            models.Index(fields=["subject_id", "recorded_at"], name="event_of_subject"),
            # few rows, which the staff's list is filtered by; choices are nearly all of the table
            models.Index(fields=["kind", "id"], name="event_but_no_choice", condition=~Q(kind=Kind.CHOICE)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(kind=Kind.CHOICE) | Q(subject_id__isnull=False) & ~Q(action=""),
                name="a_choice_has_a_person_and_an_action",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.action} {self.id}"


class Position(AppendOnly):
    """An event's gap-free place in the log. Written by `consents.sequencer` alone."""

    position = models.BigIntegerField(primary_key=True)
    # No constraint: checking it locks (and so writes) the event's row, and takes ten times as long as placing it.
    # Positions are made from the ledger's own rows, and `verify_log` finds one whose event is gone.
    event = models.OneToOneField(LedgerEvent, on_delete=models.DO_NOTHING, related_name="placed", db_constraint=False)
    sequenced_at = models.DateTimeField()

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(AppendOnly.Meta):
        verbose_name = _("position")
        verbose_name_plural = _("positions")

    def __str__(self) -> str:
        return str(self.position)


class SequencerState(models.Model):
    """One row: every event of a transaction before `horizon` has its position."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    horizon = TransactionId()
    head = models.BigIntegerField(default=0)
    sequenced_at = models.DateTimeField(null=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_sequencer")]

    def __str__(self) -> str:
        return f"head {self.head}"


class Preference(models.Model):
    """The current state, derived from choices in the same transaction that records them."""

    id = models.BigAutoField(primary_key=True)
    subject = models.ForeignKey("consents.Subject", on_delete=models.CASCADE, related_name="preferences")
    slot = models.CharField(max_length=11, choices=Slot.choices, default=Slot.CHOICE)
    purpose = models.CharField(max_length=80, default=EVERY, blank=True)
    recipient = models.CharField(max_length=50, default=EVERY, blank=True)
    category = models.CharField(max_length=40, default=EVERY, blank=True)
    action = models.CharField(max_length=12, choices=Action.choices)
    event_id = models.UUIDField()
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    expired_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text=_("When the log was told that this agreement lapsed; a newer choice clears it."),
    )

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("preference")
        verbose_name_plural = _("preferences")
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "slot", "purpose", "recipient", "category"],
                name="one_preference_per_scope",
            )
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.purpose}"
