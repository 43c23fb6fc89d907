"""Data subject requests and everything that happened to them."""

import uuid
from datetime import date
from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from portal import references
from portal.append_only import AppendOnly
from requests_app.states import CLOSED, TRANSITIONS, Right, Status


class RequestQuerySet(models.QuerySet["Request"]):
    def open(self) -> "RequestQuerySet":
        return self.exclude(status__in=CLOSED)


class Request(models.Model):
    """One right that one person exercises. Its rule of law is frozen at receipt; `workflow` alone writes the status."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    right = models.CharField(_("right"), max_length=30, choices=Right.choices)
    status = models.CharField(_("status"), max_length=20, choices=Status.choices, default=Status.RECEIVED)
    subject = models.ForeignKey("consents.Subject", on_delete=models.PROTECT, related_name="requests")
    jurisdiction = models.CharField(_("jurisdiction"), max_length=6)
    rule = models.CharField(_("rule"), max_length=40, help_text=_("The rulebook's entry that sets the clock."))
    rulebook_digest = models.CharField(max_length=64)
    received_at = models.DateTimeField(_("received"))
    due_on = models.DateField(_("due"))
    terms = models.JSONField(help_text=_("The rule as it stood at receipt, which counts to the end."))
    sealed_note = models.BinaryField(null=True, editable=False)
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    carried_out_at = models.DateTimeField(_("carried out"), null=True, blank=True)
    carried_out_by = models.CharField(max_length=120, blank=True)
    event_id = models.UUIDField(null=True, editable=False, help_text=_("The erasure's place in the ledger."))
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"sealed_note", "jurisdiction"})

    objects = RequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("request")
        verbose_name_plural = _("requests")
        ordering = ["due_on", "id"]
        permissions = [("carry_out", _("Can carry out a request"))]
        triggers = [
            pgtrigger.FSM(
                name="request_states",
                field="status",
                transitions=[(str(a), str(b)) for a, followers in TRANSITIONS.items() for b in sorted(followers)],
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(carried_out_at__isnull=True, carried_out_by="")
                | Q(carried_out_at__isnull=False) & ~Q(carried_out_by=""),
                name="carried_out_when_and_by_whom",
            ),
            models.CheckConstraint(
                condition=Q(status__in=sorted(CLOSED), closed_at__isnull=False)
                | ~Q(status__in=sorted(CLOSED)) & Q(closed_at__isnull=True),
                name="closed_has_its_time",
            ),
            models.UniqueConstraint(
                fields=["subject", "right"],
                condition=~Q(status__in=sorted(CLOSED)),
                name="one_open_request_per_right",
            ),
        ]
        indexes = [models.Index(fields=["status", "due_on"], name="request_queue")]

    def __str__(self) -> str:
        return self.reference

    @property
    def reference(self) -> str:
        return references.encode("Q", self.pk)

    @property
    def is_closed(self) -> bool:
        return self.status in CLOSED

    def is_overdue(self, today: date) -> bool:
        return not self.is_closed and today > self.due_on


class TimelineEntry(AppendOnly):
    """Something that happened to a request, told by a code that the pages put into words."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="timeline")
    at = models.DateTimeField()
    actor = models.CharField(max_length=120)
    code = models.CharField(max_length=40)
    details = models.JSONField(default=dict)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(AppendOnly.Meta):
        verbose_name = _("timeline entry")
        verbose_name_plural = _("timeline")
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return self.code
