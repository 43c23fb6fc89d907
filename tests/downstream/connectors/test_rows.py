"""People's rows with all that they hold, of every kind of file; what all kinds have in common is in the contract."""

import io
import json
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from downstream.connectors import memory, open_connector
from downstream.connectors.base import ConnectorError, ReadsRows, Row
from downstream.connectors.file_folder import FileFolder
from downstream.row_values import as_json
from downstream.subject_index import Place
from tests.downstream.connectors.contract import ALICE, BOB, Ground
from tests.downstream.connectors.databases import SqliteGround
from tests.downstream.connectors.delta_ground import DeltaGround
from tests.downstream.connectors.file_grounds import (
    CsvGround,
    GzipLinesGround,
    JsonLinesGround,
    PackedShardGround,
    SavedGround,
    ShardGround,
    add,
    save,
    stream_of,
)
from tests.downstream.connectors.grounds import FolderGround, IndexedGround, MemoryGround
from tests.downstream.connectors.lance_grounds import LanceGround

MOMENT = datetime(2024, 5, 7, 12, 30, 0, 5, tzinfo=UTC)


def told(kind: str, folder: Path, keys: set[str], key_column: str = "person", **options: Any) -> list[Row]:
    connector = open_connector(kind, str(folder), key_column, options)
    assert isinstance(connector, ReadsRows)
    return list(connector.rows(keys))


def values(kind: str, folder: Path, *keys: str, key_column: str = "person", **options: Any) -> list[dict[str, Any]]:
    return [row.values for row in told(kind, folder, set(keys) or {ALICE}, key_column, **options)]


def everything() -> pa.Table:
    """One row of Alice's and one of Bob's, with a column of most types."""
    nested = pa.struct([("city", pa.string()), ("tags", pa.list_(pa.string()))])
    return pa.table(
        {
            "person": [ALICE, BOB],
            "nothing": pa.array([None, None], pa.null()),
            "gone": pa.array([None, "there"]),
            "made": pa.array([MOMENT, MOMENT], pa.timestamp("us", "UTC")),
            "naive": pa.array([MOMENT.replace(tzinfo=None)] * 2, pa.timestamp("us")),
            "price": pa.array([Decimal("10.50"), Decimal(1)], pa.decimal128(10, 2)),
            "raw": pa.array([b"\x00\xff", b""]),
            "born": pa.array([date(1990, 2, 28), None]),
            "weight": pa.array([float("nan"), 1.5]),
            "nested": pa.array([{"city": "Köln", "tags": ["a", None]}, None], nested),
            "mapped": pa.array([[("x", 1)], []], pa.map_(pa.string(), pa.int64())),
            "listed": pa.array([[], [1]], pa.list_(pa.int64())),
            "colour": pa.array(["red", "blue"]).dictionary_encode(),
            "large": pa.array([2**63 + 1, 0], pa.uint64()),
        }
    )


AS_JSON = {
    "person": ALICE,
    "nothing": None,
    "gone": None,
    "made": "2024-05-07T12:30:00.000005Z",
    "naive": "2024-05-07T12:30:00.000005Z",
    "price": "10.50",
    "raw": "AP8=",
    "born": "1990-02-28",
    "weight": "NaN",
    "nested": {"city": "Köln", "tags": ["a", None]},
    "mapped": {"x": 1},
    "listed": [],
    "colour": "red",
    "large": "9223372036854775809",
}


def test_every_column_of_a_parquet_row_is_told_and_can_be_written(tmp_path: Path) -> None:
    pq.write_table(everything(), tmp_path / "a.parquet")
    (row,) = values("parquet_folder", tmp_path)
    assert as_json(row) == AS_JSON
    assert json.loads(json.dumps(as_json(row), allow_nan=False)) == AS_JSON


def test_every_column_of_a_saved_dataset_is_told_and_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "data.arrow").write_bytes(stream_of(everything()))
    save(tmp_path, ["data.arrow"])
    (row,) = values("hf_dataset", tmp_path)
    assert as_json(row) == AS_JSON


