"""Webhooks: whom we tell of what, and every message that went or has to go."""

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from consents.models import Partner


class WebhookSubscriptionQuerySet(models.QuerySet["WebhookSubscription"]):
    def active(self) -> "WebhookSubscriptionQuerySet":
        return self.filter(disabled_at__isnull=True)


class WebhookSubscription(models.Model):
    """An address of a partner, and what it wants to hear of. Its secrets are sealed and shown once."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    partner = models.ForeignKey(Partner, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField(_("address"), max_length=1000)
    events = ArrayField(models.CharField(max_length=40), verbose_name=_("events"))
    sealed_keys = models.BinaryField(editable=False)
    sealed_previous = models.BinaryField(null=True, editable=False)
    previous_until = models.DateTimeField(null=True)
    public_key = models.CharField(_("public key"), max_length=80)
    created_at = models.DateTimeField(_("created"))
    failing_since = models.DateTimeField(_("failing since"), null=True)
    disabled_at = models.DateTimeField(_("disabled"), null=True)
    disabled_reason = models.CharField(_("why it is disabled"), max_length=200, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"sealed_keys", "sealed_previous"})

    objects = WebhookSubscriptionQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        ordering = ["partner", "created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["partner", "url"], condition=Q(disabled_at__isnull=True), name="one_webhook_per_address"
            ),
            models.CheckConstraint(
                condition=Q(sealed_previous__isnull=True, previous_until__isnull=True)
                | Q(sealed_previous__isnull=False, previous_until__isnull=False),
                name="old_keys_have_their_end",
            ),
        ]

    def __str__(self) -> str:
        return self.url


class WebhookDelivery(models.Model):
    """One message to one address: written with its cause, sent afterwards, kept as the log of both."""

    class State(models.TextChoices):
        PENDING = "pending", _("to be sent")
        DELIVERED = "delivered", _("delivered")
        FAILED = "failed", _("given up")
        DROPPED = "dropped", _("not sent: the webhook was disabled")

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subscription = models.ForeignKey(WebhookSubscription, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(_("event"), max_length=40)
    payload = models.JSONField()
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.PENDING)
    created_at = models.DateTimeField(_("created"))
    next_try_at = models.DateTimeField(_("next try"))
    lease_until = models.DateTimeField(null=True)
    token = models.UUIDField(null=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    log = models.JSONField(default=list, help_text=_("The last attempts: when, HTTP status or what went wrong."))
    delivered_at = models.DateTimeField(_("delivered"), null=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("webhook message")
        verbose_name_plural = _("webhook messages")
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["next_try_at"], condition=Q(state="pending"), name="webhook_due"),
            models.Index(fields=["subscription", "-id"], name="webhook_log"),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.subscription_id}"


class WebhookCursor(models.Model):
    """How far of the log was told by webhooks; one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    position = models.BigIntegerField()

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_webhook_cursor")]

    def __str__(self) -> str:
        return str(self.position)
