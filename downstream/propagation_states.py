"""The states of a propagation, and which may follow which; imports nothing of ours."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Status(models.TextChoices):
    PLANNED = "planned", _("waiting")
    WORKING = "working", _("under way")
    FAILED = "failed", _("failed, will be tried again")
    STOPPED = "stopped", _("stopped, waits for a person")
    VERIFIED = "verified", _("verified")


OPEN = frozenset({Status.PLANNED, Status.WORKING, Status.FAILED, Status.STOPPED})
DUE = frozenset({Status.PLANNED, Status.WORKING, Status.FAILED})
"""What a worker may claim: a `working` one only once its lease has run out."""

TRANSITIONS: dict[str, frozenset[str]] = {
    Status.PLANNED: frozenset({Status.WORKING}),
    Status.WORKING: frozenset({Status.WORKING, Status.VERIFIED, Status.FAILED, Status.STOPPED}),
    Status.FAILED: frozenset({Status.WORKING, Status.PLANNED}),
    Status.STOPPED: frozenset({Status.PLANNED}),
    Status.VERIFIED: frozenset(),
}


class UnitStatus(models.TextChoices):
    STAGED = "staged", _("written beside the old one")
    COMMITTED = "committed", _("in place")
