"""The staff's first page: what needs them, what waits, how data and log are; each number opens its list."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Count, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from consents import checkpoints, sequencer
from consents.models import Hold
from downstream import exposures
from downstream.models import Dataset, Propagation, Target
from downstream.propagation_states import Purge as Bytes
from downstream.propagation_states import Status as Run
from portal import clock, partitions, staff_charts
from requests_app import daily_counts, remaining
from requests_app.models import Request
from requests_app.states import Status

_SOONEST = 6
_REQUESTS, _RUNS, _MODELS = "requests_app.request", "downstream.propagation", "downstream.trainedmodel"
_DATASETS, _LEDGER = "downstream.dataset", "consents.ledgerevent"


class Tile(NamedTuple):
    """What is counted, the number, the model of the list behind it and how that is narrowed, whether it is an alarm."""

    label: str
    number: int
    model: str
    narrowed: str = ""
    is_alarm: bool = False

    @property
    def link(self) -> str:
        app, _dot, name = self.model.partition(".")
        return reverse(f"admin:{app}_{name}_changelist") + self.narrowed


@dataclass(frozen=True)
class Group:
    """Numbers that ask the same of the reader; those of nothing stand apart."""

    name: str
    title: str
    asks: str
    calm: str
    tiles: tuple[Tile, ...]

    @property
    def loud(self) -> list[Tile]:
        return sorted((one for one in self.tiles if one.number or one.is_alarm), key=lambda one: not one.is_alarm)

    @property
    def quiet(self) -> list[Tile]:
        return [one for one in self.tiles if not one.number and not one.is_alarm]


def callback(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """unfold's DASHBOARD_CALLBACK: adds groups of numbers, charts and two lists (a fixed, small number of queries)."""
    at = clock.now()
    head = sequencer.head()
    datasets = list(Dataset.objects.living())
    groups = [_readable(one, request) for one in _groups(at, head, datasets)]
    context["today"] = at
    context["groups"] = [one for one in groups if one.tiles]
    context["tiles"] = [tile for one in groups for tile in one.tiles]
    context["due_next"] = _due_next(at) if _may_see(request, _REQUESTS) else None
    context["charts"] = _charts(request, at, head)
    context["arrivals"] = _arrivals(datasets, head) if _may_see(request, _DATASETS) else None
    return context


def _groups(at: datetime, head: int, datasets: Iterable[Dataset]) -> list[Group]:
    asked, runs, models = _requests(at), _propagations(at), _trained(at)
    return [
        Group("due", _("Due now"), _("Work on these today."), _("Nothing is due."), asked["due"]),
        Group(
            "decide",
            _("Waiting for your decision"),
            _("Nothing goes on with these before somebody decides."),
            _("No decision is waited for."),
            asked["decide"] + models + runs["decide"],
        ),
        Group(
            "others",
            _("Waiting for others"),
            _("Nothing to do but to know of it."),
            _("Nobody is waited for."),
            asked["others"],
        ),
        Group(
            "health",
            _("Datasets and the log"),
            _("How far each no has come, and whether the record keeps up."),
            _("All is well."),
            (
                Tile(_("Datasets behind the log"), sum(one.position < head for one in datasets), _DATASETS),
                *runs["health"],
                *_log(at),
                *_months(at),
            ),
        ),
    ]


def _readable(group: Group, request: HttpRequest) -> Group:
    """The group without the numbers whose lists this role may not open."""
    tiles = tuple(one for one in group.tiles if _may_see(request, one.model))
    return Group(group.name, group.title, group.asks, group.calm, tiles)


def _may_see(request: HttpRequest, model: str) -> bool:
    app, _dot, name = model.partition(".")
    return bool(request.user.has_perm(f"{app}.view_{name}"))


