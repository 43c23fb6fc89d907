"""Rights, statuses and which status may follow which; imports nothing of ours."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Right(models.TextChoices):
    """What a person may ask for. Only what can be carried out here is offered (`OFFERED`)."""

    ERASURE = "erasure", _("Erase my data")


OFFERED = (Right.ERASURE,)


class Status(models.TextChoices):
    RECEIVED = "received", _("received")
    IN_PROGRESS = "in_progress", _("in progress")
    FULFILLED = "fulfilled", _("fulfilled")
    WITHDRAWN = "withdrawn", _("withdrawn")


TRANSITIONS: dict[str, frozenset[str]] = {
    Status.RECEIVED: frozenset({Status.IN_PROGRESS, Status.WITHDRAWN}),
    Status.IN_PROGRESS: frozenset({Status.FULFILLED, Status.WITHDRAWN}),
    Status.FULFILLED: frozenset(),
    Status.WITHDRAWN: frozenset(),
}
CLOSED = frozenset(status for status, followers in TRANSITIONS.items() if not followers)
