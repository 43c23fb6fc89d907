"""The snapshots that this process has in memory: one for each scheme, loaded or built when first asked for."""

import threading
from datetime import datetime

import structlog
from django.db import connection

from consents import regime
from consents.bulk_decisions import answers, building, files
from consents.bulk_decisions.answers import Answers, Asked
from consents.bulk_decisions.log_forward import TooFar, bring_forward
from consents.bulk_decisions.snapshots import Snapshot

logger = structlog.get_logger(__name__)

_MOST_QUESTIONS = 16
_kept: dict[str, Snapshot] = {}
_lock = threading.Lock()


def answered(snapshot: Snapshot, asked: Asked, *, now: datetime, at: datetime | None) -> Answers | None:
    """The answers to the question as of this moment, derived only where those at hand do not do.

    Without `at`, as of `now`, or of the latest entry or rule where another machine's clock is ahead of ours; None where
    `at` is too early for this snapshot.
    """
    with snapshot.lock:
        if at is not None and at < snapshot.latest:
            return None
        # read after the log: what the position covers is in the rulebook too
        book = regime.current()
        moment = at or max(now, snapshot.latest, book.latest)
        found = snapshot.answers.get(asked)
        if found is not None and found.holds_at(book, moment):
            answers.let_lapse(snapshot, found, at=moment)
            return found
        found = answers.derive(snapshot, asked, book=book, at=moment)
        snapshot.answers.pop(asked, None)
        if len(snapshot.answers) >= _MOST_QUESTIONS:
            del snapshot.answers[next(iter(snapshot.answers))]
        snapshot.answers[asked] = found
        return found


def fetch(scheme: str, *, now: datetime) -> Snapshot:
    """The snapshot, with everything that is committed.

    Inside a transaction it is built for this call alone: what the transaction changed may yet be rolled back.
    """
    if connection.in_atomic_block:
        return building.build(scheme)
    kept = _kept.get(scheme)
    if kept is not None and _is_forward(kept, now=now):
        return kept
    with _lock:
        again = _kept.get(scheme)
        if again is not None and again is not kept and _is_forward(again, now=now):
            return again
        snapshot = _loaded_or_built(scheme, now=now)
        # before the first position nothing tells one database from another, or from itself after a restore
        if snapshot.position:
            _kept[scheme] = snapshot
        return snapshot


def rebuild(scheme: str) -> Snapshot:
    """Build anew and save for the other processes."""
    with _lock, files.one_at_a_time(scheme):
        snapshot = building.build(scheme)
        if snapshot.position:
            files.save(snapshot)
            _kept[scheme] = snapshot
    return snapshot


def let_go() -> None:
    """Forget every snapshot of this process; files stay."""
    with _lock:
        _kept.clear()


def _loaded_or_built(scheme: str, *, now: datetime) -> Snapshot:
    try:
        with files.one_at_a_time(scheme):
            loaded = files.load(scheme)
            if loaded is not None and _is_forward(loaded, now=now):
                return loaded
            snapshot = building.build(scheme)
            if snapshot.position:
                files.save(snapshot)
            return snapshot
    except OSError as error:
        logger.warning("bulk_decisions.snapshot_not_saved", scheme=scheme, error=type(error).__name__)
        return building.build(scheme)


def _is_forward(snapshot: Snapshot, *, now: datetime) -> bool:
    with snapshot.lock:
        try:
            bring_forward(snapshot, at=now)
        except TooFar:
            return False
    return True
