"""How staff read a request's state and where its data is."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from downstream import journeys
from requests_app.models import Request
from requests_app.states import Status

_KINDS = {
    Status.RECEIVED: "info",
    Status.VERIFYING: "default",
    Status.IN_PROGRESS: "warning",
    Status.AWAITING_SUBJECT: "default",
    Status.IN_REVIEW: "warning",
    Status.FULFILLED: "success",
    Status.PARTIALLY_FULFILLED: "success",
    Status.REFUSED: "danger",
    Status.WITHDRAWN: "default",
    Status.EXPIRED: "default",
}
_STOPS = {
    journeys.WAITING: ("info", gettext_lazy("waiting")),
    journeys.WORKING: ("info", gettext_lazy("under way")),
    journeys.FAILED: ("danger", gettext_lazy("failed: see propagations")),
    journeys.LATE: ("danger", gettext_lazy("late")),
    journeys.REMOVED: ("success", gettext_lazy("removed, looked again")),
    journeys.ASKED: ("info", gettext_lazy("asked, waits for its holder")),
    journeys.TOLD_REMOVED: ("success", gettext_lazy("removed, its holder says")),
    journeys.TOLD_NOT_IN: ("success", gettext_lazy("nothing of theirs was in it, its holder says")),
    journeys.NOT_IN: ("success", gettext_lazy("nothing of theirs was in it")),
    journeys.EXEMPT: ("info", gettext_lazy("exempted: it keeps their rows by law")),
    journeys.GAP: ("danger", gettext_lazy("cannot tell: it does not name them by anything known")),
}


def state(request: Request) -> tuple[str, Any]:
    """(kind of a badge, its text)."""
    is_going = bool(request.carried_out_at) and request.status == Status.IN_PROGRESS
    words = _("on its way") if is_going else request.get_status_display()
    return _KINDS[Status(request.status)], words


def arrived(stop: journeys.Stop) -> tuple[str, str]:
    """The badge of one dataset on a request's way."""
    kind, words = _STOPS[stop.state]
    if not stop.rows_removed:
        return kind, str(words)
    rows = ngettext("%(count)d row", "%(count)d rows", stop.rows_removed) % {"count": stop.rows_removed}
    return kind, f"{words} – {rows}"
