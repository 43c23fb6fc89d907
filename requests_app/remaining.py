"""How long is left to answer a request: the urgency, the words that staff read, and which requests these hold for.

A day ends where the person lives. What is said of one request and what is asked of the database agree: a list or a
number of what is overdue holds just those whose words say so.
"""

from datetime import UTC, date, datetime, timedelta

from django.db.models import DateField, DateTimeField, F, Func, Q, Value
from django.db.models.functions import Cast
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from requests_app import periods
from requests_app.models import Request

SOON_DAYS = 7
_DAY = timedelta(days=1)


def in_words(request: Request, *, at: datetime) -> tuple[str, str]:
    """(kind of a badge, its text)."""
    if request.is_closed:
        return "default", _("closed")
    left = days_left(request, at=at)
    shown = date_format(request.due_on)
    if left < 0:
        overdue = ngettext("overdue by %(days)d day", "overdue by %(days)d days", -left) % {"days": -left}
        return "danger", f"{shown} – {overdue}"
    if left == 0:
        return "warning", f"{shown} – {_('due today')}"
    remaining = ngettext("%(days)d day left", "%(days)d days left", left) % {"days": left}
    return "warning" if left <= SOON_DAYS else "success", f"{shown} – {remaining}"


def days_left(request: Request, *, at: datetime) -> int:
    """How many days until the one on which it is due: 0 on that day, negative after it."""
    return (request.due_on - periods.local_date(at, periods.zone(request.zone))).days


# Each is bounded by a day that is the same for all, which an index answers: nowhere is it more than a day later or
# earlier than in UTC. What is left is looked at one by one.


def overdue(at: datetime) -> Q:
    """Requests whose day has ended."""
    return Q(due_on__lte=_utc(at), due_on__lt=_today(at))


def due_today(at: datetime) -> Q:
    """Requests whose day it is."""
    return Q(due_on__range=(_utc(at) - _DAY, _utc(at) + _DAY), due_on=_today(at))


def due_soon(at: datetime) -> Q:
    """Requests that are due today or within SOON_DAYS."""
    week = timedelta(days=SOON_DAYS)
    bounds = Q(due_on__range=(_utc(at) - _DAY, _utc(at) + week + _DAY))
    return bounds & Q(due_on__gte=_today(at), due_on__lte=_today(at, later=week))


def _utc(at: datetime) -> date:
    return at.astimezone(UTC).date()


def _today(at: datetime, *, later: timedelta = timedelta()) -> Cast:
    """The day where the person of each row lives, or so many days later: by the wall clock, where each has 24 hours."""
    here = Func(F("zone"), Value(at), function="timezone", output_field=DateTimeField())
    return Cast(here + later if later else here, DateField())
