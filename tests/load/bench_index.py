"""The subject index of a folder of Parquet files: making it, its size, asking it, and what ten times the data costs.

Zstd files of five row groups of 62,500 rows, a person's ten rows anywhere; the floor is a bare scan of the key column
by DuckDB for 10,000 people, which is how people are found without an index (polars' scan is in the note). At a tenth
these are 6 files instead of 64. Growth is from 6 files to 64, at a tenth of smaller ones; whom the removal is measured
by has rows in as many files of both, so that the rewriting is the same.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from downstream.connectors import open_connector
from downstream.connectors.file_folder import FileFolder
from downstream.subject_index import Place
from tests.load.bench import Row, Scale, median_seconds, peak_mib

_FILES, _FEW = 64, 6
_ROWS_OF_FILE = 312_500
_REMOVED = [f"p_{number}" for number in range(5)]
_SPREAD = 5
"""Files that each of the removed has rows in."""


def run(scale: Scale) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="heed-bench-") as place:
        yield from _rows(scale, Path(place))


def _rows(scale: Scale, place: Path) -> Iterator[Row]:
    data = _Dataset(place / "data", scale.of(_FILES), _ROWS_OF_FILE)
    size = f"{scale.of(_FILES) * _ROWS_OF_FILE:,} rows"
    before = peak_mib()
    build = median_seconds(data.build, before=data.forget, times=5)
    grown = peak_mib() - before
    scan = median_seconds(data.scan, times=5)
    by_polars = median_seconds(data.scan_by_polars, times=5)
    note = f"polars scans in {by_polars:.2g} s; memory grew by {grown:,.0f} MiB"
    yield _row("build", size, build, scan, "bare scan by DuckDB", "≤ 1.5", note)
    held = data.indexed.index_holdings(rebuild=False)
    assert held is not None
    assert held.files == scale.of(_FILES)
    yield Row(
        what="size",
        size=f"{held.entries:,} keys of {held.groups} row groups",
        unit="MB",
        ours=held.size / 1e6,
        floor=data.size / 1e6,
        floor_is="the data",
        more_is_better=False,
        target="≤ 0.02",
        note=f"{held.size / held.entries:.2f} bytes a key",
    )
    yield from _looks(data, size, scan)
    shutil.rmtree(data.folder)
    few, many = (_Dataset(place / f"{files}", files, scale.of(_ROWS_OF_FILE)) for files in (_FEW, _FILES))
    yield from _growth(few, many)


def _looks(data: "_Dataset", size: str, scan: float) -> Iterator[Row]:
    for count in (1, 10, 100, 10_000):
        here, nobody = (set(_people(kind, count)) for kind in ("m", "x"))
        find = median_seconds(lambda here=here: list(data.indexed.find(here)))
        verify = median_seconds(lambda nobody=nobody: data.indexed.verify(nobody))
        told = data.indexed.verify(nobody).by_index
        yield _row(f"find {count:,}", size, find, scan, "bare scan by DuckDB", "–", "with rows and row groups of each")
        yield _row(f"verify {count:,}", size, verify, scan, "bare scan by DuckDB", "–", f"{told} files by index")


def _growth(few: "_Dataset", many: "_Dataset") -> Iterator[Row]:
    times = f"{_FILES} files against {_FEW}"
    factor = 10 * _FEW / _FILES
    small, large = (median_seconds(one.build, before=one.forget, times=5) for one in (few, many))
    yield _row("build, ten times", times, large * factor, small, "a tenth of the data", "≤ 11", "scaled to ten times")
    one, ten = (
        median_seconds(lambda within=within: list(within.indexed.find({_REMOVED[0]}))) for within in (few, many)
    )
    yield _row("find one, ten times", times, ten, one, "a tenth of the data", "–", "")
    yield _row("remove one, ten times", times, many.removal(), few.removal(), "a tenth of the data", "≤ 1.5", "")


class _Dataset:
    """A folder, and its connector with an index beside it."""

    def __init__(self, folder: Path, files: int, rows: int) -> None:
        self.folder, self.index = folder, folder.with_name(f"{folder.name}-index")
        folder.mkdir()
        _write(folder, files, rows)
        connector = open_connector("parquet_folder", str(folder), "person", {})
        assert isinstance(connector, FileFolder)
        connector.use_index(Place(self.index, b"s" * 32, least_files=0))
        self.indexed = connector

    @property
    def size(self) -> int:
        return sum(path.stat().st_size for path in self.folder.iterdir())

    def forget(self) -> None:
        shutil.rmtree(self.index, ignore_errors=True)

    def build(self) -> None:
        self.indexed.index_holdings(rebuild=False)

    def scan(self) -> None:
        with duckdb.connect(config={"threads": 2}) as connection:
            connection.register("keys", pa.table({"key": _people("m", 10_000)}))
            query = "SELECT count(*) FROM read_parquet(?) WHERE person IN (SELECT key FROM keys)"
            connection.execute(query, [f"{self.folder}/*"]).fetchall()

    def scan_by_polars(self) -> None:
        pl.scan_parquet(f"{self.folder}/*").select(pl.col("person").is_in(_people("m", 10_000)).sum()).collect()

    def removal(self) -> float:
        """Median seconds from nothing to verified, for one person at a time."""
        taken = []
        for person in _REMOVED:
            start = time.perf_counter()
            for finding in self.indexed.find({person}):
                staged = self.indexed.stage(finding, {person}, token="bench")
                self.indexed.commit(staged, fence=lambda: None)
            assert self.indexed.verify({person}).rows_found == 0
            taken.append(time.perf_counter() - start)
        return sorted(taken)[len(taken) // 2]


def _people(kind: str, count: int) -> list[str]:
    return [f"{kind}_{number * 7:08d}" for number in range(count)]


def _write(folder: Path, files: int, rows: int) -> None:
    random = np.random.default_rng(1)
    people = random.permutation(np.repeat(np.arange(files * rows // 10), 10))
    for file in range(files):
        mine = people[file * rows : (file + 1) * rows]
        keys = np.char.add("m_", np.char.zfill(mine.astype(str), 8)).astype(object)
        if file < _SPREAD:
            keys[:: rows // len(_REMOVED)][: len(_REMOVED)] = _REMOVED
        table = pa.table(
            {
                "person": pa.array(keys, pa.string()),
                "text": [random.bytes(64).hex() for _ in range(rows)],
                "number": random.integers(0, 2**40, rows),
                "score": random.random(rows),
            }
        )
        pq.write_table(table, folder / f"{file:04d}.parquet", compression="zstd", row_group_size=rows // 5)


def _row(what: str, size: str, ours: float, floor: float, floor_is: str, target: str, note: str) -> Row:
    return Row(
        what=what,
        size=size,
        unit="s",
        ours=ours,
        floor=floor,
        floor_is=floor_is,
        more_is_better=False,
        target=target,
        note=note,
    )
