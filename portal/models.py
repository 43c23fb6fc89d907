"""What every app shares in the database: accounts, sessions, the audit trail, remembered answers.

PERSONAL names, per model, the fields that hold personal data; everything else is stated not to.
"""

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, PermissionsMixin, UserManager
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from portal.append_only import AppendOnly


class User(AbstractBaseUser, PermissionsMixin):
    """Someone who signs in: staff with a business address, or a person whose data this is about.

    People's addresses are not kept here: they are sealed identifiers of the subject.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    username = models.CharField(_("user name"), max_length=150, unique=True)
    email = models.EmailField(
        _("business address"), blank=True, help_text=_("Staff only; people's addresses are kept sealed.")
    )
    is_staff = models.BooleanField(_("staff"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    date_joined = models.DateTimeField(_("joined"), auto_now_add=True)

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"email"})

    objects: ClassVar[UserManager[Any]] = UserManager()

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        constraints = [
            models.UniqueConstraint(
                fields=["email"], condition=~models.Q(email=""), name="one_account_per_business_address"
            ),
        ]

    def __str__(self) -> str:
        return self.username

    def get_full_name(self) -> str:
        return self.username


class Session(AbstractBaseSession):
    """A browser's session, sealed (see `portal.sessions`), and whose it is, so that an erasure ends it."""

    account_id = models.UUIDField(null=True, db_index=True, editable=False)

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"session_data"})

    class Meta(AbstractBaseSession.Meta):
        # nobody looks at sessions
        default_permissions = ()


class AuditEntry(AppendOnly):
    """Who did or saw what, when. No foreign key and no personal data, so that it outlives what it describes.

    The table is partitioned by month through the time in the id (see `portal.partitions`).
    """

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField()
    actor = models.CharField(max_length=120, help_text=_("kind:id, for example staff:018f…"))
    action = models.CharField(max_length=80)
    object_type = models.CharField(max_length=80)
    object_id = models.CharField(max_length=120)
    details = models.JSONField(default=dict)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(AppendOnly.Meta):
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit trail")
        indexes = [
            models.Index(fields=["object_id", "at"], name="audit_of_object"),
            models.Index(fields=["-at"], name="audit_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_id}"


class RememberedAnswer(models.Model):
    """The first answer to an Idempotency-Key, given again to whoever repeats the call.

    `key` is a digest of the sender's: partners build keys from whatever they have, people's names too.
    """

    id = models.BigAutoField(primary_key=True)
    client = models.CharField(max_length=120)
    key = models.CharField(max_length=255)
    request_digest = models.BinaryField(max_length=32)
    index_key = models.CharField(
        max_length=32, blank=True, editable=False, help_text=_("Which blind-index key made the digest.")
    )
    status = models.PositiveSmallIntegerField(default=0)
    body = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "key"], name="one_answer_per_key")]
        indexes = [models.Index(fields=["created_at"], name="remembered_by_time")]

    def __str__(self) -> str:
        return f"{self.client} {self.key}"
