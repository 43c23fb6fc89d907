"""Sealing the log and verifying it: leaves of ledger rows, tiles, checkpoint; then all of it once more from the rows.

The floor is bare SHA-256 in one Python process: as many leaves of such a length, and as many nodes above them.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tests.load.bench import Row, Scale, peak_mib

if TYPE_CHECKING:
    from consents.log_verification import Report

_LEAVES = 2_000_000
_BATCH = 100_000
_ENTRY = b"heed-event-v1 choice " + b"0" * 64


def run(scale: Scale) -> Iterator[Row]:
    from consents import checkpoints, log_verification, sequencer
    from portal import clock
    from tests.consents.sealing import fill

    count = scale.of(_LEAVES)
    for _ in range(0, count, _BATCH):
        fill(_BATCH, at=clock.now())
    before = peak_mib()
    sequenced = _seconds(lambda: sequencer.advance(at=clock.now()))
    assert sequencer.head() == count, "an open transaction of somebody else's holds back the log"
    sealed = _seconds(lambda: checkpoints.seal(at=clock.now()))
    assert checkpoints.tree_size() == count
    note = f"sequenced at {count / sequenced:,.0f}/s; memory grew by {peak_mib() - before:,.0f} MiB"
    before = peak_mib()
    verified = _seconds(lambda: _intact(log_verification.verify()))
    grown = f"memory grew by {peak_mib() - before:,.0f} MiB"
    floor = _floor(count)
    yield _row("sequence", count, sequenced, floor, "≥ 25,000/s (an import)", "")
    yield _row("seal", count, sealed, floor, "≥ 50,000/s", note)
    yield _row("verify_log", count, verified, floor, "–", grown)


def _seconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def _intact(report: "Report") -> None:
    assert not report.findings, report.findings[:3]


def _row(what: str, count: int, seconds: float, floor: float, target: str, note: str) -> Row:
    return Row(
        what=what,
        size=f"{count:,} leaves",
        unit="leaves/s",
        ours=count / seconds,
        floor=count / floor,
        floor_is="bare SHA-256",
        more_is_better=True,
        target=target,
        note=note,
    )


def _floor(count: int) -> float:
    """Seconds for the hashes alone."""
    start = time.perf_counter()
    hashes = [hashlib.sha256(b"\0" + _ENTRY).digest() for _ in range(count)]
    while len(hashes) > 1:
        hashes = [
            hashlib.sha256(b"\1" + left + right).digest()
            for left, right in zip(hashes[::2], hashes[1::2], strict=False)
        ]
    return time.perf_counter() - start
