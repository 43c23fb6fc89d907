"""What was taken over from files and streams, how far each got, and the lines that were refused."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7


class ImportState(models.TextChoices):
    RUNNING = "running", _("under way")
    STOPPED = "stopped", _("stopped")
    DONE = "done", _("done")


class ChoiceImport(models.Model):
    """One file or stream of choices. Its counts are committed with the rows they count.

    A process that died leaves `running` behind; the next run with the same input takes it up.
    """

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=255, help_text=_("The file's name without its folder"))
    format = models.CharField(_("format"), max_length=10)
    digest = models.CharField(
        max_length=64,
        blank=True,
        editable=False,
        help_text=_("Keyed digest of the file, or of what of the stream is durable, in hexadecimal digits"),
    )
    index_key = models.CharField(
        max_length=32, blank=True, editable=False, help_text=_("Which blind-index key made the digest.")
    )
    key = models.CharField(
        _("key"),
        max_length=64,
        blank=True,
        editable=False,
        help_text=_("SHA-256 of the caller's Idempotency-Key, in hexadecimal digits"),
    )
    size = models.BigIntegerField(_("bytes"), default=0, help_text=_("0 for a stream"))
    rows_done = models.BigIntegerField(_("rows done"), default=0)
    accepted = models.BigIntegerField(_("recorded"), default=0)
    repeated = models.BigIntegerField(_("known already"), default=0)
    rejected = models.BigIntegerField(_("rejected"), default=0)
    amended = models.BigIntegerField(_("minors' flags changed"), default=0)
    percent = models.PositiveSmallIntegerField(_("percent"), default=0)
    state = models.CharField(_("state"), max_length=10, choices=ImportState.choices, default=ImportState.RUNNING)
    by = models.CharField(_("by"), max_length=120)
    started_at = models.DateTimeField(_("started"))
    progressed_at = models.DateTimeField(_("last progress"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    reason = models.CharField(_("last reason"), max_length=300, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("import of choices")
        verbose_name_plural = _("imports of choices")
        indexes = [models.Index(fields=["digest"], name="import_by_digest")]
        constraints = [
            models.UniqueConstraint(fields=["by", "key"], condition=~Q(key=""), name="one_import_per_key"),
            models.CheckConstraint(
                condition=Q(rows_done=models.F("accepted") + models.F("repeated") + models.F("rejected")),
                name="every_row_of_an_import_is_counted",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ImportRejection(models.Model):
    """One line that was not taken over, and why; never what stood in it."""

    id = models.BigAutoField(primary_key=True)
    taken_from = models.ForeignKey(ChoiceImport, on_delete=models.CASCADE, related_name="rejections")
    line = models.BigIntegerField(_("line"))
    code = models.CharField(_("code"), max_length=40)
    message = models.CharField(_("reason"), max_length=300)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("rejected line")
        verbose_name_plural = _("rejected lines")
        constraints = [models.UniqueConstraint(fields=["taken_from", "line"], name="one_rejection_per_line")]

    def __str__(self) -> str:
        return f"{self.line}: {self.code}"


class ImportedKey(models.Model):
    """The sender's own key of a choice, as a keyed fingerprint: the same key again writes nothing."""

    id = models.BigAutoField(primary_key=True)
    sender = models.CharField(max_length=120)
    fingerprint = models.BinaryField(max_length=32)
    index_key = models.CharField(
        max_length=32, blank=True, editable=False, help_text=_("Which blind-index key made the fingerprint.")
    )
    event_id = models.UUIDField()

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"fingerprint"})

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sender", "fingerprint"], name="one_choice_per_key")]

    def __str__(self) -> str:
        return f"{self.sender} {self.event_id}"
