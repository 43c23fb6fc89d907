"""Datasets: something downstream that holds people's data and feeds training."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from consents import purposes
from consents.vocabulary import Category


class KeyHash(models.TextChoices):
    """How a key column hides identifiers: lower-case hexadecimal digits of SHA-256 over their UTF-8 bytes."""

    HMAC = "hmac-sha256", _("HMAC-SHA-256 under its own key")
    SALTED = "sha256-salted", _("SHA-256 over its own salt and the identifier")


class DatasetQuerySet(models.QuerySet["Dataset"]):
    def living(self) -> "DatasetQuerySet":
        """Datasets that are still carried; retired ones are kept for their receipts."""
        return self.filter(retired_at__isnull=True)

    def serving(self, purpose: str) -> "DatasetQuerySet":
        """Datasets that serve this purpose or a part of it."""
        wanted = [one for one in self.purposes_in_use() if purposes.covers(purpose, one)]
        return self.filter(purposes__overlap=wanted)

    def purposes_in_use(self) -> set[str]:
        return {purpose for row in self.values_list("purposes", flat=True) for purpose in row}


class Dataset(models.Model):
    """Where people's data is, in which format, by what name it calls them, and how far the log reached it."""

    slug = models.SlugField(unique=True)
    name = models.CharField(_("name"), max_length=120)
    public_name = models.CharField(_("public name"), max_length=120, help_text=_("How people see it named."))
    owner = models.ForeignKey("consents.Recipient", on_delete=models.PROTECT, related_name="datasets")
    purposes = ArrayField(models.CharField(max_length=80), verbose_name=_("purposes"))
    kind = models.CharField(_("kind"), max_length=40)
    location = models.CharField(_("location"), max_length=1000)
    key_column = models.CharField(_("key column"), max_length=200)
    key_scheme = models.CharField(
        _("key scheme"), max_length=40, help_text=_("The identifier scheme that the key column holds.")
    )
    key_hash = models.CharField(
        _("keys are hashed"),
        max_length=20,
        blank=True,
        choices=KeyHash.choices,
        help_text=_("How the key column hides the identifiers; empty where it holds them as they are."),
    )
    key_secret = models.BinaryField(
        null=True, editable=False, help_text=_("The key or salt of these hashes, sealed under the field key.")
    )
    created_column = models.CharField(
        _("column of creation time"),
        max_length=200,
        blank=True,
        help_text=_("Which column says when a row was made; holds over a span of data need it."),
    )
    category = models.CharField(
        _("data category"),
        max_length=40,
        blank=True,
        choices=Category.choices,
        help_text=_("The kind of data it holds; empty where it is mixed."),
    )
    engine = models.CharField(_("engine"), max_length=40, default="embedded")
    options = models.JSONField(default=dict, blank=True)
    deadline_hours = models.PositiveIntegerField(
        _("deadline in hours"), default=24, help_text=_("How soon a no has to arrive here.")
    )
    window_minutes = models.PositiveIntegerField(
        _("window in minutes"),
        default=0,
        help_text=_("How long what is said is gathered before one run carries it out together; 0: at once."),
    )
    purge_deadline_hours = models.PositiveIntegerField(
        _("deadline of the bytes, in hours"),
        default=30 * 24,
        help_text=_("How soon after a row is removed its bytes have to be gone: old versions, logs, caches."),
    )
    retention_hours = models.PositiveIntegerField(
        _("retention of old versions, in hours"),
        null=True,
        blank=True,
        help_text=_("Decided by staff; empty: what the store itself is set to keep."),
    )
    position = models.BigIntegerField(
        _("position"), default=0, help_text=_("The log position up to which every no is verified here.")
    )
    row_count = models.BigIntegerField(_("rows"), default=0)
    file_count = models.PositiveIntegerField(_("files"), default=0)
    row_statements = models.JSONField(
        _("what its rows say themselves"),
        default=dict,
        blank=True,
        help_text=_("Counts of rows by their own statements about training, as last read."),
    )
    statements_read_at = models.DateTimeField(_("statements read"), null=True, blank=True)
    registered_at = models.DateTimeField(_("registered"))
    verified_at = models.DateTimeField(_("verified"), null=True, blank=True)
    full_look_at = models.DateTimeField(
        _("last read whole"),
        null=True,
        blank=True,
        help_text=_("When a run last read every key of every file, whatever the subject index knew."),
    )
    retired_at = models.DateTimeField(_("retired"), null=True, blank=True)

    # whoever has the secret can try names against the hashes
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"key_secret"})

    objects = DatasetQuerySet.as_manager()

    class Meta:
        verbose_name = _("dataset")
        verbose_name_plural = _("datasets")
        ordering = ["name"]
        permissions = [
            ("describe_dataset", _("Can say which column tells when rows were made")),
            ("decide_retention", _("Can decide how long old versions are kept")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["location"],
                condition=models.Q(retired_at__isnull=True),
                name="one_dataset_per_location",
            ),
            models.CheckConstraint(condition=~models.Q(purposes=[]), name="a_dataset_serves_a_purpose"),
            models.CheckConstraint(
                condition=models.Q(key_hash="", key_secret__isnull=True)
                | ~models.Q(key_hash="") & models.Q(key_secret__isnull=False),
                name="hashed_keys_have_a_secret",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def serves(self, purpose: str) -> bool:
        """Whether it serves this purpose or a part of it."""
        return any(purposes.covers(purpose, one) for one in self.purposes)
