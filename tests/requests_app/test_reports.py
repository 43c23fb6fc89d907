"""The figures of a period are those that one counts by hand, however many requests there are."""

import csv
import io
import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from requests_app import report_files, reports
from requests_app.models import Redaction, Request, Task
from requests_app.reports import CCPA, Cell, Period, PeriodError, Table
from requests_app.states import ANSWERED, CLOSED, Channel, Ground, Right, Status, TaskStatus
from tests.conftest import BY
from tests.requests_app.legal_clock.running import unsaved

YEAR = Period(date(2026, 1, 1), date(2026, 12, 31))
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PLACES = ["GB", "DE", "US-CA", "US-VA", "NZ", "BR", "TR"]
OUTCOMES = [Status.FULFILLED, Status.FULFILLED, Status.PARTIALLY_FULFILLED, Status.REFUSED]
OUTCOMES += [Status.WITHDRAWN, Status.EXPIRED, Status.RECEIVED, Status.RECEIVED]


def made_up(count: int, *, seed: int) -> list[Request]:
    """So many requests of a year and a half, stored; what became of each is drawn."""
    draw = random.Random(seed)
    known = {(place, right): unsaved(place, right, NOW) for place in PLACES for right in Right.values}
    requests = []
    for _ in range(count):
        place, right = draw.choice(PLACES), draw.choice(Right.values)
        received = datetime(2025, 7, 1, tzinfo=UTC) + timedelta(minutes=draw.randrange(500 * 24 * 60))
        first = known[place, right]
        status = draw.choice(OUTCOMES)
        request = Request(
            right=right,
            jurisdiction=place,
            status=status,
            received_at=received,
            channel=draw.choice(Channel.values),
            rule=first.rule,
            # all that reports read of them
            terms={"timezone": first.terms["timezone"]},
            rulebook_digest=first.rulebook_digest,
            group=first.group,
            due_on=(received + timedelta(days=draw.randrange(10, 60))).date(),
        )
        if status in CLOSED:
            request.closed_at = received + timedelta(minutes=draw.randrange(70 * 24 * 60))
        if status == Status.REFUSED:
            request.refusal_ground = draw.choice(Ground.values)
        if draw.random() < 0.1:
            request.extended_at = received + timedelta(days=draw.randrange(30))
        requests.append(request)
    return requests


def stored(count: int, *, seed: int) -> list[Request]:
    requests = made_up(count, seed=seed)
    Request.objects.bulk_create(requests, batch_size=2_000)
    return requests


def local(request: Request, moment: datetime) -> date:
    return moment.astimezone(ZoneInfo(request.terms["timezone"])).date()


def percentile(days: list[int], share: float) -> float:
    """PERCENTILE_CONT, as SQL:2003 defines it: linear between the neighbours."""
    ordered = sorted(days)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def is_in(period: Period, moment: datetime | None) -> bool:
    return moment is not None and period.first <= moment.date() <= period.last


def by_hand(requests: list[Request], period: Period) -> tuple[Cell, ...]:
    """One line of figures, in plain Python."""
    answered = [one for one in requests if one.status in ANSWERED and is_in(period, one.closed_at)]
    days = [(local(one, one.closed_at) - local(one, one.received_at)).days for one in answered if one.closed_at]
    shares = [round(percentile(days, share), 1) if days else None for share in (0.5, 0.9, 0.99)]
    opened = [one for one in requests if one.status not in CLOSED]
    return (
        sum(is_in(period, one.received_at) for one in requests),
        len(answered),
        sum(local(one, one.closed_at) > one.due_on for one in answered if one.closed_at),
        *shares,
        sum(one.status == Status.REFUSED for one in answered),
        sum(is_in(period, one.extended_at) for one in requests),
        len(opened),
        sum(one.due_on < local(one, NOW) for one in opened),
    )


def rows_of(found: list[Table], slug: str) -> list[tuple[Cell, ...]]:
    return next(table.rows for table in found if table.slug == slug)


def check_lines(requests: list[Request], found: list[Table]) -> None:
    assert rows_of(found, "summary") == [by_hand(requests, YEAR)]
    rights = {
        right.replace("_", " "): by_hand([one for one in requests if one.right == right], YEAR)
        for right in Right.values
    }
    assert {row[0]: row[1:] for row in rows_of(found, "rights")} == with_something(rights)
    places = {place: by_hand([one for one in requests if one.jurisdiction == place], YEAR) for place in PLACES}
    assert {row[0]: row[2:] for row in rows_of(found, "places")} == with_something(places)


