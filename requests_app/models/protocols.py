"""What the messages have in common by which others ask for people over a protocol."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7


class ProtocolRequest(models.Model):
    """A message that asks for a right. Models that derive from it say who sent it, and which request came of it."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    settled_status = models.CharField(max_length=20, blank=True, help_text=_("Where it became no request."))
    received_at = models.DateTimeField(_("received"))

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        abstract = True
        ordering = ["-received_at", "-id"]


def became_a_request_or_was_settled(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(request__isnull=False, settled_status="") | Q(request__isnull=True) & ~Q(settled_status=""),
        name=name,
    )
