"""Holds: pauses that deny everyone in scope at once."""

import uuid
from datetime import datetime
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from consents.models.cases import RegulatorCase
from consents.models.rules import REGIME_CHANGES


class HoldQuerySet(models.QuerySet["Hold"]):
    def in_force(self, at: datetime) -> "HoldQuerySet":
        """Holds open at the moment `at`."""
        return self.filter(opened_at__lte=at).filter(Q(lifted_at__isnull=True) | Q(lifted_at__gt=at))


class Hold(models.Model):
    """A pause of purposes in jurisdictions for recipients; empty lists mean all of them."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    purposes = ArrayField(models.CharField(max_length=80), default=list, blank=True, verbose_name=_("purposes"))
    jurisdictions = ArrayField(
        models.CharField(max_length=6), default=list, blank=True, verbose_name=_("jurisdictions")
    )
    recipients = ArrayField(models.CharField(max_length=50), default=list, blank=True, verbose_name=_("recipients"))
    authority = models.CharField(_("authority"), max_length=120, blank=True, help_text=_("For example: ICO"))
    reason = models.TextField(_("reason"))
    data_from = models.DateTimeField(
        _("data made from"),
        null=True,
        blank=True,
        help_text=_("Only rows made from this moment on are paused; empty for all earlier ones too."),
    )
    data_until = models.DateTimeField(
        _("data made before"),
        null=True,
        blank=True,
        help_text=_("Only rows made before this moment are paused; empty for all later ones too."),
    )
    case = models.ForeignKey(
        RegulatorCase,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="holds",
        verbose_name=_("regulator case"),
    )
    opened_at = models.DateTimeField(_("opened"))
    opened_by = models.CharField(_("opened by"), max_length=120)
    lift_asked_at = models.DateTimeField(_("lifting asked for"), null=True, blank=True)
    lift_asked_by = models.CharField(_("lifting asked for by"), max_length=120, blank=True)
    lifted_at = models.DateTimeField(_("lifted"), null=True, blank=True)
    lifted_by = models.CharField(_("lifted by"), max_length=120, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    objects = HoldQuerySet.as_manager()

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        ordering = ["-opened_at"]
        triggers = [REGIME_CHANGES]
        permissions = [("open_hold", _("Can open a hold")), ("lift_hold", _("Can lift a hold"))]
        constraints = [
            models.CheckConstraint(
                condition=Q(data_from__isnull=True)
                | Q(data_until__isnull=True)
                | Q(data_until__gt=models.F("data_from")),
                name="a_window_ends_after_it_begins",
            ),
            models.CheckConstraint(
                condition=Q(lift_asked_at__isnull=True, lift_asked_by="")
                | Q(lift_asked_at__isnull=False) & ~Q(lift_asked_by=""),
                name="lift_asked_when_and_by_whom",
            ),
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True, lifted_by="") | Q(lifted_at__isnull=False) & ~Q(lifted_by=""),
                name="lifted_when_and_by_whom",
            ),
            # four eyes, held by the database too
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True)
                | Q(lift_asked_at__isnull=False) & ~Q(lifted_by=models.F("lift_asked_by")),
                name="lifted_by_a_second_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{', '.join(self.purposes) or '*'} · {', '.join(self.jurisdictions) or '*'}"

    @property
    def has_window(self) -> bool:
        """Whether it pauses only rows made in a span of time (an undertaking over a span of data)."""
        return self.data_from is not None or self.data_until is not None

    @property
    def is_open(self) -> bool:
        return self.lifted_at is None
