"""Imports of requests from elsewhere: how far each got, what was refused, and which references are known."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7


class ImportState(models.TextChoices):
    CHECKED = "checked", _("looked through")
    WAITING = "waiting", _("waits to be taken in")
    DONE = "done", _("taken in")
    DROPPED = "dropped", _("given up")


class RequestImport(models.Model):
    """One file of requests. Its counts are of the rows looked at so far; the file itself goes once it is taken in."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=255, help_text=_("The file's name without its folder"))
    state = models.CharField(_("state"), max_length=10, choices=ImportState.choices, default=ImportState.CHECKED)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    rows_done = models.PositiveIntegerField(_("rows done"), default=0)
    accepted = models.PositiveIntegerField(_("taken in"), default=0)
    repeated = models.PositiveIntegerField(_("known already"), default=0)
    refused = models.PositiveIntegerField(_("refused"), default=0)
    sealed_key = models.BinaryField(null=True, editable=False, help_text=_("What the file is encrypted with."))
    by = models.CharField(_("by"), max_length=120)
    checked_at = models.DateTimeField(_("looked through"))
    approved_by = models.CharField(max_length=120, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"sealed_key"})

    class Meta:
        verbose_name = _("import of requests")
        verbose_name_plural = _("imports of requests")
        ordering = ["-checked_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["checked", "waiting"], finished_at__isnull=True, sealed_key__isnull=False)
                | Q(state__in=["done", "dropped"], finished_at__isnull=False, sealed_key__isnull=True),
                name="an_imported_file_goes_in_the_end",
            ),
        ]
        indexes = [models.Index(fields=["checked_at"], name="request_import_due", condition=Q(state="waiting"))]

    def __str__(self) -> str:
        return self.name


class RefusedRow(models.Model):
    """A line that was not taken in. Nothing of what it said is kept."""

    taken_from = models.ForeignKey(RequestImport, on_delete=models.CASCADE, related_name="refusals")
    line = models.PositiveIntegerField(_("line"))
    column = models.CharField(_("column"), max_length=40, blank=True)
    code = models.CharField(_("code"), max_length=40)
    message = models.CharField(_("message"), max_length=300)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("refused line")
        verbose_name_plural = _("refused lines")
        ordering = ["line", "id"]
        indexes = [models.Index(fields=["taken_from", "line"], name="request_refused_line")]

    def __str__(self) -> str:
        return f"{self.line}: {self.code}"


class ImportedReference(models.Model):
    """That what another system calls by this reference was taken in: the same file again records nothing twice."""

    fingerprint = models.BinaryField(max_length=32, unique=True, editable=False)
    index_key = models.CharField(max_length=32, editable=False, help_text=_("Which blind-index key made it."))
    group = models.UUIDField(help_text=_("Of the requests that were made of it."))
    taken_from = models.ForeignKey(
        RequestImport, null=True, blank=True, on_delete=models.SET_NULL, related_name="references"
    )

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"fingerprint"})

    class Meta:
        verbose_name = _("imported reference")
        verbose_name_plural = _("imported references")

    def __str__(self) -> str:
        return str(self.group)
