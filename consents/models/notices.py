"""Notices before and after their publication: drafts, and who was told of a version by mail."""

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7


class NoticeDraft(models.Model):
    """A notice that is being written: one text a language, under a revision that every change moves on."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(_("notice"))
    texts = models.JSONField(_("texts"), default=dict, help_text=_("By language: title and body."))
    is_material = models.BooleanField(_("material"), default=True)
    publish_at = models.DateTimeField(_("publish on"), null=True, blank=True)
    effective_at = models.DateTimeField(_("in force from"), null=True, blank=True)
    revision = models.PositiveIntegerField(default=1)
    begun_at = models.DateTimeField(_("begun"))
    begun_by = models.CharField(_("begun by"), max_length=120)
    changed_at = models.DateTimeField(_("changed"))
    changed_by = models.CharField(_("changed by"), max_length=120)
    published_version = models.PositiveIntegerField(_("published as version"), null=True, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("notice draft")
        verbose_name_plural = _("notice drafts")
        ordering = ["-changed_at"]
        permissions = [
            ("write_notice", _("Can write drafts of notices")),
            ("publish_notice", _("Can publish a notice")),
            ("send_notice", _("Can tell people of a notice by mail")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(publish_at__isnull=True)
                | Q(effective_at__isnull=True)
                | Q(effective_at__gte=models.F("publish_at")),
                name="draft_takes_effect_after_publication",
            )
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def is_open(self) -> bool:
        return self.published_version is None


class NoticeDelivery(models.Model):
    """One round of mail that tells people of a notice's version."""

    class State(models.TextChoices):
        RUNNING = "running", _("being sent")
        PAUSED = "paused", _("paused")
        DONE = "done", _("done")

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(_("notice"))
    version = models.PositiveIntegerField(_("version"))
    jurisdictions = ArrayField(
        models.CharField(max_length=6), default=list, blank=True, verbose_name=_("jurisdictions")
    )
    purposes = ArrayField(models.CharField(max_length=80), default=list, blank=True, verbose_name=_("purposes"))
    state = models.CharField(_("state"), max_length=7, choices=State.choices, default=State.RUNNING)
    people = models.PositiveIntegerField(_("people"), default=0)
    trouble = models.CharField(
        _("trouble"), max_length=40, blank=True, help_text=_("Why the last batch could not be sent, as a code.")
    )
    next_try_at = models.DateTimeField(_("next try"), null=True, blank=True)
    troubles = models.PositiveSmallIntegerField(default=0, help_text=_("Batches in a row that could not be sent."))
    created_at = models.DateTimeField(_("begun"))
    created_by = models.CharField(_("begun by"), max_length=120)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("notice delivery")
        verbose_name_plural = _("notice deliveries")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.slug}/{self.version}"


class Letter(models.Model):
    """One person and one version of a notice: whether they were told of it. Never two for the same.

    Holds no address and names the person by their opaque id alone, so that it may outlive them.
    """

    class State(models.TextChoices):
        PENDING = "pending", _("to be sent")
        SENDING = "sending", _("being sent")
        SENT = "sent", _("sent")
        NO_ADDRESS = "no_address", _("no address")
        FAILED = "failed", _("failed")
        UNCERTAIN = "uncertain", _("uncertain: broken off while it was sent")

    id = models.BigAutoField(primary_key=True)
    delivery = models.ForeignKey(NoticeDelivery, on_delete=models.PROTECT, related_name="letters")
    subject_id = models.UUIDField()
    slug = models.SlugField()
    version = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    reason = models.CharField(max_length=40, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField()
    token = models.UUIDField(null=True, help_text=_("The batch that holds it."))
    lease_until = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("letter")
        verbose_name_plural = _("letters")
        constraints = [
            models.UniqueConstraint(fields=["subject_id", "slug", "version"], name="nobody_is_told_twice"),
        ]
        indexes = [
            models.Index(fields=["delivery", "next_try_at"], condition=Q(state="pending"), name="letter_to_be_sent"),
            models.Index(fields=["lease_until"], condition=Q(state="sending"), name="letter_under_way"),
            models.Index(fields=["delivery", "state"], name="letter_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.slug}/{self.version} {self.state}"