def with_something(lines: dict[str, tuple[Cell, ...]]) -> dict[str, tuple[Cell, ...]]:
    return {key: line for key, line in lines.items() if any(line)}


def check_counts(requests: list[Request], found: list[Table]) -> None:
    received = [one for one in requests if is_in(YEAR, one.received_at)]
    assert dict(rows_of(found, "channels")) == Counter(one.get_channel_display() for one in received)
    assert dict(rows_of(found, "states")) == Counter(one.get_status_display() for one in received)
    refused = Counter(
        (one.get_refusal_ground_display(), one.right.replace("_", " "))
        for one in requests
        if one.status == Status.REFUSED and is_in(YEAR, one.closed_at)
    )
    assert {row[:2]: row[2] for row in rows_of(found, "refusals")} == refused
    months = Counter(
        (one.received_at.strftime("%Y-%m"), one.jurisdiction, one.right)
        for one in received
        if one.right in reports.OPT_OUTS
    )
    counted = {
        (row[0], row[1], right): row[3 + place]
        for row in rows_of(found, "opt-outs")
        for place, right in enumerate(reports.OPT_OUTS)
        if row[3 + place]
    }
    assert counted == months


def check_ccpa(requests: list[Request], found: list[Table], *, slug: str, place: str) -> None:
    rows = {row[0]: row[1:] for row in rows_of(found, slug)}
    assert rows.keys() == CCPA.keys()
    for name, rights in CCPA.items():
        received = [one for one in requests if is_in(YEAR, one.received_at) and place in {"", one.jurisdiction}]
        assert rows[name] == metrics([one for one in received if one.right in rights])


def metrics(asked: list[Request]) -> tuple[Cell, ...]:
    """What 11 CCR § 7102 counts of one kind of request, in plain Python."""
    states = Counter(one.status for one in asked)
    answered = [one for one in asked if one.status in ANSWERED]
    days = [(local(one, one.closed_at) - local(one, one.received_at)).days for one in answered if one.closed_at]
    return (
        len(asked),
        states[Status.FULFILLED],
        states[Status.PARTIALLY_FULFILLED],
        states[Status.REFUSED],
        states[Status.WITHDRAWN] + states[Status.EXPIRED],
        states[Status.RECEIVED],
        round(percentile(days, 0.5), 1) if days else None,
        round(sum(days) / len(days), 1) if days else None,
        *(
            sum(reports.DENIED.get(Ground(one.refusal_ground)) == cause for one in asked if one.refusal_ground)
            for cause in reports.CAUSES
        ),
    )


@pytest.mark.parametrize(("count", "seed"), [(30, 1), (400, 2), (10_000, 3)])
def test_every_figure_is_the_one_counted_by_hand(db: None, count: int, seed: int) -> None:
    requests = stored(count, seed=seed)
    found = reports.tables(period=YEAR, at=NOW)
    check_lines(requests, found)
    check_counts(requests, found)
    check_ccpa(requests, found, slug="ccpa-california", place="US-CA")
    check_ccpa(requests, found, slug="ccpa-all", place="")


def test_a_report_of_nothing_is_empty_and_no_error(db: None) -> None:
    found = reports.tables(period=YEAR, at=NOW)
    assert rows_of(found, "summary") == [(0, 0, 0, None, None, None, 0, 0, 0, 0)]
    assert rows_of(found, "ccpa-california")[0] == ("delete", 0, 0, 0, 0, 0, 0, None, None, 0, 0, 0, 0)
    assert {table.slug for table in found if not table.rows} == {
        "rights",
        "places",
        "channels",
        "states",
        "refusals",
        "opt-outs",
    }


def test_every_ground_is_one_of_californias_causes() -> None:
    assert set(reports.DENIED) == set(Ground)
    assert set(reports.DENIED.values()) == set(reports.CAUSES)


