"""Files that belong to a request: evidence, what came with a message, parts of an answer. Encrypted where they lie."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from requests_app.models.identity import IdentityCheck
from requests_app.models.messages import Message
from requests_app.models.requests import Request
from requests_app.models.work import Task
from requests_app.states import FileUse, Scan


class Attachment(models.Model):
    """One encrypted file. The row stays when the file is deleted and says that there was one."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="attachments")
    message = models.ForeignKey(Message, null=True, blank=True, on_delete=models.PROTECT, related_name="attachments")
    check_of = models.ForeignKey(
        IdentityCheck, null=True, blank=True, on_delete=models.PROTECT, related_name="attachments"
    )
    task = models.ForeignKey(Task, null=True, blank=True, on_delete=models.PROTECT, related_name="attachments")
    use = models.CharField(_("what for"), max_length=20, choices=FileUse.choices)
    sealed_name = models.BinaryField(null=True, editable=False)
    sealed_key = models.BinaryField(null=True, editable=False, help_text=_("What the file is encrypted with."))
    content_type = models.CharField(_("type"), max_length=80)
    size = models.BigIntegerField(_("size"))
    sha256 = models.CharField(max_length=64)
    scan = models.CharField(_("scan"), max_length=10, choices=Scan.choices, default=Scan.NONE)
    uploaded_at = models.DateTimeField(_("uploaded"))
    uploaded_by = models.CharField(max_length=120)
    deleted_at = models.DateTimeField(_("deleted"), null=True, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"sealed_name", "sealed_key", "sha256"})

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        ordering = ["uploaded_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(deleted_at__isnull=True, sealed_key__isnull=False, sealed_name__isnull=False)
                | Q(deleted_at__isnull=False, sealed_key__isnull=True, sealed_name__isnull=True),
                name="a_deleted_file_cannot_be_opened",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.use} {self.uploaded_at:%Y-%m-%d}"
