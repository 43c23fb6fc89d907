"""What staff and a person write to each other, the texts that staff begin with, and the mail that says one waits."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from portal.append_only import AppendOnly
from requests_app.models.requests import Request
from requests_app.states import Right


class Message(models.Model):
    """One message between staff and the person (or who asks for them). The body is sealed like the request's note."""

    FROM_STAFF, FROM_PERSON = "staff", "person"
    DIRECTIONS = [(FROM_STAFF, _("from our staff")), (FROM_PERSON, _("from the person"))]

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="messages")
    direction = models.CharField(_("direction"), max_length=10, choices=DIRECTIONS)
    author = models.CharField(max_length=120)
    sent_at = models.DateTimeField(_("sent"))
    sealed_body = models.BinaryField(editable=False)
    template = models.CharField(_("template"), max_length=80, blank=True, help_text=_("slug/language/version"))
    read_at = models.DateTimeField(_("read"), null=True, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"sealed_body"})

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["sent_at", "id"]
        indexes = [
            models.Index(fields=["request"], name="message_unread", condition=Q(read_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.direction} {self.sent_at:%Y-%m-%d}"


class MessageTemplate(AppendOnly):
    """One version of a text in one language; the newest version counts, an empty body retires it."""

    slug = models.SlugField(_("slug"))
    language = models.CharField(_("language"), max_length=10)
    version = models.PositiveIntegerField(_("version"))
    title = models.CharField(_("title"), max_length=120)
    right = models.CharField(_("right"), max_length=30, blank=True, choices=Right.choices)
    body = models.TextField(_("text"), blank=True)
    written_at = models.DateTimeField(_("written"))
    written_by = models.CharField(max_length=120)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(AppendOnly.Meta):
        verbose_name = _("message template")
        verbose_name_plural = _("message templates")
        ordering = ["slug", "language", "-version"]
        permissions = [("write_template", _("Can write the texts that messages begin with"))]
        constraints = [
            models.UniqueConstraint(fields=["slug", "language", "version"], name="one_template_per_version"),
        ]

    def __str__(self) -> str:
        return f"{self.slug}/{self.language}/{self.version}"


class Letter(models.Model):
    """Mail about a request that waits to be sent. It holds the reference and no more of anybody.

    The address is sealed by the ring of keys, because the last letter of an erasure is sent when the person's own key
    is gone; it is deleted as soon as the mail is sent or given up.
    """

    WAITING, SENT, GIVEN_UP = "waiting", "sent", "given_up"
    STATES = [(WAITING, _("waiting")), (SENT, _("sent")), (GIVEN_UP, _("given up"))]

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="letters")
    code = models.CharField(max_length=40, help_text=_("acknowledged, message_waits, package_ready, erased, code, …"))
    locale = models.CharField(max_length=10, default="en")
    sealed = models.BinaryField(null=True, editable=False, help_text=_("JSON: the address, and a code that it brings."))
    state = models.CharField(max_length=20, choices=STATES, default=WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField()
    last_reason = models.CharField(max_length=40, blank=True)
    written_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"sealed", "locale"})

    class Meta:
        verbose_name = _("letter about a request")
        verbose_name_plural = _("letters about requests")
        ordering = ["written_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="waiting", sealed__isnull=False, settled_at__isnull=True)
                | ~Q(state="waiting") & Q(sealed__isnull=True, settled_at__isnull=False),
                name="an_address_is_kept_until_it_was_used",
            ),
        ]
        indexes = [models.Index(fields=["not_before"], name="request_letter_due", condition=Q(state="waiting"))]

    def __str__(self) -> str:
        return self.code
