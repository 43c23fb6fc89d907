"""The data of the benchmark of removal, and others' ways of doing the same, each to be run in a process of its own."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FILES, GROUPS, ROWS_PER_SUBJECT = 64, 5, 10
_WORDS = 4_096


@dataclass(frozen=True)
class Taken:
    """Seconds by the clock and of the processors; NaN where it could not be done."""

    seconds: float
    processor: float


def elsewhere(what: str, *arguments: object) -> Taken:
    """What one of the functions below takes, in a process of its own."""
    command = [sys.executable, "-m", "tests.load.removing", what, json.dumps([str(one) for one in arguments])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return Taken(float("nan"), float("nan"))
    return Taken(*map(float, done.stdout.splitlines()[-1].split()))


def subjects(rows: int) -> int:
    return rows // ROWS_PER_SUBJECT


def name_of(subject: int) -> str:
    # spread over the alphabet of names as real ones are, so that statistics rule out nothing in a random layout
    return f"s{subject * 2_654_435_761 % 2**32:08x}"


def make(folder: Path, layout: str, rows: int) -> None:
    """`rows` rows in 64 zstd files of 5 row groups, 10 rows per subject: anywhere, or sorted by subject."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(7)
    owners = np.repeat(np.arange(subjects(rows), dtype=np.int64), ROWS_PER_SUBJECT)
    if layout == "random":
        random.shuffle(owners)
    lengths = random.integers(2, 10, _WORDS)
    words = np.array(["".join(chr(97 + one) for one in random.integers(0, 26, length)) for length in lengths])
    step = rows // (FILES * GROUPS)
    for number in range(FILES):
        path = folder / f"part-{number:03d}.parquet"
        groups = range(number * GROUPS * step, (number + 1) * GROUPS * step, step)
        writer: pq.ParquetWriter | None = None
        for start in groups:
            table = _rows(owners[start : start + step], start, words, random)
            writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table, row_group_size=step)
        if writer:
            writer.close()


def _rows(owners: "np.ndarray[Any, Any]", start: int, words: "np.ndarray[Any, Any]", random: Any) -> pa.Table:
    count = len(owners)
    # some words come far more often than others, as they do in what people write
    picked = words[(_WORDS ** random.random((count, 32))).astype(np.int64) - 1]
    return pa.table(
        {
            "person": [name_of(int(owner)) for owner in owners],
            "id": np.arange(start, start + count),
            "text": [" ".join(line) for line in picked],
            "lang": words[random.integers(0, 30, count)],
            "source": words[random.integers(0, 2_000, count)],
            "made": pa.array(random.integers(1_600_000_000, 1_750_000_000, count) * 1_000_000, pa.timestamp("us")),
            "score": random.random(count),
            "tokens": random.integers(20, 40, count).astype("int32"),
        }
    )


def by_pyarrow(folder: str, target: str) -> float:
    """Every row group decoded and written again, two files at a time."""

    def one(path: Path) -> None:
        with (
            pq.ParquetFile(path) as parquet,
            pq.ParquetWriter(Path(target, path.name), parquet.schema_arrow, compression="zstd") as writer,
        ):
            for number in range(parquet.num_row_groups):
                group = parquet.read_row_group(number)
                writer.write_table(group, row_group_size=group.num_rows)

    def all_of_them() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(one, sorted(Path(folder).iterdir())))

    return _seconds(all_of_them)


def by_polars(folder: str, target: str) -> float:
    """The same, one file after the other, each with every processor."""
    import polars as pl

    def all_of_them() -> None:
        for path in sorted(Path(folder).iterdir()):
            size = pq.read_metadata(path).row_group(0).num_rows
            pl.read_parquet(path).write_parquet(Path(target, path.name), compression="zstd", row_group_size=size)

    return _seconds(all_of_them)


def by_duckdb(folder: str, target: str) -> float:
    """The same."""
    import duckdb

    def all_of_them() -> None:
        with duckdb.connect() as connection:
            for path in sorted(Path(folder).iterdir()):
                size = pq.read_metadata(path).row_group(0).num_rows
                connection.read_parquet(str(path)).write_parquet(
                    str(Path(target, path.name)), compression="zstd", row_group_size=size
                )

    return _seconds(all_of_them)


def by_deltalake(folder: str, keys: str) -> float:
    """DELETE on the same files, taken for a Delta table. It leaves the old files, and the keys in its log."""
    import deltalake

    deltalake.convert_to_deltalake(folder)
    table = deltalake.DeltaTable(folder)
    named = ", ".join(f"'{key}'" for key in json.loads(Path(keys).read_text()))
    return _seconds(lambda: table.delete(f"person IN ({named})"))


def by_spark(folder: str, target: str, keys: str) -> float:
    """Anti-join and overwrite on this machine, two threads; the start of Spark is not counted."""
    from pyspark.sql import SparkSession

    if not shutil.which("java"):
        raise SystemExit("no Java")
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = builder.config("spark.sql.parquet.compression.codec", "zstd").getOrCreate()
    try:
        going = session.createDataFrame([(key,) for key in json.loads(Path(keys).read_text())], ["person"]).cache()
        going.count()
        rows = session.read.parquet(folder)
        return _seconds(lambda: rows.join(going, "person", "left_anti").write.parquet(f"{target}/spark"))
    finally:
        session.stop()


def make_data(folder: str, layout: str, rows: str) -> float:
    return _seconds(lambda: make(Path(folder), layout, int(rows)))


def scan(folder: str) -> float:
    """A bare scan of the key column, by DuckDB."""
    import duckdb

    with duckdb.connect() as connection:
        query = f"SELECT count(DISTINCT hash(person) % 1024) FROM read_parquet('{folder}/*.parquet')"
        return _seconds(lambda: connection.execute(query).fetchall())


def _seconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


_WAYS: dict[str, Callable[..., float]] = {
    "make": make_data,
    "scan": scan,
    "pyarrow": by_pyarrow,
    "polars": by_polars,
    "DuckDB": by_duckdb,
    "deltalake": by_deltalake,
    "Spark": by_spark,
}

if __name__ == "__main__":
    way, arguments = _WAYS[sys.argv[1]], json.loads(sys.argv[2])
    before = time.process_time()
    print(way(*arguments), time.process_time() - before)
