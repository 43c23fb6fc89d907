"""What people without an account said and have not yet confirmed with the code from the mail."""

import uuid
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.sealed import KeyId


class ContactVerification(models.Model):
    """One wish that waits for its code: address and wish are sealed, and the row goes within minutes."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, editable=False)
    scheme = models.CharField(max_length=40)
    fingerprint = models.BinaryField(max_length=32, editable=False)
    sealed = models.BinaryField(editable=False)
    code_digest = models.BinaryField(max_length=32, editable=False)
    tries = models.PositiveSmallIntegerField(default=0)
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"fingerprint", "sealed", "code_digest"})

    class Meta:
        verbose_name = _("contact that waits for its code")
        verbose_name_plural = _("contacts that wait for their codes")
        indexes = [
            models.Index(fields=["expires_at"], name="verification_by_end"),
            models.Index(fields=["scheme", "fingerprint"], name="verification_of_contact"),
        ]

    def __str__(self) -> str:
        return f"{self.scheme} asked {self.asked_at:%Y-%m-%d %H:%M}"

    @classmethod
    def by_field_key(cls) -> dict[str, int]:
        """How many wait under each field key, which must not leave the ring before them."""
        rows = cls.objects.annotate(key=KeyId("sealed")).values_list("key").annotate(models.Count("pk")).order_by()
        return {bytes(key).decode(errors="replace"): number for key, number in rows}
