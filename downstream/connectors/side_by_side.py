"""Several units staged at once: while one is encoded, another is verified, and every processor has something to do.

Threads, because what takes the time (pyarrow, DuckDB, hashes) runs without Python's lock. How much is decoded at
the same time is bounded in `downstream.engines.room`.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from downstream.connectors.base import ConnectorError, StagedUnit, UnitFinding, report

WORKERS = 2
Pending = dict["Future[StagedUnit]", UnitFinding]


def staged_side_by_side(
    stage: Callable[[UnitFinding], StagedUnit],
    findings: Iterable[UnitFinding],
    *,
    discard: Callable[[StagedUnit], object],
) -> Iterator[tuple[UnitFinding, StagedUnit]]:
    """Stage every finding, WORKERS at once; yields them as they are done, in any order.

    Findings are taken as there is room for them, so that no more than WORKERS lie staged and not taken. A unit that
    cannot be staged does not keep the others from being: one ConnectorError is raised at the end, a permanent one
    before others. So is the one of `findings`. Any other error ends it at once. Whatever was staged when the caller
    stops, or an error ends it, is given to `discard`.
    """
    failures: list[ConnectorError] = []
    waiting = _until_refused(iter(findings), failures)
    pending: Pending = {}
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="heed-stage") as pool:
        try:
            _fill(pool, stage, waiting, pending, WORKERS)
            while pending:
                done, _ = wait(pending, return_when=FIRST_COMPLETED)
                first = done.pop()
                finding = pending[first]
                try:
                    staged = first.result()
                except ConnectorError as failure:
                    failures.append(failure)
                    staged = None
                # until it is taken it counts as pending, so that nothing that happens meanwhile leaves it behind
                _fill(pool, stage, waiting, pending, WORKERS + 1)
                del pending[first]
                if staged is not None:
                    yield finding, staged
        finally:
            _throw_away(pending, discard)
    report(failures, None)


def _until_refused(findings: Iterator[UnitFinding], failures: list[ConnectorError]) -> Iterator[UnitFinding]:
    try:
        yield from findings
    except ConnectorError as failure:
        failures.append(failure)


def _fill(
    pool: ThreadPoolExecutor,
    stage: Callable[[UnitFinding], StagedUnit],
    findings: Iterator[UnitFinding],
    pending: Pending,
    workers: int,
) -> None:
    while len(pending) < workers:
        finding = next(findings, None)
        if finding is None:
            return
        pending[pool.submit(stage, finding)] = finding


def _throw_away(pending: Pending, discard: Callable[[StagedUnit], object]) -> None:
    for future in pending:
        future.cancel()
    wait(pending)
    for future in pending:
        if not future.cancelled() and future.exception() is None:
            discard(future.result())
