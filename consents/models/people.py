"""People, what names them, and the partners who speak for them."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from portal.append_only import AppendOnly
from portal.sealed import KeyId


class Subject(models.Model):
    """A person. Everything readable about them is sealed under `wrapped_key`; without it, it is gone."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    jurisdiction = models.CharField(_("jurisdiction"), max_length=6, help_text=_("ISO 3166, such as GB or US-CA"))
    locale = models.CharField(_("language"), max_length=10, default="en")
    is_minor = models.BooleanField(_("minor"), default=False)
    wrapped_key = models.BinaryField(null=True, editable=False)
    account = models.OneToOneField(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="subject"
    )
    registered_at = models.DateTimeField(_("registered"))
    erased_at = models.DateTimeField(_("erased"), null=True, blank=True)
    registered_in = models.UUIDField(
        null=True, editable=False, help_text=_("The ledger event that told of this person's registration.")
    )
    amended_at = models.DateTimeField(
        _("amended"),
        null=True,
        blank=True,
        help_text=_("When country or age were last corrected; the ledger has what was."),
    )

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"jurisdiction", "locale", "is_minor", "wrapped_key"})

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        indexes = [
            models.Index(fields=["jurisdiction"], name="subject_by_jurisdiction"),
            models.Index(fields=["registered_in"], name="subject_by_registration"),
            models.Index(
                KeyId("wrapped_key"), name="subject_by_field_key", condition=models.Q(wrapped_key__isnull=False)
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(erased_at__isnull=True) | models.Q(wrapped_key__isnull=True),
                name="an_erased_person_has_no_key",
            )
        ]

    def __str__(self) -> str:
        return str(self.id)


class Identifier(models.Model):
    """One name of a person in one scheme: readable when it is an opaque reference, sealed otherwise."""

    id = models.BigAutoField(primary_key=True)
    subject = models.ForeignKey(Subject, on_delete=models.CASCADE, related_name="identifiers")
    scheme = models.CharField(_("scheme"), max_length=40)
    value = models.CharField(_("reference"), max_length=255, null=True, blank=True)  # noqa: DJ001 -- null means sealed
    sealed = models.BinaryField(null=True, editable=False)
    fingerprint = models.BinaryField(max_length=32, editable=False)
    index_key = models.CharField(
        max_length=32, blank=True, editable=False, help_text=_("Which blind-index key made the fingerprint.")
    )
    verified_at = models.DateTimeField(_("verified"), null=True, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"value", "sealed", "fingerprint"})

    class Meta:
        verbose_name = _("identifier")
        verbose_name_plural = _("identifiers")
        constraints = [
            models.UniqueConstraint(fields=["scheme", "fingerprint"], name="one_person_per_identifier"),
            models.CheckConstraint(
                condition=models.Q(value__isnull=True, sealed__isnull=False)
                | models.Q(value__isnull=False, sealed__isnull=True),
                name="readable_or_sealed",
            ),
        ]
        indexes = [
            models.Index(fields=["scheme", "value"], name="identifier_by_value"),
            models.Index(fields=["index_key"], name="identifier_by_index_key"),
        ]

    def __str__(self) -> str:
        return f"{self.scheme} of {self.subject_id}"


class Suppressed(AppendOnly):
    """The keyed fingerprint of an erased identifier, so that the same person is not taken in again."""

    scheme = models.CharField(max_length=40)
    fingerprint = models.BinaryField(max_length=32)
    index_key = models.CharField(
        max_length=32, blank=True, editable=False, help_text=_("Which blind-index key made the fingerprint, for good.")
    )
    erased_at = models.DateTimeField()

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"fingerprint"})

    class Meta(AppendOnly.Meta):
        verbose_name = _("suppressed identifier")
        verbose_name_plural = _("suppressed identifiers")
        constraints = [models.UniqueConstraint(fields=["scheme", "fingerprint"], name="suppressed_once")]
        indexes = [models.Index(fields=["index_key"], name="suppressed_by_index_key")]

    def __str__(self) -> str:
        return f"{self.scheme} erased {self.erased_at:%Y-%m-%d}"


class Partner(models.Model):
    """A service or affiliate that calls the API, and what it may see."""

    slug = models.SlugField(primary_key=True)
    name = models.CharField(_("name"), max_length=120)
    application = models.OneToOneField(
        settings.OAUTH2_PROVIDER_APPLICATION_MODEL, on_delete=models.PROTECT, related_name="partner"
    )
    recipients = ArrayField(
        models.SlugField(),
        default=list,
        help_text=_("Recipients it speaks for; the empty recipient (“”) stands for choices about all of them."),
        blank=True,
    )
    jurisdictions = ArrayField(
        models.CharField(max_length=6),
        default=list,
        blank=True,
        help_text=_("Whose people it may see: codes, EU, EEA; empty means everywhere."),
    )
    schemes = ArrayField(
        models.CharField(max_length=40),
        default=list,
        help_text=_("Identifier schemes it may name people by."),
    )
    scopes = ArrayField(
        models.CharField(max_length=40),
        default=list,
        blank=True,
        help_text=_("OAuth scopes that its tokens may hold, such as decisions:read."),
    )

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("partner")
        verbose_name_plural = _("partners")

    def __str__(self) -> str:
        return self.name