def test_times_that_python_does_not_know_are_told_as_text(tmp_path: Path) -> None:
    nanoseconds = pa.array([1_715_085_000_000_000_001, 1_715_085_000_000_001_000], pa.timestamp("ns", "UTC"))
    table = pa.table(
        {
            "person": [ALICE, ALICE],
            "ns": nanoseconds,
            "far": pa.array([2**40 * 1_000, 2**39 * 1_000], pa.timestamp("ms")),
            "day": pa.array([10_000_000, 0], pa.int32()).cast(pa.date32()),
            "long": pa.array([1, 1_000], pa.duration("ns")),
            "inner": pa.array([{"at": 1}, {"at": None}], pa.struct([("at", pa.timestamp("ns"))])),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    first, second = (as_json(row) for row in values("parquet_folder", tmp_path))
    assert first["ns"] == "2024-05-07T12:30:00.000000001Z"
    assert second["ns"] == "2024-05-07T12:30:00.000001Z"
    assert (first["long"], second["long"]) == ("PT0.000000001S", "PT0.000001S")
    assert (first["inner"], second["inner"]) == ({"at": "1970-01-01T00:00:00.000000001"}, {"at": None})
    assert (first["far"], second["far"]) == ("1099511627776000 ms since 1970", "19391-01-25T12:18:08.000")
    assert first["day"].startswith("29349-")


def test_text_that_is_no_text_is_told_as_bytes(tmp_path: Path) -> None:
    broken = pa.StringArray.from_buffers(2, pa.py_buffer(b"\x00\0\0\0\x01\0\0\0\x03\0\0\0"), pa.py_buffer(b"\xffok"))
    pq.write_table(pa.table({"person": [ALICE, ALICE], "text": broken}), tmp_path / "a.parquet")
    assert [row["text"] for row in values("parquet_folder", tmp_path)] == [b"\xff", "ok"]


def test_a_key_inside_a_struct_brings_the_whole_struct(tmp_path: Path) -> None:
    authors = pa.array([{"id": ALICE, "age": 3}, {"id": BOB, "age": 4}, None])
    pq.write_table(pa.table({"author": authors, "n": [1, 2, 3]}), tmp_path / "a.parquet", row_group_size=1)
    expected = [{"author": {"id": ALICE, "age": 3}, "n": 1}]
    assert values("parquet_folder", tmp_path, key_column="author.id") == expected


@pytest.mark.parametrize("kind", ["parquet_folder", "jsonl_folder", "csv_folder"])
def test_what_folders_are_named_by_is_part_of_the_row(tmp_path: Path, kind: str) -> None:
    for country in ("DE", "__HIVE_DEFAULT_PARTITION__", "a%2Fb"):
        place = tmp_path / f"country={country}" / "year=2024"
        place.mkdir(parents=True)
        table = pa.table({"person": [ALICE, BOB], "year": ["own", "own"]})
        if kind == "parquet_folder":
            pq.write_table(table, place / "a.parquet")
        elif kind == "jsonl_folder":
            (place / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
        else:
            (place / "a.csv").write_text(f"person,year\n{ALICE},own\n{BOB},own\n")
    found = values(kind, tmp_path)
    assert sorted(str(row.pop("country")) for row in found) == ["DE", "None", "a/b"]
    # what the file says itself counts
    assert found == [{"person": ALICE, "year": "own"}] * 3


def test_columns_of_one_name_are_told_apart(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([ALICE]), pa.array([1]), pa.array([2])], names=["person", "n", "n"])
    pq.write_table(table, tmp_path / "a.parquet")
    assert values("parquet_folder", tmp_path) == [{"person": ALICE, "n": 1, "n (2)": 2}]
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "a.csv").write_text(f"person,n,n\n{ALICE},1,2\n")
    assert values("csv_folder", tmp_path / "csv") == [{"person": ALICE, "n": "1", "n (2)": "2"}]


def test_a_line_of_json_is_told_with_all_that_it_says(tmp_path: Path) -> None:
    lines = [
        f'{{"author": {{"id": "{ALICE}"}}, "n": 123456789012345678901, "x": NaN, "deep": [{{"y": null}}]}}',
        f'{{"author": {{"id": "{BOB}"}}, "author": {{"id": "{ALICE}"}}}}',
        f'{{"author": {{"id": "{BOB}"}}}}',
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    first, second = (as_json(row) for row in values("jsonl_folder", tmp_path, key_column="author.id"))
    assert first == {"author": {"id": ALICE}, "n": "123456789012345678901", "x": "NaN", "deep": [{"y": None}]}
    assert second == {"author": [{"id": BOB}, {"id": ALICE}]}


def test_a_line_of_several_people_is_told_to_each(tmp_path: Path) -> None:
    line = {"people": [ALICE, BOB], "text": "both"}
    (tmp_path / "a.jsonl").write_text(json.dumps(line) + "\n" + json.dumps({"people": ["m_x"], "text": "x"}))
    for person in (ALICE, BOB):
        assert values("jsonl_folder", tmp_path, person, key_column="people", key_lists=True) == [line]
    assert values("jsonl_folder", tmp_path, ALICE, BOB, key_column="people", key_lists=True) == [line]


def test_a_field_of_csv_holds_lines_quotes_and_other_encodings(tmp_path: Path) -> None:
    text = f'\ufeffperson,text,more\r\n\r\n{ALICE},"a ""b"",\r\nc\rd",\r\n{BOB},x,y\r\n'.encode()
    (tmp_path / "a.csv").write_bytes(text + f"{ALICE},".encode() + b"\xff,z\r\n")
    first, second = values("csv_folder", tmp_path)
    assert first == {"person": ALICE, "text": 'a "b",\r\nc\rd', "more": None}
    assert second == {"person": ALICE, "text": b"\xff", "more": "z"}


def test_csv_without_a_header_is_told_by_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"{ALICE},1\n{BOB},2\n")
    assert values("csv_folder", tmp_path, key_column="0", header=False) == [{"0": ALICE, "1": "1"}]


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Two samples of Alice's whose members lie apart, and one of Bob's between."""
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        add(tar, "x/1.jpg", b"\xff" * 3_000_000)
        add(tar, "x/2.jpg", b"bob's")
        add(tar, "x/1.txt", "a photo of Köln".encode())
        add(tar, "x/3.json", json.dumps({"person": ALICE}).encode())
        add(tar, "x/1.json", json.dumps({"person": ALICE, "n": 1}).encode())
        add(tar, "x/2.json", json.dumps({"person": BOB}).encode())
        add(tar, "x/3.txt", b"\xfe")
        add(tar, "x/3.meta.json", b"[1, 2]")
    return tmp_path


def test_a_sample_is_told_with_its_members_and_their_bytes_can_be_read(shards: Path) -> None:
    connector = open_connector("webdataset", str(shards), "person", {})
    assert isinstance(connector, ReadsRows)
    rows = connector.rows({ALICE})
    first = next(rows).values
    photo = first.pop("jpg")
    assert first == {"__key__": "x/1", "txt": "a photo of Köln", "json": {"person": ALICE, "n": 1}}
    assert (photo.name, photo.size, len(photo.sha256)) == ("1.jpg", 3_000_000, 64)
    assert set(as_json(photo)) == {"name", "size", "sha256"}
    assert b"".join(photo.read()) == b"".join(photo.read()) == b"\xff" * 3_000_000
    second = next(rows).values
    text = second.pop("txt")
    assert second == {"__key__": "x/3", "json": {"person": ALICE}, "meta.json": [1, 2]}
    assert b"".join(text.read()) == b"\xfe"
    assert list(rows) == []
    with pytest.raises(ConnectorError) as passed:
        list(photo.read())
    assert passed.value.code == "row_passed"


def test_an_index_opens_only_the_files_that_may_hold_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    posts = tmp_path / "posts"
    posts.mkdir()
    for number in range(6):
        person = ALICE if number == 4 else f"m_{number}"
        pq.write_table(pa.table({"person": [person, "m_x"], "n": [number, 0]}), posts / f"{number}.parquet")
    connector = open_connector("parquet_folder", str(posts), "person", {})
    assert isinstance(connector, FileFolder)
    connector.use_index(Place(tmp_path / "index", b"s" * 32, least_files=0))
    connector.index_holdings(rebuild=True)
    opened, engine = [], connector._engine

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(engine, name)

        def rows(self, file: Any, **arguments: Any) -> Iterator[dict[str, Any]]:
            opened.append((file.name, arguments["groups"]))
            return engine.rows(file, **arguments)

    monkeypatch.setattr(connector, "_engine", Watched())
    assert [row.values["n"] for row in connector.rows({ALICE})] == [4]
    assert opened == [("4.parquet", (0,))]


def test_a_file_that_is_changed_while_it_is_read_is_reported(tmp_path: Path) -> None:
    pq.write_table(pa.table({"person": [ALICE] * 5_000, "n": list(range(5_000))}), tmp_path / "a.parquet")
    connector, failures = open_connector("parquet_folder", str(tmp_path), "person", {}), list[ConnectorError]()
    assert isinstance(connector, ReadsRows)
    rows = connector.rows({ALICE}, failures)
    next(rows)
    pq.write_table(pa.table({"person": [BOB], "n": [1]}), tmp_path / "b")
    (tmp_path / "b").rename(tmp_path / "a.parquet")
    assert len(list(rows)) <= 4_999
    assert [(one.code, one.permanent) for one in failures] == [("source_changed", False)]


def _rss() -> int:
    """Kilobytes of this process that are its own, without pages of files."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon"))


