"""How long is left to answer a request: the urgency, the words that staff read, and which requests these hold for.

A day ends where the person lives. What is said of one request and what is asked of the database agree: a list or a
number of what is overdue holds just those whose words say so.
"""

from datetime import datetime, timedelta
from functools import cache

from django.db.models import Case, DateField, DateTimeField, Func, Q, Value, When
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.db.models.lookups import In
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from requests_app import periods, rulebook
from requests_app.models import Request

SOON_DAYS = 7
ZONE = KT("terms__timezone")
"""Where a day ends for a request; lists that leave its terms in the database annotate it as `zone`."""
_DAY = timedelta(days=1)
_CHANGE = timedelta(hours=2)
"""More than clocks are put forward or back at once, or two notions of a zone are apart."""


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
    zone = getattr(request, "zone", None) or request.terms["timezone"]
    return (request.due_on - periods.local_date(at, periods.zone(zone))).days


# Each is bounded by the stored end of the day, which an index answers, and then looked at one by one by the wall clock:
# a week in which the clocks change has an hour more or less, zones are changed after days were stored, and the database
# has its own notion of zones, which may be older or newer than Python's.


def overdue(at: datetime) -> Q:
    """Requests whose day has ended."""
    return Q(due_at__lte=at + _CHANGE, due_on__lt=_today(at))


def due_today(at: datetime) -> Q:
    """Requests whose day it is."""
    return Q(due_at__range=(at - _CHANGE, at + _DAY + _CHANGE), due_on=_today(at))


def due_soon(at: datetime) -> Q:
    """Requests that are due today or within SOON_DAYS."""
    week = timedelta(days=SOON_DAYS)
    bounds = Q(due_at__range=(at - _CHANGE, at + week + _DAY + _CHANGE))
    return bounds & Q(due_on__gte=_today(at), due_on__lte=_today(at, later=week))


@cache
def zones() -> tuple[str, ...]:
    """The names of all time zones in which the rulebook counts days."""
    return tuple(sorted({"UTC", *rulebook.load().zones.values()}))


def _today(at: datetime, *, later: timedelta = timedelta()) -> Case:
    """The day where the person of each row lives, or so many days later.

    As Python knows the zones of the rulebook, so that lists and words agree; by the database where terms that were
    frozen long ago name another.
    """
    here = Func(ZONE, Value(at), function="timezone", output_field=DateTimeField())
    elsewhere = Cast(here + later if later else here, DateField())
    days = {zone: periods.local_date(at, periods.zone(zone)) for zone in zones()}
    known = [
        When(In(ZONE, [zone for zone in days if days[zone] == day]), then=Value(day + later))
        for day in sorted(set(days.values()))
    ]
    return Case(*known, default=elsewhere, output_field=DateField())
