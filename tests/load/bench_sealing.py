"""Sealing the log and verifying it: leaves of ledger rows, tiles, checkpoint; then all of it once more from the rows.

The floor is bare SHA-256 in one Python process: as many leaves of such a length, and as many nodes above them.
"""

import hashlib
import time
from collections.abc import Iterator

from tests.load.bench import Row, Scale, peak_mib

_LEAVES = 2_000_000
_BATCH = 100_000
_ENTRY = b"heed-event-v1 choice " + b"0" * 64


def run(scale: Scale) -> Iterator[Row]:
    from consents import checkpoints, sequencer
    from portal import clock
    from tests.consents.sealing import fill

    count = scale.of(_LEAVES)
    for _ in range(0, count, _BATCH):
        fill(_BATCH)
    start = time.perf_counter()
    while sequencer.advance(at=clock.now()):
        pass
    sequenced = time.perf_counter() - start
    assert sequencer.head() == count, "an open transaction of somebody else's holds back the log"
    floor = _floor(count)
    start = time.perf_counter()
    assert checkpoints.seal(at=clock.now()) == count
    sealed = time.perf_counter() - start
    note = f"peak {peak_mib():,.0f} MiB; sequenced at {count / sequenced:,.0f}/s"
    yield _row("seal", count, sealed, floor, "≥ 50,000/s", note)


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
