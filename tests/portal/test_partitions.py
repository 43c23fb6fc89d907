"""The months of the tables that only grow: made in time, and set right when they were not."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, ProgrammingError, connection, transaction

from consents import sequencer
from consents.models import LedgerEvent, Position, Subject
from consents.vocabulary import Kind, Source
from portal import checks, clock, partitions, tasks
from portal.models import AuditEntry
from tests.conftest import AT, BY, sequenced

LEDGER, TRAIL = partitions.TABLES


def far(months: int) -> datetime:
    """The middle of a month so many after this one, beyond what is made ahead when above AHEAD."""
    return partitions.months(at=clock.now(), ahead=months)[-2] + timedelta(days=14)


def event(moment: datetime) -> LedgerEvent:
    """An event whose id tells this moment."""
    pk = uuid.UUID(int=(int(moment.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | uuid.uuid4().int >> 66)
    return LedgerEvent.objects.create(
        id=pk, kind=Kind.PEOPLE, source=Source.STAFF, actor=BY, details={"n": 1}, occurred_at=AT, recorded_at=AT
    )


def entry(moment: datetime) -> AuditEntry:
    pk = uuid.UUID(int=(int(moment.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | uuid.uuid4().int >> 66)
    return AuditEntry.objects.create(id=pk, at=AT, actor=BY, action="a", object_type="o", object_id="1")


def it_is(moment: datetime, monkeypatch: Any) -> None:
    monkeypatch.setattr(clock, "now", lambda: moment)


def place_of(table: str, pk: uuid.UUID) -> str:
    """The partition in which a row lies."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT tableoid::regclass::text FROM {table} WHERE id = %s", [pk])
        return str(cursor.fetchone()[0])


@pytest.mark.parametrize(
    ("at", "first", "last"),
    [
        (
            datetime(2026, 11, 30, 23, 59, tzinfo=UTC),
            datetime(2026, 11, 1, tzinfo=UTC),
            datetime(2027, 2, 1, tzinfo=UTC),
        ),
        (datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC)),
    ],
)
def test_months_go_from_this_one_to_the_end_of_the_last(at: datetime, first: datetime, last: datetime) -> None:
    found = partitions.months(at=at, ahead=2)
    assert (found[0], found[-1], len(found)) == (first, last, 4)


def test_both_tables_are_kept_by_months_and_are_fine(db: None) -> None:
    assert [one.table for one in partitions.state(at=clock.now())] == [LEDGER, TRAIL]
    assert all(one.is_fine and one.ahead >= partitions.FEWEST for one in partitions.state(at=clock.now()))
    assert checks.months_are_ready() == []


@pytest.mark.parametrize("table", partitions.TABLES)
def test_a_row_of_now_lies_in_its_month(alice: Subject, table: str) -> None:
    newest = (LedgerEvent if table == LEDGER else AuditEntry).objects.order_by("-pk")[0]
    assert place_of(table, newest.pk) == partitions.name_of(table, clock.now())


@pytest.mark.parametrize("table", partitions.TABLES)
@pytest.mark.parametrize("change", ["UPDATE {} SET actor = 'x'", "DELETE FROM {}"])
@pytest.mark.parametrize("where", ["", "_default", "month", "_before"])
def test_history_is_refused_to_change_in_parent_and_partitions(
    alice: Subject, table: str, change: str, where: str
) -> None:
    moments = {"_default": far(40), "_before": datetime(2020, 1, 1, tzinfo=UTC)}
    if where in moments:
        (event if table == LEDGER else entry)(moments[where])
    name = partitions.name_of(table, clock.now()) if where == "month" else f"{table}{where}"
    with pytest.raises(ProgrammingError, match="Cannot update or delete"), connection.cursor() as cursor:
        cursor.execute(change.format(name))


def test_time_going_on_is_warned_of_until_months_are_made(db: None) -> None:
    later = far(partitions.AHEAD - 1)
    assert [one.ahead for one in partitions.state(at=later)] == [1, 1]
    assert not any(one.is_fine for one in partitions.state(at=later))
    made = partitions.make(at=later)
    assert len(made) == 2 * (partitions.AHEAD - 1)
    assert partitions.make(at=later) == []
    assert all(one.is_fine for one in partitions.state(at=later))


def test_a_check_says_what_to_do(db: None, monkeypatch: Any) -> None:
    it_is(far(30), monkeypatch)
    warnings = checks.months_are_ready()
    assert [one.id for one in warnings] == ["heed.W004"] * 2
    assert all("make_partitions" in one.hint for one in warnings)


def test_the_daily_turn_makes_what_is_missing(db: None, monkeypatch: Any) -> None:
    it_is(far(20), monkeypatch)
    tasks.make_partitions()
    assert checks.months_are_ready() == []