def test_what_was_left_out_of_an_answer_counts_once_for_each_cause(db: None) -> None:
    """Two systems and a redaction, on two causes: one request under each of them; what was put back is no cause."""
    kept, whole, refused = (
        unsaved("US-CA", "access", NOW - timedelta(days=9), status=status, closed_at=NOW)
        for status in (Status.PARTIALLY_FULFILLED, Status.FULFILLED, Status.REFUSED)
    )
    refused.refusal_ground = Ground.NOT_IDENTIFIED
    Request.objects.bulk_create([kept, whole, refused])
    for number, ground in enumerate((Ground.LEGAL_OBLIGATION, Ground.LEGAL_CLAIMS)):
        settled = {"status": TaskStatus.EXEMPTED, "settled_at": NOW, "settled_by": BY, "planned_at": NOW}
        Task.objects.create(request=kept, kind="manual", code=f"collect{number}", ground=ground, **settled)
    left_out = {"request": kept, "sealed_what": b"", "sealed_reason": b"", "made_at": NOW, "made_by": BY}
    Redaction.objects.create(**left_out, ground=Ground.RIGHTS_OF_OTHERS)
    Redaction.objects.create(**left_out, ground=Ground.EXCESSIVE)
    Redaction.objects.create(**left_out, ground=Ground.NO_AUTHORITY, undone_at=NOW, undone_by=BY)
    table = next(one for one in reports.tables(period=YEAR, at=NOW) if one.slug == "ccpa-california")
    row = dict(zip(table.headers, next(one for one in table.rows if one[0] == "know"), strict=True))
    causes = {name.partition(": ")[2]: count for name, count in row.items() if name.startswith("Denied at")}
    assert causes == {
        "not verifiable": 1,
        "not made by a consumer": 0,
        "exempt from disclosure": 1,
        "other grounds": 1,
    }
    assert "1 July" in table.note
    assert "10,000,000" in table.note
    assert "Denied at least in part: other grounds" in report_files.as_csv(table).decode("utf-8-sig")
    sheet = openpyxl.load_workbook(io.BytesIO(report_files.as_xlsx([table])))["ccpa-california"]
    assert [cell.value for cell in sheet[4]][-4:] == [1, 0, 1, 1]


def test_a_period_takes_both_of_its_ends_in(db: None) -> None:
    ends = [datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)]
    beyond = [datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)]
    Request.objects.bulk_create([unsaved("DE", "access", moment) for moment in ends + beyond])
    found = reports.tables(period=Period(date(2026, 3, 1), date(2026, 3, 31)), at=NOW)
    assert rows_of(found, "summary")[0][0] == 2


def test_the_number_of_queries_is_fixed(db: None, django_assert_num_queries: Any) -> None:
    stored(200, seed=4)
    with django_assert_num_queries(7):
        reports.tables(period=YEAR, at=NOW)


@pytest.mark.parametrize(
    ("first", "last", "code"),
    [
        (date(2026, 3, 2), date(2026, 3, 1), "period_backwards"),
        (date(2010, 1, 1), date(2026, 3, 1), "period_too_long"),
        (date(2026, 11, 21), date(2026, 12, 1), "period_in_future"),
    ],
)
def test_a_period_that_cannot_be_is_refused(db: None, first: date, last: date, code: str) -> None:
    with pytest.raises(PeriodError) as refused:
        reports.tables(period=Period(first, last), at=NOW)
    assert refused.value.code == code


TABLE = Table("odd", "Odd", ("What", "=1+1"), [("=HYPERLINK(1)", 2), ("-3", -3), ("Québec", None), ("plain", 4.5)])


def test_a_csv_holds_the_rows_and_runs_nothing() -> None:
    content = report_files.as_csv(TABLE)
    read = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert read == [
        ["What", "'=1+1"],
        ["'=HYPERLINK(1)", "2"],
        ["'-3", "-3"],
        ["Québec", ""],
        ["plain", "4.5"],
    ]


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1"])
def test_text_that_begins_like_a_formula_is_marked(text: str) -> None:
    assert report_files.safe(text) == f"'{text}"


def test_a_spreadsheet_has_a_sheet_for_each_table_and_no_formula(db: None) -> None:
    found = [*reports.tables(period=YEAR, at=NOW), TABLE]
    book = openpyxl.load_workbook(io.BytesIO(report_files.as_xlsx(found)))
    assert book.sheetnames == [table.slug for table in found]
    sheet = book["odd"]
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [
        ["What", "=1+1"],
        ["=HYPERLINK(1)", 2],
        ["-3", -3],
        ["Québec", None],
        ["plain", 4.5],
    ]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} == {"s", "n"}
