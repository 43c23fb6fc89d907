"""The staff's first page: what is due, what is behind, what is paused; each number opens its list."""

from datetime import datetime
from typing import Any

from django.db.models import Count, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from consents import checkpoints, sequencer
from consents.models import Hold
from downstream import exposures
from downstream.models import Dataset, Propagation, Target
from downstream.propagation_states import Purge as Bytes
from downstream.propagation_states import Status as Run
from portal import clock, partitions
from portal.staff_pages import badge, unbroken
from requests_app import remaining
from requests_app.models import Request
from requests_app.states import Status

_SOONEST = 6
Tile = tuple[str, int, str, bool]
"""What is counted, the number, the list behind it, whether it is an alarm."""


def callback(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """unfold's DASHBOARD_CALLBACK: adds tiles and two tables (a fixed, small number of queries)."""
    at = clock.now()
    head = sequencer.head()
    context["today"] = at
    context["tiles"] = [*_request_tiles(at), *_data_tiles(at, head), *_model_tiles(at)]
    context["due_next"] = _due_next(at)
    context["arrivals"] = _arrivals(head)
    return context


def _request_tiles(at: datetime) -> list[Tile]:
    queue = reverse("admin:requests_app_request_changelist")
    today = at.date()
    found = Request.objects.open().aggregate(
        every=Count("pk", filter=~Q(status=Status.VERIFYING)),
        overdue=Count("pk", filter=Q(due_on__lt=today)),
        today=Count("pk", filter=Q(due_on=today)),
        nobodys=Count("pk", filter=Q(assigned_to__isnull=True) & ~Q(status=Status.VERIFYING)),
        waiting=Count("pk", filter=Q(status=Status.AWAITING_SUBJECT)),
        second=Count("pk", filter=Q(status=Status.IN_REVIEW)),
        escalated=Count("pk", filter=Q(escalated_at__isnull=False)),
    )
    return [
        (_("Open requests"), found["every"], queue, False),
        (_("Due today"), found["today"], f"{queue}?view=today", False),
        (_("Overdue requests"), found["overdue"], f"{queue}?view=overdue", found["overdue"] > 0),
        (_("Escalated"), found["escalated"], f"{queue}?view=escalated", found["escalated"] > 0),
        (_("Requests that nobody has taken"), found["nobodys"], f"{queue}?view=unassigned", False),
        (_("Waiting for the person"), found["waiting"], f"{queue}?view=waiting", False),
        (_("Waiting for a second pair of eyes"), found["second"], f"{queue}?view=second", False),
        (_("Holds in force"), Hold.objects.in_force(at).count(), reverse("admin:consents_hold_changelist"), False),
    ]


def _data_tiles(at: datetime, head: int) -> list[Tile]:
    runs = reverse("admin:downstream_propagation_changelist")
    lag, unsealed = sequencer.lag(at=at), checkpoints.lag(at=at)
    behind = Dataset.objects.living().filter(position__lt=head).count()
    late = Propagation.objects.open().filter(deadline__lt=at).count()
    stopped = Propagation.objects.filter(status=Run.STOPPED).count()
    kept = Propagation.objects.kept()
    kept_long = kept.filter(purge_deadline__lt=at).count()
    residue = kept.filter(purge=Bytes.STOPPED).count()
    gaps = Target.objects.gaps().count()
    return [
        (_("Datasets behind the log"), behind, reverse("admin:downstream_dataset_changelist"), False),
        (_("Propagations past their deadline"), late, f"{runs}?status__exact=failed", late > 0),
        (_("Propagations that wait for you"), stopped, f"{runs}?status__exact=stopped", stopped > 0),
        (_("Removals whose bytes are kept too long"), kept_long, f"{runs}?bytes=late", kept_long > 0),
        (_("Removals whose bytes wait for you"), residue, f"{runs}?purge__exact=stopped", residue > 0),
        (_("People whom a dataset cannot name or date"), gaps, runs, gaps > 0),
        (
            _("Events without a place in the log"),
            lag.waiting,
            reverse("admin:consents_ledgerevent_changelist"),
            lag.seconds > 60,
        ),
        (
            _("Events that wait to be sealed"),
            unsealed.waiting,
            reverse("admin:consents_checkpoint_changelist"),
            unsealed.seconds > 60,
        ),
        *_months_tile(at),
    ]


def _model_tiles(at: datetime) -> list[Tile]:
    models = reverse("admin:downstream_trainedmodel_changelist")
    undecided, late = exposures.waiting(at=at)
    return [
        (_("Models that wait for a decision"), undecided, models, undecided > 0),
        (_("Decisions about models past their day"), late, models, late > 0),
    ]


def _months_tile(at: datetime) -> list[Tile]:
    """Only when the tables that grow run out of months, which `manage.py make_partitions` mends."""
    wanting = [one for one in partitions.state(at=at) if not one.is_fine]
    if not wanting:
        return []
    ledger = reverse("admin:consents_ledgerevent_changelist")
    return [(_("Months kept ready for new records"), min(one.ahead for one in wanting), ledger, True)]


def _due_next(at: datetime) -> dict[str, Any]:
    soonest = Request.objects.open().select_related("assigned_to").order_by("due_on", "id")[:_SOONEST]
    rows = [
        [
            _link("admin:requests_app_request_change", one.pk, unbroken(one.reference)),
            one.get_right_display(),
            badge(*remaining.in_words(one, today=at.date())),
            one.assigned_to.username if one.assigned_to else "–",
        ]
        for one in soonest
    ]
    return {"headers": [_("Request"), _("Asks"), _("Due"), _("Assigned to")], "rows": rows}


def _arrivals(head: int) -> dict[str, Any]:
    rows = [
        [
            _link("admin:downstream_dataset_change", dataset.pk, dataset.name),
            badge("success", _("up to date"))
            if dataset.position >= head
            else badge("warning", _("%d behind") % (head - dataset.position)),
        ]
        for dataset in Dataset.objects.living()
    ]
    return {"headers": [_("Dataset"), _("State")], "rows": rows}


def _link(view: str, pk: object, text: str) -> SafeString:
    return format_html('<a class="text-link" href="{}">{}</a>', reverse(view, args=[pk]), text)
