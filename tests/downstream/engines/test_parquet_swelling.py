"""A row group that is far larger decoded than in its file takes little memory, and comes out as any other does."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from downstream.engines import parquet_swelling
from downstream.engines.parquet_rewriting import rewrite
from tests.downstream.engines.making import ENGINE, GO, make_of, write

ROWS = 300_000
_RUN = """
import resource, sys
from downstream.engines.base import DataFile
from downstream.engines.embedded import EmbeddedEngine
source, target = DataFile("a", sys.argv[1]), sys.argv[2]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
EmbeddedEngine().rewrite(source, target, key_column="person", keys={"m_go"})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def swollen(rows: int, prompts: list[str | None]) -> pa.Table:
    return pa.table(
        {
            "person": ["m_go" if row % 7 == 0 else f"m_{row % 50}" for row in range(rows)],
            "prompt": pa.array(prompts).take(pa.array([row % len(prompts) for row in range(rows)])),
            "n": range(rows),
        }
    )


@pytest.mark.parametrize("groups", [1, 2])
def test_it_is_not_decoded_whole(tmp_path: Path, groups: int) -> None:
    table = swollen(ROWS, [letter * 3_000 for letter in "abcd"])
    if groups == 2:
        # the second row group is carried over, and its dictionary names what the removed rows said
        table = pa.concat_tables([table, table.slice(1, 1)])
    pq.write_table(table, tmp_path / "a", row_group_size=ROWS)
    assert (tmp_path / "a").stat().st_size < 10 * 2**20
    del table
    done = subprocess.run(
        [sys.executable, "-c", _RUN, tmp_path / "a", tmp_path / "b"], capture_output=True, check=True, text=True
    )
    # decoded it is 900 MiB
    assert int(done.stdout) < 400 * 1024
    assert pq.read_metadata(tmp_path / "b").num_row_groups == groups


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are taken for swelling too, and read in many pieces."""
    monkeypatch.setattr(parquet_swelling, "_LARGE", 1)
    monkeypatch.setattr(parquet_swelling, "_AT_ONCE", 50_000)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"write_page_index": True, "compression": "zstd", "version": "1.0"},
        {"bloom_filter_options": {"prompt": {"ndv": 4, "fpp": 0.01}, "person": {"ndv": 60, "fpp": 0.01}}},
        {"dictionary_pagesize_limit": 1_500},
        {"write_statistics": False},
    ],
)
def test_what_stays_is_what_was_there(tmp_path: Path, options: dict[str, Any]) -> None:
    source = write(tmp_path / "a", swollen(900, ["a" * 500, None, "", "ü" * 700]), row_group_size=300, **options)
    target = tmp_path / "b"
    rewrite(source, str(target), key_column="person", keys={GO})
    ENGINE.compare(source, str(target), key_column="person", keys={GO})
    old = pq.read_table(source.path)
    stays = pa.array([one != GO for one in old.column("person").to_pylist()])
    assert pq.read_table(target).equals(old.filter(stays))
    assert pq.ParquetFile(target).schema.equals(pq.ParquetFile(source.path).schema)
    assert pq.read_metadata(target).num_row_groups == 3
    assert make_of(target) == make_of(source.path)


@pytest.mark.usefixtures("always")
def test_nothing_of_the_rows_taken_out_stays_in_the_bytes(tmp_path: Path) -> None:
    table = swollen(600, ["a" * 400, "b" * 400])
    secret = ["SECRET" * 80 if person == GO else text for person, text in zip(
        table.column("person").to_pylist(), table.column("prompt").to_pylist(), strict=True)]  # fmt: skip
    table = table.set_column(1, "prompt", pa.array(secret))
    source = write(tmp_path / "a", table, row_group_size=300, compression="none")
    for target, made in (("b", rewrite), ("c", ENGINE.rewrite)):
        made(source, str(tmp_path / target), key_column="person", keys={GO})
        assert b"SECRET" not in (tmp_path / target).read_bytes()