def _requests(at: datetime) -> dict[str, tuple[Tile, ...]]:
    found = Request.objects.open().aggregate(
        every=Count("pk", filter=~Q(status=Status.VERIFYING)),
        overdue=Count("pk", filter=remaining.overdue(at)),
        today=Count("pk", filter=remaining.due_today(at)),
        soon=Count("pk", filter=remaining.due_soon(at)),
        nobodys=Count("pk", filter=Q(assigned_to__isnull=True) & ~Q(status=Status.VERIFYING)),
        waiting=Count("pk", filter=Q(status=Status.AWAITING_SUBJECT)),
        unproven=Count("pk", filter=Q(status=Status.VERIFYING)),
        second=Count("pk", filter=Q(status=Status.IN_REVIEW)),
        escalated=Count("pk", filter=Q(escalated_at__isnull=False)),
    )

    def tile(label: str, name: str, view: str, *, is_alarm: bool = False) -> Tile:
        return Tile(label, found[name], _REQUESTS, f"?view={view}" if view else "", is_alarm and found[name] > 0)

    return {
        "due": (
            tile(_("Overdue requests"), "overdue", "overdue", is_alarm=True),
            tile(_("Escalated"), "escalated", "escalated", is_alarm=True),
            tile(_("Due today"), "today", "today"),
            tile(_("Due within a week"), "soon", "soon"),
            tile(_("Requests that nobody has taken"), "nobodys", "unassigned"),
            tile(_("Open requests"), "every", ""),
        ),
        "decide": (tile(_("Waiting for a second pair of eyes"), "second", "second"),),
        "others": (
            tile(_("Waiting for the person"), "waiting", "waiting"),
            tile(_("Identity not shown yet"), "unproven", "unproven"),
            Tile(_("Holds in force"), Hold.objects.in_force(at).count(), "consents.hold"),
        ),
    }


def _propagations(at: datetime) -> dict[str, tuple[Tile, ...]]:
    late = Propagation.objects.open().filter(deadline__lt=at).count()
    stopped = Propagation.objects.filter(status=Run.STOPPED).count()
    kept = Propagation.objects.kept()
    kept_long = kept.filter(purge_deadline__lt=at).count()
    residue = kept.filter(purge=Bytes.STOPPED).count()
    gaps = Target.objects.gaps().count()
    return {
        "decide": (
            Tile(_("Propagations that wait for you"), stopped, _RUNS, "?status__exact=stopped", stopped > 0),
            Tile(_("Removals whose bytes wait for you"), residue, _RUNS, "?purge__exact=stopped", residue > 0),
        ),
        "health": (
            Tile(_("Propagations past their deadline"), late, _RUNS, "?deadline=past", late > 0),
            Tile(_("Removals whose bytes are kept too long"), kept_long, _RUNS, "?bytes=late", kept_long > 0),
            Tile(_("People whom a dataset cannot name or date"), gaps, _RUNS, "?gaps=some", gaps > 0),
        ),
    }


def _log(at: datetime) -> tuple[Tile, ...]:
    lag, unsealed = sequencer.lag(at=at), checkpoints.lag(at=at)
    return (
        Tile(_("Events without a place in the log"), lag.waiting, _LEDGER, "", lag.seconds > 60),
        Tile(_("Events that wait to be sealed"), unsealed.waiting, "consents.checkpoint", "", unsealed.seconds > 60),
    )


def _trained(at: datetime) -> tuple[Tile, ...]:
    undecided, late = exposures.waiting(at=at)
    return (
        Tile(_("Models that wait for a decision"), undecided, _MODELS, "", undecided > 0),
        Tile(_("Decisions about models past their day"), late, _MODELS, "", late > 0),
    )


def _months(at: datetime) -> tuple[Tile, ...]:
    """Only when the tables that grow run out of months, which `manage.py make_partitions` mends."""
    wanting = [one for one in partitions.state(at=at) if not one.is_fine]
    if not wanting:
        return ()
    return (Tile(_("Months kept ready for new records"), min(one.ahead for one in wanting), _LEDGER, "", True),)


def _charts(request: HttpRequest, at: datetime, head: int) -> list[staff_charts.Chart]:
    """What came in, what was answered, and how the log grew, as far as the role goes."""
    daily = daily_counts.until(at, head=head)
    charts = []
    if _may_see(request, _REQUESTS):
        charts += [
            staff_charts.by_day("received", _("Requests received"), daily.days, daily.received),
            staff_charts.by_day("closed", _("Requests closed"), daily.days, daily.closed),
        ]
    if _may_see(request, _LEDGER):
        charts.append(staff_charts.by_day("entries", _("Entries in the log"), daily.days, daily.entries))
    return charts


def _due_next(at: datetime) -> list[tuple[Request, tuple[str, str]]]:
    """The requests that are due soonest, each with (kind of a badge, its text)."""
    soonest = Request.objects.open().select_related("assigned_to").order_by("due_on", "id")[:_SOONEST]
    return [(one, remaining.in_words(one, at=at)) for one in soonest]


def _arrivals(datasets: Iterable[Dataset], head: int) -> list[tuple[Dataset, tuple[str, str]]]:
    """Every dataset with how far it has come, as (kind of a badge, its text)."""
    return [
        (
            one,
            ("success", _("up to date"))
            if one.position >= head
            else ("warning", _("%d behind") % (head - one.position)),
        )
        for one in datasets
    ]
