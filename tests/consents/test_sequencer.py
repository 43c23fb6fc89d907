"""Positions without gaps, in an order that nobody who commits late can break."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction

from consents import ledger, sequencer
from consents.models import LedgerEvent, Position, SequencerState, Subject
from consents.tasks import sequence
from consents.vocabulary import Kind
from tests.conftest import AT, BY, sequenced

pytestmark = pytest.mark.django_db(transaction=True)


def write(note: str = "") -> LedgerEvent:
    with transaction.atomic():
        return ledger.append(kind=Kind.NOTICE, by=BY, at=AT, details={"note": note})


def order() -> list[str]:
    """The notes in the order of the log, whose positions must be 1, 2, 3 …"""
    places = Position.objects.order_by("position").select_related("event")
    assert [place.position for place in places] == list(range(1, len(places) + 1))
    return [place.event.details["note"] for place in places]


class Writer:
    """Somebody with a connection of their own, who writes and commits when told to."""

    def __init__(self) -> None:
        self.wrote, self.may_end = threading.Event(), threading.Event()
        self.thread: threading.Thread | None = None

    def begin(self, note: str, *, fail: bool = False) -> None:
        self.thread = threading.Thread(target=self._run, args=[note, fail])
        self.thread.start()
        assert self.wrote.wait(10)

    def end(self) -> None:
        self.may_end.set()
        assert self.thread is not None
        self.thread.join(10)

    def _run(self, note: str, fail: bool) -> None:
        try:
            with transaction.atomic():
                ledger.append(kind=Kind.NOTICE, by=BY, at=AT, details={"note": note})
                self.wrote.set()
                self.may_end.wait(30)
                if fail:
                    transaction.set_rollback(True)
        finally:
            connections.close_all()


@contextmanager
def writing(note: str, *, fail: bool = False) -> Iterator[Writer]:
    writer = Writer()
    writer.begin(note, fail=fail)
    try:
        yield writer
    finally:
        writer.end()


def test_events_get_positions_from_one_on_without_gaps() -> None:
    for note in "abc":
        write(note)
    assert sequenced() == 3
    assert order() == ["a", "b", "c"]


def test_a_turn_without_news_gives_nothing() -> None:
    write("a")
    sequenced()
    assert sequencer.advance(at=AT) == 0
    assert sequencer.head() == 1


def test_before_the_first_the_head_is_zero() -> None:
    assert sequencer.head() == 0
    assert sequencer.lag(at=AT).waiting == 0


def test_who_commits_late_is_not_skipped() -> None:
    with writing("early to begin, late to commit") as slow:
        write("late to begin, early to commit")
        sequencer.advance(at=AT)
        assert order() == []
        slow.end()
        sequenced()
    assert order() == ["early to begin, late to commit", "late to begin, early to commit"]


def test_what_was_placed_stays_when_somebody_commits_late() -> None:
    write("a")
    sequenced()
    with writing("b") as first, writing("c") as second:
        second.end()
        sequencer.advance(at=AT)
        assert order() == ["a"]
        first.end()
        sequenced()
    assert order() == ["a", "b", "c"]


def test_a_transaction_that_rolls_back_leaves_no_gap() -> None:
    write("a")
    with writing("never", fail=True):
        write("b")
    write("c")
    assert sequenced() == 3
    assert order() == ["a", "b", "c"]


def test_many_writers_and_sequencers_at_once_leave_no_gap_and_nobody_out() -> None:
    stop = threading.Event()

    def keep_writing(name: int) -> None:
        for number in range(25):
            write(f"{name}-{number}")

    def keep_sequencing() -> None:
        while not stop.is_set():
            sequencer.advance(at=AT)

    writers = [started(lambda name=name: keep_writing(name)) for name in range(4)]
    sequencers = [started(keep_sequencing) for _ in range(2)]
    for thread in writers:
        thread.join(30)
    stop.set()
    for thread in sequencers:
        thread.join(30)
    assert sequenced() == 100
    notes = order()
    for name in range(4):
        own = [note for note in notes if note.startswith(f"{name}-")]
        assert own == [f"{name}-{number}" for number in range(25)]


def started(work: Callable[[], Any]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_second_sequencer_does_not_wait_for_the_first() -> None:
    write("a")
    answers: list[int] = []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [sequencer._LOCK])
        started(lambda: answers.append(sequencer.advance(at=AT))).join(60)
        # answered while the first still holds the lock
        assert answers == [0]
    assert sequenced() == 1


def transaction_id() -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text")
        return int(cursor.fetchone()[0])


def test_after_a_restore_into_a_younger_cluster_everything_still_gets_a_position() -> None:
    write("placed before")
    sequenced()
    write("not placed before")
    far = transaction_id() + 1_000_000
    SequencerState.objects.update(horizon=far)
    write("written after")
    sequenced()
    assert sorted(order()[1:]) == ["not placed before", "written after"]
    assert SequencerState.objects.get().horizon < far


def test_events_of_the_older_cluster_are_placed_once_when_their_ids_come_round() -> None:
    soon = transaction_id() + 30
    LedgerEvent.objects.create(
        kind=Kind.NOTICE,
        source="staff",
        actor=BY,
        occurred_at=AT,
        recorded_at=AT,
        details={"note": "old"},
        transaction_id=soon,
    )
    SequencerState.objects.update_or_create(id=1, defaults={"horizon": soon + 1_000_000})
    sequenced()
    while transaction_id() <= soon + 1:
        pass
    write("new")
    sequenced()
    assert order() == ["old", "new"]


def test_the_lag_is_what_waits_and_for_how_long() -> None:
    write("a")
    sequenced()
    with writing("open"):
        write("b")
        sequencer.advance(at=AT)
        lag = sequencer.lag(at=AT + timedelta(seconds=90))
        assert (lag.waiting, lag.seconds) == (1, 90.0)
    sequenced()
    assert sequencer.lag(at=AT).waiting == 0


def test_an_event_knows_its_position_once_it_has_one() -> None:
    event = write("a")
    assert sequencer.position_of(event.pk) is None
    sequenced()
    assert sequencer.position_of(event.pk) == 1


def test_the_task_turns_the_sequencer_and_bears_with_unknown_words() -> None:
    write("a")
    give_up = time.monotonic() + 60
    while sequencer.head() == 0 and time.monotonic() < give_up:
        sequence(left_over_from="an older version")
    assert order() == ["a"]


def test_a_first_large_batch_does_not_read_all_positions_for_each_event(alice: Subject) -> None:
    many = """
        INSERT INTO consents_ledgerevent (id, kind, subject_id, purpose, recipient, category, action, source, actor,
                                          notice, details, occurred_at, recorded_at)
        SELECT gen_random_uuid(), 'choice', %s, 'ai-training', '', '', 'deny', 'import', 'command:test', '', '{}',
               %s, %s FROM generate_series(1, 3000)
    """
    with connection.cursor() as cursor:
        cursor.execute(many, [alice.pk, AT, AT])
        # what autovacuum does on a young installation: there is nothing here, the planner learns
        cursor.execute("ANALYZE consents_ledgerevent, consents_position")
    scans = "SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'consents_position'"
    with transaction.atomic(), connection.cursor() as cursor:
        # what the session did before and has not reported yet is counted too
        cursor.execute(scans)
        before = cursor.fetchone()[0]
        assert sequencer.advance(at=AT) >= 3000
        cursor.execute(scans)
        assert cursor.fetchone()[0] == before
