"""Removing people from a folder of Parquet files: found, written anew, compared, swapped in, and looked at once more.

64 zstd files of 5 row groups, 10 rows per subject: anywhere ("random") or sorted by subject ("clustered"). Files are
staged two at a time. The floor is the fastest of three ways to decode and rewrite every file, without looking for
anybody, without comparing and without bringing anything to disk: pyarrow (two files at a time), polars, DuckDB. Others'
ways of removing the same people are printed beside, with what they leave behind.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tests.load import removing
from tests.load.bench import Row, Scale, peak_mib

_ROWS = 20_000_000
_COUNTS = (1, 10, 100, 10_000)
_TARGETS = {
    "random": {1: 0.08, 10: 0.45, 100: 1.1, 10_000: 1.25},
    "clustered": {1: 0.03, 10: 0.10, 100: 0.45, 10_000: 1.25},
}
_FLOORS = ("pyarrow", "polars", "DuckDB")


@dataclass(frozen=True)
class Ground:
    """One layout of the data, and how long the fastest full rewrite of it takes."""

    folder: Path
    layout: str
    rows: int
    floor: removing.Taken
    floor_is: str

    def row(self, what: str, seconds: float, *, count: int, target: str = "–", note: str = "") -> Row:
        size = f"{self.rows:,} rows, {self.layout}, {count:,} subject{'s' if count > 1 else ''}"
        floor_is = f"full rewrite, fastest: {self.floor_is}"
        return Row(what, size, "s", seconds, self.floor.seconds, floor_is, False, target, note)


def run(scale: Scale) -> Iterator[Row]:
    rows = scale.of(_ROWS)
    with TemporaryDirectory(prefix="heed-removal-", dir=os.environ["HEED_DATA"]) as house:
        for layout in ("random", "clustered"):
            ground = _ground(Path(house, layout), layout, rows)
            for count in _COUNTS:
                yield _ours(ground, count)
            if layout == "random":
                yield from _others(ground)
            shutil.rmtree(ground.folder)


def _ground(folder: Path, layout: str, rows: int) -> Ground:
    removing.elsewhere("make", folder, layout, rows)
    taken = {}
    for way in _FLOORS:
        with TemporaryDirectory(dir=folder.parent) as target:
            taken[way] = removing.elsewhere(way, folder, target)
    fastest = min(taken, key=lambda way: taken[way].seconds)
    named = ", ".join(f"{way} {one.seconds:.1f} s" for way, one in taken.items())
    return Ground(folder, layout, rows, taken[fastest], f"{fastest} ({named})")


def _ours(ground: Ground, count: int) -> Row:
    """One run as workers make it: by the subject index, which stands already (`bench_index` measures its making)."""
    from downstream.connectors import open_connector
    from downstream.connectors.file_folder import FileFolder
    from downstream.subject_index import Place

    keys = set(_keys(ground, count))
    with _linked(ground) as place, TemporaryDirectory(dir=ground.folder.parent) as index:
        connector = open_connector("parquet_folder", place, "person", {})
        assert isinstance(connector, FileFolder)
        connector.use_index(Place(Path(index), b"s" * 32, least_files=0))
        begun = time.perf_counter()
        connector.index_holdings(rebuild=True)
        built = time.perf_counter() - begun
        _forget_peak()
        processor = time.process_time()
        times = [time.perf_counter()]
        found = list(connector.find(keys))
        times.append(time.perf_counter())
        removed = 0
        for _, staged in connector.stage_each(found, keys, token="bench"):
            connector.commit(staged, fence=lambda: None)
            removed += staged.rows_removed
        times.append(time.perf_counter())
        seen = connector.verify(keys)
        times.append(time.perf_counter())
        processor = time.process_time() - processor
    assert (seen.rows_found, removed) == (0, count * removing.ROWS_PER_SUBJECT), (seen.rows_found, removed)
    find, write, look = np.diff(times)
    note = (
        f"find {find:.2f} s, write and compare {len(found)} files {write:.2f} s "
        f"({write / ground.floor.seconds:.2f}), processors {processor / ground.floor.processor:.2f} of the floor's, "
        f"last look {look:.2f} s at {seen.files - seen.by_index} of {seen.files} files; index built in {built:.1f} s; "
        f"peak {peak_mib():,.0f} MiB"
    )
    target = f"≤ {_TARGETS[ground.layout][count]}"
    return ground.row("remove", times[-1] - times[0], count=count, target=target, note=note)


def _others(ground: Ground) -> Iterator[Row]:
    for count in _COUNTS[1:]:
        with _linked(ground) as place, TemporaryDirectory(dir=ground.folder.parent) as target:
            keys = Path(target, "keys.json")
            keys.write_text(json.dumps(_keys(ground, count)))
            note = "leaves the old files, and the keys in its log"
            yield ground.row(
                "deltalake DELETE", removing.elsewhere("deltalake", place, keys).seconds, count=count, note=note
            )
            if count == max(_COUNTS):
                seconds = removing.elsewhere("Spark", place, target, keys).seconds
                note = "other files than before" if seconds == seconds else "not measured: it needs pyspark and Java"
                yield ground.row("Spark anti-join", seconds, count=count, note=note)


def _keys(ground: Ground, count: int) -> list[str]:
    chosen = np.random.default_rng(count).choice(removing.subjects(ground.rows), count, replace=False)
    return [removing.name_of(int(one)) for one in chosen]


def _linked(ground: Ground) -> "_Linked":
    return _Linked(ground)


class _Linked(TemporaryDirectory[str]):
    """The same files under other names, which a rename replaces and nothing changes."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(dir=ground.folder.parent)
        for path in ground.folder.iterdir():
            os.link(path, Path(self.name, path.name))


def _forget_peak() -> None:
    """Let the kernel count the peak of memory from here on (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")
