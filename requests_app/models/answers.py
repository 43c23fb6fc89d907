"""Answer packages: what a person gets of their data, what staff left out of it and why, and who fetched it."""

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from portal.append_only import AppendOnly
from requests_app.models.requests import Request
from requests_app.states import Ground, PackageStatus


class Package(models.Model):
    """One build of the answer to an access or portability request: an encrypted ZIP that expires."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="packages")
    status = models.CharField(_("status"), max_length=20, choices=PackageStatus.choices, default=PackageStatus.WAITING)
    sealed_key = models.BinaryField(null=True, editable=False)
    size = models.BigIntegerField(_("size"), null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    parts = models.JSONField(default=list, help_text=_("What is in it: names of parts and how many rows each has."))
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=120)
    lease_until = models.DateTimeField(null=True, blank=True)
    holder = models.CharField(max_length=80, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    progress = models.CharField(max_length=80, blank=True, help_text=_("The part that is being written."))
    last_reason = models.CharField(max_length=80, blank=True)
    applied = ArrayField(
        models.UUIDField(), default=list, editable=False, help_text=_("The redactions that were in force at the build.")
    )
    worked = ArrayField(models.UUIDField(), default=list, editable=False, help_text=_("Those that changed something."))
    sealed_unseen = models.BinaryField(
        null=True, editable=False, help_text=_("JSON: files that could not be looked into for words to leave out.")
    )
    built_at = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.CharField(max_length=120, blank=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"sealed_key", "sealed_unseen", "sha256", "parts"})

    class Meta:
        verbose_name = _("answer package")
        verbose_name_plural = _("answer packages")
        ordering = ["-asked_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status=PackageStatus.READY, released_at__isnull=False, expires_at__isnull=False)
                | ~Q(status=PackageStatus.READY),
                name="a_package_is_released_and_expires",
            ),
            models.UniqueConstraint(
                fields=["request"],
                condition=Q(status__in=[PackageStatus.WAITING, PackageStatus.BUILDING]),
                name="one_package_at_a_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["asked_at"],
                name="package_to_build",
                condition=Q(status__in=[PackageStatus.WAITING, PackageStatus.BUILDING]),
            ),
            models.Index(fields=["expires_at"], name="package_expiring", condition=Q(deleted_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"package of {self.asked_at:%Y-%m-%d}"


class PackageDownload(AppendOnly):
    """That somebody fetched a package."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    package = models.ForeignKey(Package, on_delete=models.PROTECT, related_name="downloads")
    at = models.DateTimeField()
    actor = models.CharField(max_length=120)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(AppendOnly.Meta):
        verbose_name = _("download")
        verbose_name_plural = _("downloads")
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"


class Undoable(models.Model):
    """What staff decided about an answer, with their reason; it can be taken back, and stays written down."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    sealed_reason = models.BinaryField(editable=False)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=120)
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.CharField(max_length=120, blank=True)

    class Meta:
        abstract = True
        ordering = ["made_at", "id"]


class Redaction(Undoable):
    """Something that the person does not get, because it is about somebody else; with its reason."""

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="redactions")
    sealed_what = models.BinaryField(editable=False, help_text=_("JSON: part, column, and which rows or which words."))
    ground = models.CharField(_("ground"), max_length=30, choices=Ground.choices)

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"sealed_what", "sealed_reason"})

    class Meta(Undoable.Meta):
        verbose_name = _("redaction")
        verbose_name_plural = _("redactions")

    def __str__(self) -> str:
        return self.ground


class Clearance(Undoable):
    """That staff hand out files as they are which could not be looked into for words to leave out; with the reason."""

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="clearances")
    sealed_files = models.BinaryField(editable=False, help_text=_("JSON: which files, by part, row and column."))
    looked_for = ArrayField(
        models.UUIDField(), default=list, editable=False, help_text=_("The redactions whose words were looked for.")
    )

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"sealed_files", "sealed_reason"})

    class Meta(Undoable.Meta):
        verbose_name = _("clearance of files")
        verbose_name_plural = _("clearances of files")

    def __str__(self) -> str:
        return f"{self.made_at:%Y-%m-%d}"