def test_a_role_that_may_not_make_them_is_told_so_and_not_stopped(db: None, caplog: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE heed_test_rows")
        cursor.execute("SET LOCAL ROLE heed_test_rows")
        with transaction.atomic():
            assert partitions.keep_ready(at=far(20)) == []
        cursor.execute("RESET ROLE")
    assert "owner" in caplog.text


@pytest.mark.django_db(transaction=True)
class TestStrays:
    """Rows that came before their month was made, with positions that refer to them."""

    @pytest.fixture(autouse=True)
    def tidy(self, transactional_db: None) -> Any:
        """Partitions outlive a test's rows; leave those that the other tests expect."""
        before = {table: set(partitions.existing(table)) for table in partitions.TABLES}
        with connection.cursor() as cursor:
            # positions do without; some other table may have one
            cursor.execute(
                "ALTER TABLE consents_position ADD CONSTRAINT of_this_test FOREIGN KEY (event_id)"
                " REFERENCES consents_ledgerevent (id) DEFERRABLE INITIALLY DEFERRED"
            )
        yield
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE consents_position DROP CONSTRAINT of_this_test")
            cursor.execute("TRUNCATE consents_ledgerevent, portal_auditentry, consents_position")
            for table, names in before.items():
                for name in set(partitions.existing(table)) - names:
                    cursor.execute(f"ALTER TABLE {table} DETACH PARTITION {name}")
                    cursor.execute(f"DROP TABLE {name}")

    def test_they_move_into_their_months_whole(self, world: None) -> None:
        strays = [event(far(month)) for month in (8, 9, 9, 11)] + [event(clock.now())]
        kept = {one.pk: one for one in LedgerEvent.objects.all()}
        head = sequenced()
        places = dict(Position.objects.values_list("event_id", "position"))
        assert [place_of(LEDGER, one.pk) for one in strays[:4]] == [f"{LEDGER}_default"] * 4
        later = far(12)
        # a month that is taken is not made beside its rows
        made = partitions.make(at=far(9), ahead=0)
        assert made == [f"{TRAIL}_{far(9):%Y_%m}"]
        assert partitions.move_strays(table=LEDGER, at=later) == 4
        assert [place_of(LEDGER, one.pk) for one in strays[:4]] == [
            partitions.name_of(LEDGER, far(month)) for month in (8, 9, 9, 11)
        ]
        after = {one.pk: one for one in LedgerEvent.objects.all()}
        assert {pk: vars(one) | {"_state": None} for pk, one in after.items()} == {
            pk: vars(one) | {"_state": None} for pk, one in kept.items()
        }
        assert dict(Position.objects.values_list("event_id", "position")) == places
        assert partitions.validate() == 1
        assert partitions.validate() == 0
        # and everything goes on: refused changes, references, positions
        with pytest.raises(ProgrammingError, match="Cannot update or delete"):
            LedgerEvent.objects.filter(pk=strays[0].pk).delete()
        event(later)
        assert sequenced() == head + 1
        assert sequencer.advance(at=AT) == 0

    def test_ids_of_no_real_time_stay_and_are_reported(self, world: None) -> None:
        LedgerEvent.objects.create(
            id=uuid.UUID(int=(1 << 128) - 1),
            kind=Kind.PEOPLE,
            source=Source.STAFF,
            actor=BY,
            occurred_at=AT,
            recorded_at=AT,
        )
        entry(far(9))
        assert partitions.move_strays(table=LEDGER, at=clock.now()) == 0
        assert partitions.move_strays(table=TRAIL, at=far(9)) == 1
        assert {one.table: one.stray for one in partitions.state(at=clock.now())} == {LEDGER: 1, TRAIL: 0}

    def test_a_table_that_others_keep_is_left_as_it_is(self, world: None, monkeypatch: Any) -> None:
        stray = event(far(8))
        monkeypatch.setattr(partitions, "_PATIENCE", "50ms")
        other = connection.copy()
        try:
            with other.cursor() as cursor:
                cursor.execute("BEGIN")
                cursor.execute("SELECT count(*) FROM consents_ledgerevent")
            with pytest.raises(OperationalError):
                partitions.move_strays(table=LEDGER, at=far(8))
            with pytest.raises(CommandError, match="busy"):
                call_command("make_partitions")
        finally:
            other.close()
        assert place_of(LEDGER, stray.pk) == f"{LEDGER}_default"
        assert Position._meta.get_field("event").remote_field is not None

    def test_the_command_sets_everything_right(self, world: None, capsys: Any, monkeypatch: Any) -> None:
        event(far(8))
        entry(far(8))
        it_is(far(8), monkeypatch)
        assert len(checks.months_are_ready()) == 2
        call_command("make_partitions", "--ahead", "3")
        assert "2 rows moved" in capsys.readouterr().out
        assert checks.months_are_ready() == []


@pytest.mark.parametrize("ahead", ["-1", "121"])
def test_nonsense_is_refused(db: None, ahead: str) -> None:
    with pytest.raises(CommandError):
        call_command("make_partitions", f"--ahead={ahead}")
