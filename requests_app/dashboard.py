"""The staff's first page: what is due, what is behind, what is paused; each number opens its list."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from consents import sequencer
from consents.models import Hold
from downstream.models import Dataset, Propagation, Target
from downstream.propagation_states import Status as Run
from portal import clock
from requests_app.models import Request


def callback(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """unfold's DASHBOARD_CALLBACK: adds the tiles (a fixed, small number of counting queries)."""
    at = clock.now()
    head = sequencer.head()
    lag = sequencer.lag(at=at)
    queue, runs = (
        reverse("admin:requests_app_request_changelist"),
        reverse("admin:downstream_propagation_changelist"),
    )
    open_requests = Request.objects.open()
    late = Propagation.objects.open().filter(deadline__lt=at).count()
    stopped = Propagation.objects.filter(status=Run.STOPPED).count()
    context["tiles"] = [
        (_("Open requests"), open_requests.count(), f"{queue}?o=4", False),
        (
            _("Overdue requests"),
            overdue := open_requests.filter(due_on__lt=at.date()).count(),
            f"{queue}?o=4",
            overdue > 0,
        ),
        (
            _("Holds in force"),
            Hold.objects.in_force(at).count(),
            reverse("admin:consents_hold_changelist"),
            False,
        ),
        (
            _("Datasets behind the log"),
            Dataset.objects.living().filter(position__lt=head).count(),
            reverse("admin:downstream_dataset_changelist"),
            False,
        ),
        (_("Propagations late"), late, runs, late > 0),
        (_("Propagations that wait for a person"), stopped, f"{runs}?status__exact=stopped", stopped > 0),
        (
            _("People a dataset cannot tell"),
            gaps := Target.objects.filter(is_gap=True).count(),
            runs,
            gaps > 0,
        ),
        (
            _("Events without a position"),
            lag.waiting,
            reverse("admin:consents_ledgerevent_changelist"),
            lag.seconds > 60,
        ),
    ]
    return context
