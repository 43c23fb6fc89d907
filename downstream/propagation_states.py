"""The states of a propagation, and which may follow which; imports nothing of ours."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Status(models.TextChoices):
    PLANNED = "planned", _("waiting")
    WORKING = "working", _("under way")
    AWAITING = "awaiting", _("waits for the holder's answer")
    FAILED = "failed", _("failed, will be tried again")
    STOPPED = "stopped", _("stopped, waits for a person")
    VERIFIED = "verified", _("verified")


OPEN = frozenset({Status.PLANNED, Status.WORKING, Status.AWAITING, Status.FAILED, Status.STOPPED})
DUE = frozenset({Status.PLANNED, Status.WORKING, Status.AWAITING, Status.FAILED})
"""What a worker may claim: a `working` one only once its lease has run out, an `awaiting` one to ask again."""

TRANSITIONS: dict[str, frozenset[str]] = {
    Status.PLANNED: frozenset({Status.WORKING}),
    Status.WORKING: frozenset({Status.WORKING, Status.AWAITING, Status.VERIFIED, Status.FAILED, Status.STOPPED}),
    Status.AWAITING: frozenset({Status.WORKING, Status.VERIFIED, Status.FAILED, Status.STOPPED}),
    Status.FAILED: frozenset({Status.WORKING, Status.PLANNED}),
    Status.STOPPED: frozenset({Status.PLANNED}),
    Status.VERIFIED: frozenset(),
}


class UnitStatus(models.TextChoices):
    STAGED = "staged", _("written beside the old one")
    COMMITTED = "committed", _("in place")


class Purge(models.TextChoices):
    """Whether the removed rows' bytes are gone too. A run has one of these from the moment it is verified."""

    WAITING = "waiting", _("old versions are still kept")
    WORKING = "working", _("old versions are being erased")
    FAILED = "failed", _("failed, will be tried again")
    STOPPED = "stopped", _("stopped, waits for a person")
    PURGED = "purged", _("the bytes are gone")


PURGE_DUE = frozenset({Purge.WAITING, Purge.WORKING, Purge.FAILED})

PURGE_TRANSITIONS: dict[str, frozenset[str]] = {
    "": frozenset({Purge.WAITING, Purge.PURGED}),
    Purge.WAITING: frozenset({Purge.WORKING, Purge.PURGED}),
    Purge.WORKING: frozenset({Purge.WORKING, Purge.WAITING, Purge.FAILED, Purge.STOPPED, Purge.PURGED}),
    Purge.FAILED: frozenset({Purge.WORKING, Purge.WAITING}),
    Purge.STOPPED: frozenset({Purge.WAITING}),
    Purge.PURGED: frozenset(),
}