@pytest.mark.parametrize("group", [1_100_000, 50_000])
def test_a_million_rows_take_no_more_memory_than_few(tmp_path: Path, group: int) -> None:
    text = pa.array([f"line {number} of what was written at some length" for number in range(1_000)])
    people = pa.array([BOB if number % 11 == 0 else ALICE for number in range(1_000)])
    table = pa.table({"person": pa.concat_arrays([people] * 1_100), "text": pa.concat_arrays([text] * 1_100)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=group)
    del table
    connector, count, most = open_connector("parquet_folder", str(tmp_path), "person", {}), 0, 0
    assert isinstance(connector, ReadsRows)
    rows = connector.rows({ALICE})
    next(rows)
    before = _rss()
    for count, _ in enumerate(rows, start=2):
        if count % 20_000 == 0:
            most = max(most, _rss())
    assert count == 1_100 * 909
    assert most - before < 60_000


def test_rows_of_large_values_come_one_after_the_other(tmp_path: Path) -> None:
    """A hundred rows that each name a value of two megabytes, which is in the file once."""
    table = pa.table({"person": [ALICE] * 100, "text": pa.array(["x" * 2_000_000] * 100).dictionary_encode()})
    pq.write_table(table, tmp_path / "a.parquet")
    connector = open_connector("parquet_folder", str(tmp_path), "person", {})
    assert isinstance(connector, ReadsRows)
    before, most = _rss(), 0
    for row in connector.rows({ALICE}):
        assert len(row.values["text"]) == 2_000_000
        most = max(most, _rss())
    assert most - before < 120_000


PEOPLE = st.sampled_from([ALICE, BOB, "m_1", "m_10", "M_1", "m%", "m_", 'q"', "q'", "ä", None])
TABLES = st.lists(PEOPLE, min_size=1, max_size=25)
GROUNDS = [
    FolderGround, IndexedGround, JsonLinesGround, GzipLinesGround, CsvGround, ShardGround, PackedShardGround,
    SavedGround, DeltaGround, LanceGround, MemoryGround, SqliteGround,
]  # fmt: skip


def _ground(make: Any, folder: Path) -> Ground:
    if make is MemoryGround:
        memory.PLACES.clear()
        return MemoryGround("rows")
    if make is SqliteGround:
        one = SqliteGround(folder / "posts.db")
        one.run("CREATE TABLE beside (word text)")
        return one
    ground: Ground = make(folder if make is LanceGround else folder / "posts")
    return ground


@pytest.mark.parametrize("make", GROUNDS)
@settings(max_examples=8, deadline=None)
@given(units=st.lists(TABLES, min_size=1, max_size=2), keys=st.sets(PEOPLE.filter(bool)))
def test_rows_are_those_that_a_removal_would_find(make: Any, units: list[list[str | None]], keys: set[str]) -> None:
    with tempfile.TemporaryDirectory() as place:
        ground = _ground(make, Path(place))
        for name, people in zip("ab", units[: 1 if ground.is_one_unit else 2], strict=False):
            ground.put(name, pa.table({"person": pa.array(people, pa.string()), "text": ["x"] * len(people)}))
        connector = ground.connector()
        assert isinstance(connector, ReadsRows)
        found: Counter[str] = Counter()
        for finding in connector.find(keys):
            found.update(finding.rows_per_key)
        rows = Counter(ground.as_put(row.values)["person"] for row in connector.rows(keys))
        assert rows == found
        assert rows == Counter(one for people in units[: len(ground.read())] for one in people if one in keys)


def test_a_tar_in_which_nobody_is_named_tells_nobody(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        add(tar, "1.jpg", b"x")
        add(tar, "2.json", b'{"person": null}')
    (tmp_path / "a.tar").write_bytes(out.getvalue())
    assert values("webdataset", tmp_path) == []
