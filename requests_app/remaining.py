"""How long is left to answer a request: the urgency, and the words that staff read."""

from datetime import datetime

from django.db.models.fields.json import KT
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from requests_app import periods
from requests_app.models import Request

SOON_DAYS = 7
ZONE = KT("terms__timezone")
"""Where a day ends for a request; lists that leave its terms in the database annotate it as `zone`."""


def in_words(request: Request, *, at: datetime) -> tuple[str, str]:
    """(kind of a badge, its text). A day ends where the person lives."""
    if request.is_closed:
        return "default", _("closed")
    zone = getattr(request, "zone", None) or request.terms["timezone"]
    left = (request.due_on - periods.local_date(at, periods.zone(zone))).days
    shown = date_format(request.due_on)
    if left < 0:
        overdue = ngettext("overdue by %(days)d day", "overdue by %(days)d days", -left) % {"days": -left}
        return "danger", f"{shown} – {overdue}"
    if left == 0:
        return "warning", f"{shown} – {_('due today')}"
    remaining = ngettext("%(days)d day left", "%(days)d days left", left) % {"days": left}
    return "warning" if left <= SOON_DAYS else "success", f"{shown} – {remaining}"
