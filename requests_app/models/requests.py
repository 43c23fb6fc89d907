"""Requests, and the states of them that the database itself forbids."""

import uuid
from datetime import date, datetime, timedelta
from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.fields.json import KT
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from portal import references
from requests_app.models.notices import TELLING_OTHERS
from requests_app.states import (
    AT_ONCE,
    CLOSED,
    IN_WORDS,
    TRANSITIONS,
    Capacity,
    Channel,
    Ground,
    Right,
    Status,
)

_IS_CLOSED = Q(status__in=sorted(CLOSED))
_UNKNOWN = sorted({Status.RECEIVED, Status.VERIFYING, Status.IN_REVIEW, *CLOSED})
"""In which states it may not be known yet who asks."""
_DAY = timedelta(days=1)


class RequestQuerySet(models.QuerySet["Request"]):
    def open(self) -> "RequestQuerySet":
        return self.filter(~_IS_CLOSED)

    def due_before(self, day: date) -> "RequestQuerySet":
        return self.open().filter(due_on__lt=day)

    def proven(self) -> "RequestQuerySet":
        """Without those that wait for a proof of identity, which would only clutter the queue."""
        return self.exclude(status=Status.VERIFYING)


class Request(models.Model):
    """One right that one person exercises. Its rule of law is frozen at receipt; `workflow` alone writes the status.

    Until it is known who asks, `subject` is null and what was typed is sealed by the ring of keys; then it is sealed
    by the person's own key, and destroying that makes it unreadable (see `sealing`).
    """

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    right = models.CharField(_("right"), max_length=30, choices=Right.choices)
    status = models.CharField(_("status"), max_length=20, choices=Status.choices, default=Status.RECEIVED)
    subject = models.ForeignKey(
        "consents.Subject", null=True, blank=True, on_delete=models.PROTECT, related_name="requests"
    )
    # --- who asks, through which door, and what else they ask
    channel = models.CharField(_("channel"), max_length=20, choices=Channel.choices, default=Channel.PAGES)
    capacity = models.CharField(_("asks"), max_length=20, choices=Capacity.choices, default=Capacity.SELF)
    agent = models.ForeignKey(
        "requests_app.Agent", null=True, blank=True, on_delete=models.PROTECT, related_name="requests"
    )
    partner = models.SlugField(_("partner"), blank=True, help_text=_("Which partner service sent it."))
    group = models.UUIDField(editable=False, help_text=_("Requests made in one go have the same."))
    duplicate_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="duplicates")
    about = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="follow_ups",
        help_text=_("The earlier request that an appeal or complaint is about."),
    )
    locale = models.CharField(_("language"), max_length=10, default="en")
    scope = models.JSONField(
        default=dict, help_text=_("What it is limited to: purposes, recipients. Nothing that names anybody.")
    )
    sealed_note = models.BinaryField(null=True, editable=False)
    sealed_details = models.BinaryField(null=True, editable=False, help_text=_("JSON: what is to be corrected, …"))
    sealed_requester = models.BinaryField(null=True, editable=False, help_text=_("JSON: who asks for the person."))
    sealed_contact = models.BinaryField(null=True, editable=False, help_text=_("Where the one who asks is answered."))
    contact_fingerprint = models.BinaryField(
        max_length=32, null=True, editable=False, help_text=_("Keyed; only until it is known who asks.")
    )
    # --- the legal clock
    jurisdiction = models.CharField(_("jurisdiction"), max_length=6)
    rule = models.CharField(_("rule"), max_length=40, help_text=_("The rulebook's entry that sets the clock."))
    rulebook_digest = models.CharField(max_length=64)
    terms = models.JSONField(help_text=_("The rule as it stood at receipt, which counts to the end."))
    received_at = models.DateTimeField(_("received"))
    identity_confirmed_at = models.DateTimeField(_("identity confirmed"), null=True, blank=True)
    due_on = models.DateField(_("due"))
    due_at: "models.Field[datetime, datetime]" = models.GeneratedField(
        expression=Func(
            KT("terms__timezone"), F("due_on") + _DAY, function="timezone", output_field=models.DateTimeField()
        ),
        output_field=models.DateTimeField(),
        db_persist=True,
        help_text=_("When the day by which it is due ends, where its calendar counts; to search by, see `remaining`."),
    )
    acknowledge_by = models.DateField(_("to be acknowledged by"), null=True, blank=True)
    acknowledged_at = models.DateTimeField(_("acknowledged"), null=True, blank=True)
    extended_at = models.DateTimeField(_("extension told"), null=True, blank=True)
    extended_until = models.DateField(_("extended until"), null=True, blank=True)
    due_override = models.DateField(
        _("due by staff's decision"), null=True, blank=True, help_text=_("The reason is in the timeline.")
    )
    escalated_at = models.DateTimeField(_("escalated"), null=True, blank=True)
    # --- the work
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    carried_out_at = models.DateTimeField(_("carried out"), null=True, blank=True)
    carried_out_by = models.CharField(max_length=120, blank=True)
    event_id = models.UUIDField(
        null=True, editable=False, help_text=_("The ledger's entry that datasets have to reach.")
    )
    refusal_ground = models.CharField(_("ground of refusal"), max_length=30, blank=True, choices=Ground.choices)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    reopened_at = models.DateTimeField(_("reopened"), null=True, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset(
        {
            "sealed_note",
            "sealed_details",
            "sealed_requester",
            "sealed_contact",
            "contact_fingerprint",
            "jurisdiction",
            "locale",
        }
    )

    objects = RequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("request")
        verbose_name_plural = _("requests")
        ordering = ["due_on", "id"]
        permissions = [
            ("carry_out", _("Can carry out a request")),
            ("approve", _("Can approve what a colleague proposed: a refusal or an exemption")),
            ("read_reports", _("Can read the reports")),
        ]
        triggers = [
            pgtrigger.FSM(
                name="request_states",
                field="status",
                transitions=[(str(a), str(b)) for a, followers in TRANSITIONS.items() for b in sorted(followers)],
            ),
            pgtrigger.Trigger(
                name="no_answer_before_the_work",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "NEW.status IN ('fulfilled', 'partially_fulfilled') AND OLD.status IS DISTINCT FROM NEW.status"
                ),
                func=(
                    "IF EXISTS (SELECT FROM requests_app_task WHERE request_id = NEW.id AND status = 'open') THEN"
                    " RAISE EXCEPTION 'a request with an open task is not fulfilled'; END IF; RETURN NEW;"
                ),
            ),
            *TELLING_OTHERS,
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(carried_out_at__isnull=True, carried_out_by="")
                | Q(carried_out_at__isnull=False) & ~Q(carried_out_by=""),
                name="carried_out_when_and_by_whom",
            ),
            models.CheckConstraint(
                condition=_IS_CLOSED & Q(closed_at__isnull=False) | ~_IS_CLOSED & Q(closed_at__isnull=True),
                name="closed_has_its_time",
            ),
            models.CheckConstraint(
                condition=Q(subject__isnull=False) | Q(status__in=_UNKNOWN),
                name="nobody_works_for_nobody",
            ),
            models.CheckConstraint(
                condition=Q(status=Status.REFUSED) & ~Q(refusal_ground="")
                | ~Q(status=Status.REFUSED) & Q(refusal_ground=""),
                name="refused_has_its_ground",
            ),
            models.CheckConstraint(
                condition=Q(duplicate_of__isnull=True) | ~Q(duplicate_of=F("id")), name="no_duplicate_of_itself"
            ),
            # what has none would be neither overdue nor due, and nobody would see it
            models.CheckConstraint(condition=Q(due_at__isnull=False), name="days_end_somewhere"),
            models.UniqueConstraint(
                fields=["subject", "right"],
                # of a proven person; who is not proven yet cannot block anybody's request. What counts at once may have
                # to be said anew before the first is answered, and words are compared by nobody here; see `duplicates`
                condition=~_IS_CLOSED
                & ~Q(status=Status.VERIFYING)
                & ~Q(right__in=sorted(AT_ONCE | IN_WORDS))
                & Q(duplicate_of__isnull=True, about__isnull=True, scope={}),
                name="one_open_request_per_right",
            ),
        ]
        indexes = [
            # the queue's first page under each filter, of what is open
            models.Index(fields=["due_on", "id"], name="request_open", condition=~_IS_CLOSED),
            models.Index(fields=["status", "due_on", "id"], name="request_open_status", condition=~_IS_CLOSED),
            models.Index(fields=["right", "due_on", "id"], name="request_open_right", condition=~_IS_CLOSED),
            models.Index(fields=["jurisdiction", "due_on", "id"], name="request_open_place", condition=~_IS_CLOSED),
            models.Index(fields=["assigned_to", "due_on", "id"], name="request_open_staff", condition=~_IS_CLOSED),
            models.Index(fields=["channel", "due_on", "id"], name="request_open_channel", condition=~_IS_CLOSED),
            # what is overdue or due soon, also where few or all are; see `remaining`
            models.Index(fields=["due_at"], name="request_open_ends", condition=~_IS_CLOSED),
            # the first page of everything, open or not
            models.Index(fields=["due_on", "id"], name="request_every"),
            models.Index(fields=["closed_at"], name="request_closed", condition=_IS_CLOSED),
            models.Index(fields=["received_at"], name="request_received"),
            models.Index(fields=["subject", "-received_at"], name="request_of_person"),
            models.Index(fields=["group"], name="request_group"),
            models.Index(fields=["partner", "-id"], name="request_of_partner", condition=~Q(partner="")),
            models.Index(
                fields=["contact_fingerprint"],
                name="request_unproven",
                condition=Q(contact_fingerprint__isnull=False),
            ),
        ]

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
