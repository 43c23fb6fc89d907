"""On a ledger of several months, every hot read stays on indexes, and whoever knows an id reads one month."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection, transaction
from django.db.models import QuerySet
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from consents import change_feed, ledger, log, sequencer, told
from consents.models import LedgerEvent, Position, SequencerState
from consents.vocabulary import Kind
from portal import clock, partitions
from portal.models import AuditEntry, User
from portal.staff_pages import FirstThousands
from portal.staff_site import StaffSite
from tests.consents.growing import grow, somebody

pytestmark = pytest.mark.django_db

ROWS, PEOPLE, MONTHS = 200_000, 20_000, 6
_FROM_CURSOR = re.compile(r'DECLARE "\w+" NO SCROLL CURSOR (WITH HOLD )?FOR ')
BIG = ("consents_ledgerevent", "portal_auditentry", "consents_position")


@pytest.fixture(scope="module")
def history(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Made once for these tests, in a transaction that is rolled back after the last."""
    with django_db_blocker.unblock(), transaction.atomic():
        months = partitions.months(at=clock.now(), ahead=MONTHS - 1)
        grow(rows=ROWS, people=PEOPLE, since=months[0], until=months[-1])
        yield
        transaction.set_rollback(True)


def plan_of(statement: str) -> list[dict[str, Any]]:
    """Every node of the plan, executed, so that what is pruned at run time is known."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}")
        found = cursor.fetchone()[0]
    return list(_nodes((json.loads(found) if isinstance(found, str) else found)[0]["Plan"]))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for one in node.get("Plans", []):
        yield from _nodes(one)


def scans(nodes: list[dict[str, Any]]) -> list[str]:
    """Big tables that are read row by row, further than a list counts."""
    return sorted(
        node["Relation Name"]
        for node in nodes
        if node["Node Type"] == "Seq Scan"
        and node["Relation Name"].startswith(BIG)
        and node["Actual Rows"] + node.get("Rows Removed by Filter", 0) > FirstThousands.furthest
    )


def parts(nodes: list[dict[str, Any]], table: str) -> set[str]:
    """Partitions of the table that were looked into."""
    read = {node.get("Relation Name", "") for node in nodes if node["Actual Loops"] > 0}
    return {one for one in read if one.startswith(f"{table}_")}


def statements(act: Callable[[], object]) -> list[str]:
    """What `act` asks of the big tables, with its values."""
    with CaptureQueriesContext(connection) as asked:
        act()
    found = [_FROM_CURSOR.sub("", one["sql"]).lstrip() for one in asked.captured_queries]
    return [one for one in found if one.startswith(("SELECT", "WITH")) and any(table in one for table in BIG)]


def newest() -> LedgerEvent:
    return LedgerEvent.objects.order_by("-pk")[0]


def history_page() -> object:
    events = LedgerEvent.objects.filter(subject_id=somebody(7, PEOPLE), kind=Kind.CHOICE)
    return list(events.select_related("placed").order_by("-recorded_at", "-id")[:500])


def replay() -> object:
    ids = [somebody(number, PEOPLE) for number in range(50)]
    people = [told.Person(one, "US", False, clock.now()) for one in ids]
    return told._more(book=False, people=people, purposes=["ai-training", ""], at=clock.now())


def feed_page() -> object:
    everything = change_feed.Viewer(recipients=frozenset([""]), jurisdictions=(), schemes=())
    return change_feed.read(viewer=everything, after=ROWS // 2, limit=500)


def first_page(model: Any, **asked: str) -> Callable[[], object]:
    """What the staff's list asks for."""

    def show() -> object:
        site = StaffSite()
        page = type(admin.site._registry[model])(model, site)
        request = RequestFactory().get("/", asked)
        request.user = User(is_staff=True, is_superuser=True, is_active=True)
        listed = page.get_changelist_instance(request)
        return list(listed.result_list)

    return show


READS: dict[str, Callable[[], object]] = {
    "a person's history": history_page,
    "decisions as of a past moment": replay,
    "the feed's page": feed_page,
    "the log between two positions": lambda: list(log.entries(after=ROWS - 1000, until=ROWS - 500)),
    "how far the sequencer is behind": lambda: sequencer.lag(at=clock.now()),
    "an event's position": lambda: sequencer.position_of(newest().pk),
    "a receipt": lambda: LedgerEvent.objects.filter(pk=newest().pk, kind=Kind.CHOICE).first(),
    "the staff's ledger": first_page(LedgerEvent),
    "the staff's ledger by kind": first_page(LedgerEvent, kind__exact="hold_opened"),
    "the staff's ledger of a person": first_page(LedgerEvent, q="5f93f983-524d-ef3d-ca46-4694d6e7a3c0"),
    "the audit trail": first_page(AuditEntry),
    "the audit trail of an object": lambda: list(
        AuditEntry.objects.filter(object_type="subject", object_id=str(somebody(7, PEOPLE))).order_by("-at")[:50]
    ),
    "the audit trail, searched": first_page(AuditEntry, q="5f93f983-524d-ef3d-ca46-4694d6e7a3c0"),
}


@pytest.mark.parametrize("name", READS)
def test_reading_stays_on_indexes(history: None, name: str) -> None:
    asked = statements(READS[name])
    assert asked
    for statement in asked:
        assert scans(plan_of(statement)) == [], statement


def test_the_sequencer_looks_at_what_is_new_alone(history: None) -> None:
    state = SequencerState.objects.get()
    given = {"after": f"{state.horizon}", "horizon": f"{1 << 60}", "head": state.head, "at": "2030-01-01"}
    statement = sequencer._NEW % {
        name: f"'{value}'" if isinstance(value, str) else value for name, value in given.items()
    }
    with transaction.atomic():
        assert scans(plan_of(statement)) == []
        transaction.set_rollback(True)


def test_who_knows_an_id_reads_one_month(history: None) -> None:
    event = newest()
    for rows in (LedgerEvent.objects.filter(pk=event.pk), AuditEntry.objects.filter(pk=event.pk)):
        (statement,) = statements(lambda rows=rows: list(rows))  # type: ignore[misc]
        assert len(parts(plan_of(statement), rows.model._meta.db_table)) == 1


def test_the_feed_reads_only_the_months_that_its_page_lies_in(history: None) -> None:
    for statement in statements(feed_page):
        assert len(parts(plan_of(statement), "consents_ledgerevent")) <= 2, statement


def test_the_months_hold_what_was_made(history: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT tableoid), count(*) FROM consents_ledgerevent")
        assert cursor.fetchone() == (MONTHS, ROWS)
        assert Position.objects.count() == ROWS
        assert ledger.reference(newest().pk).startswith("R-")


def test_a_scan_would_be_seen(history: None) -> None:
    rows: QuerySet[LedgerEvent] = LedgerEvent.objects.filter(actor="nobody", kind=Kind.CHOICE)
    (statement,) = statements(lambda: list(rows))
    assert len(scans(plan_of(statement))) == MONTHS
