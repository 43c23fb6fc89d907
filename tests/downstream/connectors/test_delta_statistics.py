"""Statistics that a new file gets in Delta's log: true, and of the new file alone."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from downstream.connectors import delta_statistics

OLD = json.dumps({"numRecords": 9, "minValues": {"n": 0, "t": "a", "f": 0.5, "d": "2020-01-01"}, "nullCount": {"z": 1}})


def stats(tmp_path: Path, table: pa.Table, *, like: str | None = OLD) -> dict[str, Any]:
    pq.write_table(table, tmp_path / "f.parquet", row_group_size=2)
    found: dict[str, Any] = json.loads(delta_statistics.of(tmp_path / "f.parquet", like=like))
    return found


def test_bounds_are_of_all_row_groups_and_only_of_columns_that_had_them(tmp_path: Path) -> None:
    table = pa.table({"n": [5, None, 3, 4], "t": ["q", "r", "s", "b"], "u": [1, 2, 3, 4]})
    assert stats(tmp_path, table) == {
        "numRecords": 4,
        "minValues": {"n": 3, "t": "b"},
        "maxValues": {"n": 5, "t": "s"},
        "nullCount": {"n": 1, "t": 0},
    }


def test_what_the_log_could_write_in_two_ways_is_left_out(tmp_path: Path) -> None:
    table = pa.table({"f": [0.5, 1.5], "t": ["a" * 40, "b"], "d": [date(2024, 1, 2), date(2024, 3, 4)]})
    found = stats(tmp_path, table)
    assert (found["minValues"], found["maxValues"]) == ({"d": "2024-01-02"}, {"d": "2024-03-04"})
    assert found["nullCount"] == {"f": 0, "t": 0, "d": 0}


def test_a_group_of_nulls_alone_leaves_the_bounds_of_the_others(tmp_path: Path) -> None:
    found = stats(tmp_path, pa.table({"n": pa.array([None, None, 7, 8], pa.int64()), "z": ["a", "b", "c", "d"]}))
    assert (found["minValues"]["n"], found["maxValues"]["n"], found["nullCount"]["n"]) == (7, 8, 2)


def test_a_file_without_old_statistics_gets_its_number_of_rows(tmp_path: Path) -> None:
    for like in (None, "", "no JSON"):
        found = stats(tmp_path, pa.table({"n": [1]}), like=like)
        assert found == {"numRecords": 1, "minValues": {}, "maxValues": {}, "nullCount": {}}
