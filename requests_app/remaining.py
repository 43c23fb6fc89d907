"""How long is left to answer a request: the urgency, and the words that staff read."""

from datetime import date

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from requests_app.models import Request

SOON_DAYS = 7


def in_words(request: Request, *, today: date) -> tuple[str, str]:
    """(kind of a badge, its text)."""
    if request.is_closed:
        return "default", _("closed")
    left = (request.due_on - today).days
    shown = date_format(request.due_on)
    if left < 0:
        overdue = ngettext("overdue by %(days)d day", "overdue by %(days)d days", -left) % {"days": -left}
        return "danger", f"{shown} – {overdue}"
    if left == 0:
        return "warning", f"{shown} – {_('due today')}"
    remaining = ngettext("%(days)d day left", "%(days)d days left", left) % {"days": left}
    return "warning" if left <= SOON_DAYS else "success", f"{shown} – {remaining}"
