"""Reckoning the due date of every open request anew, as happens once a day: 100,000 requests in 20 jurisdictions.

Received over 90 days, three rights; of one in ten we wait for the person, so that its day moves from day to day. The
floor is reading what is reckoned from, the same rows and their pauses, in one query each. Seconds are
scaled to 100,000.
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.load.bench import Row, Scale, median_seconds, peak_mib

if TYPE_CHECKING:
    from requests_app.models import Request

_REQUESTS = 100_000
_FIRST = datetime(2026, 3, 2, 12, tzinfo=UTC)
_LAST = _FIRST + timedelta(days=90)
_PLACES = "GB GB-SCT DE FR IE NO CH US-CA US-VA US-CO US-TX US-NY BR CA CA-QC IN JP NZ AU TR".split()  # noqa: SIM905 -- a list to read
_RIGHTS = ("access", "erasure", "rectification")
_WAITS_ONE_IN = 10


def run(scale: Scale) -> Iterator[Row]:
    from requests_app import legal_clock

    count = scale.of(_REQUESTS)
    _fill(count)
    first = _seconds(lambda: legal_clock.recompute_all(at=_LAST))
    floor = median_seconds(_read)
    before, busy = peak_mib(), time.process_time()
    still = median_seconds(lambda: _none(legal_clock.recompute_all(at=_LAST)))
    busy = (time.process_time() - busy) / 3 * _REQUESTS / count
    grown = f"{busy:.1f} s of our processor; memory grew by {peak_mib() - before:,.0f} MiB"
    day, moved = _LAST, 0

    def next_day() -> None:
        nonlocal day, moved
        day += timedelta(days=7)
        moved = legal_clock.recompute_all(at=day)

    moving = median_seconds(next_day)
    yield _row("nothing moves", count, still, floor, f"{grown}; the first time {first * _REQUESTS / count:.1f} s")
    yield _row("what waits moves", count, moving, floor, f"{moved:,} moved, each with its timeline and audit entry")


def _fill(count: int) -> None:
    from requests_app.models import Pause, Request
    from requests_app.rulebook import Wait

    for begin in range(0, count, 5_000):
        batch = [_request(number) for number in range(begin, min(begin + 5_000, count))]
        Request.objects.bulk_create(batch)
        waiting = batch[::_WAITS_ONE_IN]
        Pause.objects.bulk_create(
            [Pause(request=one, reason=Wait.IDENTITY, began_at=one.received_at) for one in waiting]
        )


def _request(number: int) -> "Request":
    from tests.requests_app.legal_clock.running import unsaved

    received = _FIRST + timedelta(minutes=number * 97 % (90 * 24 * 60))
    return unsaved(_PLACES[number % len(_PLACES)], _RIGHTS[number // 7 % 3], received)


def _read() -> None:
    from requests_app.models import Pause, Request

    columns = ("pk", "right", "jurisdiction", "received_at", "identity_confirmed_at", "due_on", "acknowledge_by")
    list(Request.objects.open().values_list(*columns))
    list(Pause.objects.values_list("request_id", "reason", "began_at", "ended_at"))


def _none(moved: int) -> None:
    assert moved == 0, moved


def _seconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def _row(what: str, count: int, seconds: float, floor: float, note: str) -> Row:
    return Row(
        what=what,
        size=f"{count:,} open requests",
        unit="s",
        ours=seconds * _REQUESTS / count,
        floor=floor * _REQUESTS / count,
        floor_is="reading the same rows",
        more_is_better=False,
        target="≤ 5 s",
        note=note,
    )
