"""Figures of a period for the company and its regulators: how much was asked, how soon it was answered, what was late.

Days are calendar days from receipt to the answer, both where the person lives, and waits count in: that is how long
the person waited. Every table is counted in SQL, by a fixed number of queries.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from portal.countries import name_of
from portal.errors import DomainError
from requests_app import report_statements
from requests_app.states import ANSWERED, CLOSED, Channel, Ground, Right, Status

CALIFORNIA = "US-CA"
LONGEST = timedelta(days=3_660)
OPT_OUTS = (Right.OBJECTION, Right.OPT_OUT_SALE, Right.WITHDRAW_CONSENT)
CCPA: Mapping[str, tuple[Right, ...]] = {
    "delete": (Right.ERASURE,),
    "correct": (Right.RECTIFICATION,),
    "know": (Right.ACCESS, Right.PORTABILITY),
    "opt out of sale or sharing": (Right.OPT_OUT_SALE,),
    "limit": (Right.RESTRICTION,),
}
"""What 11 CCR § 7102(a)(1) counts, and the rights that it is asked by; "limit" is the nearest there is."""
NOT_VERIFIABLE, NOT_BY_A_CONSUMER, EXEMPT, OTHER = "not_verifiable", "not_by_a_consumer", "exempt", "other"
CAUSES = (NOT_VERIFIABLE, NOT_BY_A_CONSUMER, EXEMPT, OTHER)
DENIED: Mapping[Ground, str] = {
    Ground.NOT_IDENTIFIED: NOT_VERIFIABLE,
    Ground.NO_AUTHORITY: NOT_BY_A_CONSUMER,
    Ground.RIGHTS_OF_OTHERS: EXEMPT,
    Ground.LEGAL_OBLIGATION: EXEMPT,
    Ground.LEGAL_CLAIMS: EXEMPT,
    Ground.FREE_EXPRESSION: EXEMPT,
    Ground.PUBLIC_INTEREST: EXEMPT,
    Ground.UNFOUNDED: OTHER,
    Ground.EXCESSIVE: OTHER,
    Ground.COMPELLING_GROUNDS: OTHER,
    Ground.NOT_APPLICABLE: OTHER,
    Ground.ACCURATE: OTHER,
}
"""Which of the four causes of 11 CCR § 7102(a)(2) each ground is; to disclose these is the business's choice."""

Cell = str | int | float | None


class PeriodError(DomainError):
    """A period that no report can be made of."""


