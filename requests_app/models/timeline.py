"""What happened to requests."""

import uuid
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from portal.append_only import AppendOnly
from requests_app.models.requests import Request


class TimelineEntry(AppendOnly):
    """Something that happened to a request, told by a code that the pages put into words.

    `sealed` is what somebody typed, under the person's own key; only of requests whose person is known.
    """

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="timeline")
    at = models.DateTimeField()
    actor = models.CharField(max_length=120)
    code = models.CharField(max_length=40)
    details = models.JSONField(default=dict)
    sealed = models.BinaryField(null=True, editable=False)

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"sealed"})

    class Meta(AppendOnly.Meta):
        verbose_name = _("timeline entry")
        verbose_name_plural = _("timeline")
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return self.code
