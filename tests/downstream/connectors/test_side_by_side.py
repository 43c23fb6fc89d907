"""Several at once, each result once, and nothing lost where one of them fails."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from downstream.connectors import open_connector
from downstream.connectors.base import ConnectorError, StagedUnit, UnitFinding
from downstream.connectors.side_by_side import staged_side_by_side
from tests.downstream.connectors.contract import unfenced


def finding(number: int) -> UnitFinding:
    return UnitFinding(unit=f"u{number}", fingerprint="", rows=1, matching=1, rows_per_key={})


def staged(of: UnitFinding) -> StagedUnit:
    return StagedUnit(
        unit=of.unit, temporary="", fingerprint="", before="", after="", size_before=0, size_after=0,
        rows_before=1, rows_after=0, rows_removed=1, digest="", links=1,
    )  # fmt: skip


def refusal(*, permanent: bool) -> ConnectorError:
    return ConnectorError("dataset_unreadable", "No.", permanent=permanent)


def until_error(results: Iterator[tuple[UnitFinding, StagedUnit]]) -> tuple[list[str], Exception | None]:
    """What was yielded, and what was raised in the end."""
    done = []
    try:
        for one, _ in results:
            done.append(one.unit)
    except (ConnectorError, ZeroDivisionError) as error:
        return done, error
    return done, None


def test_all_are_staged_and_each_is_told_with_its_finding() -> None:
    found = [finding(number) for number in range(7)]
    pairs = list(staged_side_by_side(staged, found, discard=print))
    assert sorted((one.unit, other.unit) for one, other in pairs) == [(f"u{n}", f"u{n}") for n in range(7)]


def test_two_are_staged_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=10)

    def together(of: UnitFinding) -> StagedUnit:
        both.wait()
        return staged(of)

    assert len(list(staged_side_by_side(together, map(finding, range(4)), discard=print))) == 4


def test_no_more_are_looked_for_than_are_staged() -> None:
    taken = []

    def looked_for() -> Iterator[UnitFinding]:
        for number in range(50):
            taken.append(number)
            yield finding(number)

    results = staged_side_by_side(staged, looked_for(), discard=print)
    for done in range(1, 20):
        next(results)
        assert len(taken) <= done + 2
    results.close()


def test_one_that_fails_does_not_keep_the_others_from_being_staged() -> None:
    def some(of: UnitFinding) -> StagedUnit:
        if of.unit in {"u1", "u3"}:
            raise refusal(permanent=of.unit == "u3")
        return staged(of)

    done, error = until_error(staged_side_by_side(some, map(finding, range(6)), discard=print))
    assert sorted(done) == ["u0", "u2", "u4", "u5"]
    assert isinstance(error, ConnectorError)
    assert error.permanent


def test_a_search_that_fails_at_its_end_loses_nothing() -> None:
    def looked_for() -> Iterator[UnitFinding]:
        yield finding(1)
        yield finding(2)
        raise refusal(permanent=True)

    done, error = until_error(staged_side_by_side(staged, looked_for(), discard=print))
    assert sorted(done) == ["u1", "u2"]
    assert isinstance(error, ConnectorError)


def test_any_other_error_ends_it_and_what_was_staged_is_thrown_away() -> None:
    staged_already = threading.Event()
    thrown: list[str] = []

    def one_of_two(of: UnitFinding) -> StagedUnit:
        if of.unit == "u0":
            staged_already.wait(10)
            raise ZeroDivisionError
        staged_already.set()
        return staged(of)

    results = staged_side_by_side(one_of_two, map(finding, range(2)), discard=lambda one: thrown.append(one.unit))
    taken, error = until_error(results)
    assert taken + thrown == ["u1"]
    assert isinstance(error, ZeroDivisionError)


def test_what_was_staged_when_the_search_breaks_is_thrown_away() -> None:
    made: list[str] = []
    thrown: list[str] = []

    def making(of: UnitFinding) -> StagedUnit:
        made.append(of.unit)
        return staged(of)

    def looked_for() -> Iterator[UnitFinding]:
        yield finding(0)
        yield finding(1)
        raise ZeroDivisionError

    results = staged_side_by_side(making, looked_for(), discard=lambda one: thrown.append(one.unit))
    taken, error = until_error(results)
    assert made
    assert sorted(taken + thrown) == sorted(made)
    assert isinstance(error, ZeroDivisionError)


def test_who_stops_early_leaves_nothing_behind(tmp_path: Path) -> None:
    for number in range(6):
        pq.write_table(pa.table({"person": ["m_go", "m_keep"], "n": [1, number]}), tmp_path / f"{number}.parquet")
    connector = open_connector("parquet_folder", str(tmp_path), "person", {})
    results = connector.stage_each(connector.find({"m_go"}), {"m_go"}, token="run-1")
    _, one = next(iter(results))
    assert isinstance(results, Iterator)
    results.close()  # type: ignore[attr-defined]
    assert [path.name for path in tmp_path.glob(".*")] == [one.temporary]
    connector.commit(one, fence=unfenced)
    assert sorted(pq.read_metadata(path).num_rows for path in tmp_path.iterdir()) == [1, 2, 2, 2, 2, 2]