@dataclass(frozen=True)
class Period:
    """Whole days, both ends included, as UTC counts them. Raises PeriodError."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise PeriodError("period_backwards", "A period ends after it begins.", field="last")
        if self.last - self.first > LONGEST:
            raise PeriodError("period_too_long", "Ask for ten years at most.", field="first")

    @property
    def begins(self) -> datetime:
        return datetime.combine(self.first, time(), tzinfo=UTC)

    @property
    def ends(self) -> datetime:
        return datetime.combine(self.last + timedelta(days=1), time(), tzinfo=UTC)


@dataclass(frozen=True)
class Table:
    """One table: `slug` names it in files and addresses, `note` says what it counts."""

    slug: str
    title: str
    headers: tuple[str, ...]
    rows: list[tuple[Cell, ...]]
    note: str = ""


@dataclass
class Line:
    """The figures of one right, one place, or all."""

    received: int = 0
    answered: int = 0
    late: int = 0
    median: float | None = None
    p90: float | None = None
    p99: float | None = None
    refused: int = 0
    extended: int = 0
    open: int = 0
    overdue: int = 0

    @property
    def cells(self) -> tuple[Cell, ...]:
        days = (self.median, self.p90, self.p99)
        return (self.received, self.answered, self.late, *days, self.refused, self.extended, self.open, self.overdue)


@dataclass
class Figures:
    """What was counted, by dimension and key; the dimension `all` has the key ''."""

    lines: dict[str, dict[str, Line]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Line)))
    refusals: list[tuple[str, str, int]] = field(default_factory=list)
    opt_outs: list[tuple[date, str, str, int]] = field(default_factory=list)
    ccpa: list[tuple[Any, ...]] = field(default_factory=list)


def tables(*, period: Period, at: datetime) -> list[Table]:
    """Every table of the period; what is open and overdue is as of `at`. Raises PeriodError."""
    if period.first > at.date():
        raise PeriodError("period_in_future", "That period has not begun.", field="first")
    figures = _figures(period, at)
    lines = figures.lines
    return [
        Table("summary", _("Summary"), _lined(), [lines["all"][""].cells], _counted()),
        Table("rights", _("By right"), (_("Right"), *_lined()), _keyed(lines["right"], lambda key: (_words(key),))),
        Table(
            "places",
            _("By place"),
            (_("Code"), _("Place"), *_lined()),
            _keyed(lines["jurisdiction"], lambda key: (key, name_of(key))),
        ),
        Table(
            "channels",
            _("By door"),
            (_("Door"), _("Received")),
            _received(lines["channel"], lambda key: str(Channel(key).label)),
        ),
        Table(
            "states",
            _("By state"),
            (_("State today"), _("Received")),
            _received(lines["status"], lambda key: str(Status(key).label)),
        ),
        _refusals(figures),
        _opt_outs(figures),
        _ccpa(figures, is_california=True),
        _ccpa(figures, is_california=False),
    ]


def _figures(period: Period, at: datetime) -> Figures:
    values: dict[str, Any] = {"begins": period.begins, "ends": period.ends, "at": at, "california": CALIFORNIA}
    values |= {"closed": sorted(CLOSED), "answered": sorted(ANSWERED), "opt_outs": sorted(OPT_OUTS)}
    counted = [(name, str(right)) for name, rights in CCPA.items() for right in rights]
    values |= {"names": [name for name, _right in counted], "rights": [right for _name, right in counted]}
    values |= {cause: [str(ground) for ground, its in DENIED.items() if its == cause] for cause in CAUSES}
    figures = Figures()
    with connection.cursor() as cursor:

        def rows(statement: str) -> list[Any]:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

        for dimension, key, count in rows(report_statements.RECEIVED):
            figures.lines[dimension][key].received = count
        for dimension, key, count, late, refused, days in rows(report_statements.ANSWERED):
            line = figures.lines[dimension][key]
            line.answered, line.late, line.refused = count, late, refused
            line.median, line.p90, line.p99 = (round(day, 1) for day in days)
        for dimension, key, count in rows(report_statements.EXTENDED):
            figures.lines[dimension][key].extended = count
        for dimension, key, count, overdue in rows(report_statements.OPEN):
            figures.lines[dimension][key].open, figures.lines[dimension][key].overdue = count, overdue
        figures.refusals = rows(report_statements.REFUSED)
        figures.opt_outs = rows(report_statements.OPTED_OUT)
        figures.ccpa = rows(report_statements.CCPA)
    return figures


def _lined() -> tuple[str, ...]:
    return (
        _("Received"),
        _("Answered"),
        _("Answered late"),
        _("Median days"),
        _("90th percentile"),
        _("99th percentile"),
        _("Refused"),
        _("Extended"),
        _("Open now"),
        _("Overdue now"),
    )


def _counted() -> str:
    return _(
        "Received, answered and extended count what happened in the period; days are calendar days from receipt to the "
        "answer, waits included. Open and overdue are as of now."
    )


def _words(code: str) -> str:
    return code.replace("_", " ")


def _keyed(lines: Mapping[str, Line], named: Callable[[str], tuple[str, ...]]) -> list[tuple[Cell, ...]]:
    ordered = sorted(lines.items(), key=lambda pair: (-pair[1].received, -pair[1].open, pair[0]))
    return [(*named(key), *line.cells) for key, line in ordered]


def _received(lines: Mapping[str, Line], named: Callable[[str], str]) -> list[tuple[Cell, ...]]:
    counted = sorted(((line.received, key) for key, line in lines.items() if line.received), reverse=True)
    return [(named(key), count) for count, key in counted]


def _refusals(figures: Figures) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (str(Ground(ground).label), _words(right), count) for ground, right, count in figures.refusals
    ]
    note = _("Requests that were refused in the period; each by two members of staff.")
    return Table("refusals", _("Refusals by ground"), (_("Ground"), _("Right"), _("Refused")), rows, note)


def _opt_outs(figures: Figures) -> Table:
    counts: dict[tuple[date, str], dict[str, int]] = defaultdict(dict)
    for month, place, right, count in figures.opt_outs:
        counts[month, place][right] = count
    rows: list[tuple[Cell, ...]] = [
        (month.strftime("%Y-%m"), place, name_of(place), *(found.get(right, 0) for right in OPT_OUTS))
        for (month, place), found in sorted(counts.items())
    ]
    headers = (_("Month"), _("Code"), _("Place"), *(_words(right) for right in OPT_OUTS))
    note = _("Requests by month of receipt. Choices on people's own pages and browsers' signals are in the ledger.")
    return Table("opt-outs", _("Opt-outs by place"), headers, rows, note)


def _ccpa(figures: Figures, *, is_california: bool) -> Table:
    """11 CCR § 7102(a)(1) and (2), for the requests received in the period; (b): those of all individuals."""
    found = {name: counts for name, of_california, *counts in figures.ccpa if of_california == is_california}
    rows = [(name, *_ccpa_cells(found.get(name))) for name in CCPA]
    headers = (
        *(_("Request to"), _("Received"), _("Complied with in whole"), _("In part"), _("Denied")),
        *(_("Withdrawn or expired"), _("Open"), _("Median days"), _("Mean days")),
        *(_("Denied at least in part: not verifiable"), _("Denied at least in part: not made by a consumer")),
        *(_("Denied at least in part: exempt from disclosure"), _("Denied at least in part: other grounds")),
    )
    title = _("CCPA § 7102: California") if is_california else _("CCPA § 7102: all individuals")
    note = _(
        "11 CCR § 7102(a)(1) counts a calendar year: choose 1 January to 31 December. It has to be published by 1 July "
        "of the next, by whoever handles the data of 10,000,000 or more consumers in a year. Requests to know are "
        "access and portability; to limit, restriction. Why something was denied, in whole or in part, may be "
        "published too, (a)(2); a request with several causes counts under each."
    )
    return Table("ccpa-california" if is_california else "ccpa-all", title, headers, rows, note)


def _ccpa_cells(counts: Sequence[Any] | None) -> tuple[Cell, ...]:
    if counts is None:
        return (0, 0, 0, 0, 0, 0, None, None, 0, 0, 0, 0)
    numbers, (median, mean), causes = counts[:6], counts[6:8], counts[8:]
    days = (None if median is None else round(median, 1), None if mean is None else round(float(mean), 1))
    return (*numbers, *days, *causes)
