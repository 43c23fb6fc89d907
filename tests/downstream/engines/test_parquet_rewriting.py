"""A rewrite takes out the rows of the keys and changes nothing else, whatever the file holds."""

import datetime
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from downstream.engines.base import DataFile
from downstream.engines.errors import ConnectorError
from downstream.engines.parquet_rewriting import dense
from tests.downstream.engines.making import ENGINE, GO, KEEP, PERSONS, STAY, make_of, rewritten, write

STRUCT = pa.struct([("kind", pa.dictionary(pa.int8(), pa.string())), ("at", pa.timestamp("ns", "UTC"))])
COLUMNS: dict[str, "pa.Array[Any]"] = {
    "text": pa.array(["a", "", None, "ü", "\0", "a"]),
    "large text": pa.array(["a", "b", None, "d", "e", "f"], pa.large_string()),
    "text view": pa.array(["a", "b", None, "d", "e", "f"], pa.string_view()),
    "dictionary": pa.array(["x", "y", None, "y", "x", "z"]).dictionary_encode(),
    "ordered dictionary": pa.DictionaryArray.from_arrays([0, 1, None, 1, 0, 2], ["s", "m", "l"], ordered=True),
    "dictionary of numbers": pa.array([1, 2, None, 2, 1, 3]).dictionary_encode(),
    "bytes": pa.array([b"\xff", b"", None, b"\0", b"a", b"a"]),
    "fixed bytes": pa.array([b"ab"] * 6, pa.binary(2)),
    "small": pa.array([-128, 127, None, 0, 1, 2], pa.int8()),
    "unsigned": pa.array([2**64 - 1, 0, None, 1, 2, 3], pa.uint64()),
    "half": pa.array([1.5, None, 0.0, -0.0, 2.0, 3.0], pa.float16()),
    "double": pa.array([float("inf"), None, 0.1, -0.0, 5e-324, 3.0]),
    "true": pa.array([True, False, None, True, True, False]),
    "nothing": pa.nulls(6),
    "decimal": pa.array([Decimal("1.10"), None, Decimal("-9.99"), *[Decimal(0)] * 3], pa.decimal128(9, 2)),
    "big decimal": pa.array([Decimal(10) ** 50, None, *[Decimal(1)] * 4], pa.decimal256(60, 2)),
    "seconds": pa.array(range(6), pa.timestamp("s")),
    "microseconds": pa.array([*range(5), None], pa.timestamp("us", "Europe/Dublin")),
    "nanoseconds": pa.array([1, 2**62 + 1, None, 3, 4, 5], pa.timestamp("ns")),
    "nanoseconds there": pa.array([1, 2**62 + 1, None, 3, 4, 5], pa.timestamp("ns", "America/Sao_Paulo")),
    "day": pa.array([datetime.date(2024, 9, 18)] * 6),
    "long day": pa.array([datetime.date(2024, 9, 18)] * 6, pa.date64()),
    "o'clock": pa.array([1, None, 3, 4, 5, 6], pa.time64("ns")),
    "for how long": pa.array([1, None, 3, 4, 5, 6], pa.duration("ms")),
    "id": pa.array([uuid.UUID(int=n).bytes for n in range(6)], pa.uuid()),
    "json": pa.array(["{}", None, "[1]", "1", '"a"', "null"], pa.json_()),
    "list": pa.array([[1, None], [], None, [2], [3, 4], [5]]),
    "large list": pa.array([[1, None], [], None, [2], [3, 4], [5]], pa.large_list(pa.int16())),
    "list view": pa.array([[1, None], [], None, [2], [3, 4], [5]], pa.list_view(pa.int16())),
    "bytes view": pa.array([b"a", b"b", None, b"d", b"e", b"f"], pa.binary_view()),
    "pair": pa.array([[1, 2]] * 6, pa.list_(pa.int32(), 2)),
    "map": pa.array([[("a", 1)], [], None, [("b", None)], [("c", 3), ("d", 4)], []], pa.map_(pa.string(), pa.int32())),
    "list of dictionaries": pa.array([["x"], ["y"], None, [], ["x", "z"], [None]]).cast(
        pa.list_(pa.dictionary(pa.int32(), pa.string()))
    ),
    "list of structs": pa.array(
        [[{"kind": "x", "at": 1}], [], None, [None], [{"kind": None, "at": 2}], []], pa.list_(STRUCT)
    ),
    "struct": pa.array([{"kind": "x", "at": 1}, None, *[{"kind": "y", "at": None}] * 4], STRUCT),
}


def assert_rows_left(source: DataFile, target: Path) -> None:
    old, new = pq.read_table(source.path), pq.read_table(target)
    assert new.schema.equals(old.schema, check_metadata=True)
    # dictionaries of equal values are unequal where they are in another order
    plain = dense(old.schema)
    assert new.cast(plain).equals(old.cast(plain).take(STAY))
    assert pq.read_metadata(target).metadata == pq.read_metadata(source.path).metadata
    assert pq.ParquetFile(target).schema.equals(pq.ParquetFile(source.path).schema)


@pytest.mark.parametrize("name", COLUMNS)
def test_values_and_types_stay(tmp_path: Path, name: str) -> None:
    table = pa.table({"person": PERSONS, name: COLUMNS[name]})
    source = write(tmp_path / "a.parquet", table)
    assert_rows_left(source, rewritten(source, {GO}))


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_that_no_arrow_schema_describes_stay(tmp_path: Path, name: str) -> None:
    table = pa.table({"person": PERSONS, name: COLUMNS[name]})
    source = write(tmp_path / "a.parquet", table, store_schema=False)
    assert_rows_left(source, rewritten(source, {GO}))


def test_metadata_and_field_order_and_nullability_stay(tmp_path: Path) -> None:
    schema = pa.schema(
        [
            pa.field("z", pa.int64(), nullable=False, metadata={"unit": "mm", "PARQUET:field_id": "7"}),
            pa.field("person", pa.string(), metadata={"personal": "yes"}),
            pa.field("a.b", pa.list_(pa.field("element", pa.int8(), nullable=False))),
        ],
        metadata={"huggingface": '{"info": {}}', "pandas": '{"index_columns": []}', "own": "\xff"},
    )
    table = pa.table([[1, 2, 3, 4, 5, 6], PERSONS, [[1]] * 6], schema=schema)
    source = write(tmp_path / "a.parquet", table)
    new = pq.ParquetFile(rewritten(source, {GO}))
    assert new.schema_arrow.equals(pq.read_schema(source.path), check_metadata=True)
    assert new.metadata.metadata == pq.read_metadata(source.path).metadata
    assert new.schema.equals(pq.ParquetFile(source.path).schema)


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "lz4", "zstd"])
def test_the_codec_stays(tmp_path: Path, codec: str) -> None:
    source = write(tmp_path / "a.parquet", pa.table({"person": PERSONS}), compression=codec)
    assert make_of(rewritten(source, {GO})) == make_of(source.path)


def test_how_each_column_is_made_stays(tmp_path: Path) -> None:
    table = pa.table({"person": PERSONS, "n": range(6), "t": ["abc"] * 6, "f": [0.5] * 6, "l": [[{"x": 1}]] * 6})
    source = write(
        tmp_path / "a.parquet",
        table,
        compression={"person": "zstd", "n": "none", "t": "gzip", "f": "snappy", "l.list.element.x": "brotli"},
        use_dictionary=["person", "l.list.element.x"],
        column_encoding={"n": "DELTA_BINARY_PACKED", "t": "DELTA_BYTE_ARRAY", "f": "BYTE_STREAM_SPLIT"},
        write_statistics=["n", "person"],
        write_page_index=True,
        bloom_filter_options={"person": {"ndv": 10}},
        sorting_columns=[pq.SortingColumn(1, descending=True)],
        version="1.0",
    )
    new = rewritten(source, {GO})
    assert make_of(new) == make_of(source.path)
    old_footer, new_footer = pq.read_metadata(source.path), pq.read_metadata(new)
    assert new_footer.format_version == old_footer.format_version == "1.0"
    assert new_footer.row_group(0).sorting_columns == old_footer.row_group(0).sorting_columns


def test_row_groups_stay_and_emptied_ones_go(tmp_path: Path) -> None:
    people = [KEEP, KEEP, GO, GO, None, GO, KEEP]
    source = write(tmp_path / "a.parquet", pa.table({"person": people}))
    new = pq.read_metadata(rewritten(source, {GO}))
    assert [new.row_group(index).num_rows for index in range(new.num_row_groups)] == [2, 1, 1]


def test_a_row_group_of_more_rows_than_the_writer_likes_stays_one(tmp_path: Path) -> None:
    table = pa.table({"person": pa.array([KEEP] * 1_100_000 + [GO]).dictionary_encode()})
    source = write(tmp_path / "a.parquet", table, row_group_size=2_000_000)
    new = pq.read_metadata(rewritten(source, {GO}))
    assert (new.num_row_groups, new.num_rows) == (1, 1_100_000)


def test_a_file_of_which_all_rows_go_stays_readable(tmp_path: Path) -> None:
    table = pa.table({"person": [GO, GO], "n": [1, 2]}).replace_schema_metadata({"own": "kept"})
    new = rewritten(write(tmp_path / "a.parquet", table), {GO})
    assert pq.read_table(new).equals(table.slice(0, 0))
    assert duckdb.sql(f"SELECT count(*) FROM read_parquet('{new}')").fetchall() == [(0,)]


@pytest.mark.parametrize("codec", ["none", "zstd"])
def test_nothing_of_the_rows_taken_out_stays_in_the_bytes(tmp_path: Path, codec: str) -> None:
    secret = pa.array(["said by m_keep", "said by m_go"] * 3)
    people = pa.array([KEEP, GO] * 3)
    table = pa.table(
        {
            "person": people.dictionary_encode(),
            "plain": secret,
            "dictionary": secret.dictionary_encode(),
            "list": pa.array([[one] for one in secret.to_pylist()], pa.list_(pa.dictionary(pa.int32(), pa.string()))),
            "struct": pa.StructArray.from_arrays([secret.dictionary_encode()], ["said"]),
        }
    )
    source = write(
        tmp_path / "a.parquet", table, compression=codec, write_page_index=True, bloom_filter_options={"person": True}
    )
    assert GO.encode() in Path(source.path).read_bytes()
    new = rewritten(source, {GO}).read_bytes()
    assert KEEP.encode() in new
    assert GO.encode() not in new


def test_files_of_another_writer_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    duckdb.sql(
        """
        SELECT CASE WHEN i % 3 = 0 THEN 'm_go' ELSE 'm_keep' END AS person, i, uuid() AS id,
            (i % 256)::UTINYINT AS tiny,
            [i, NULL] AS list, {'a': i, 'b': ['x']} AS struct, MAP {'k': i} AS map, (i / 7)::DECIMAL(9, 2) AS decimal,
            TIMESTAMP_NS '2024-09-18 00:00:00.000000001' AS ns, TIMESTAMPTZ '2024-09-18' AS tz, TIME '10:00' AS time,
            '{}'::JSON AS json, 'a'::ENUM('a', 'b') AS enum
        FROM range(5000) AS r(i)
        """
    ).write_parquet(str(path), row_group_size=2048, compression="zstd")
    source = DataFile("a.parquet", str(path))
    new = pq.ParquetFile(rewritten(source, {GO}))
    old = pq.ParquetFile(path)
    assert new.schema_arrow.equals(old.schema_arrow, check_metadata=True)
    assert new.metadata.metadata == old.metadata.metadata
    stay = pa.compute.equal(old.read().column("person"), KEEP)
    assert new.read().equals(old.read().filter(stay))


def test_an_interrupted_read_is_no_rewrite(tmp_path: Path) -> None:
    table = pa.table({"person": PERSONS, "text": ["something to compress"] * 6})
    source = write(tmp_path / "a.parquet", table, compression="none", use_dictionary=False)
    data = bytearray(Path(source.path).read_bytes())
    data[4:40] = b"\xff" * 36
    Path(source.path).write_bytes(bytes(data))
    with pytest.raises(ConnectorError) as refused:
        rewritten(source, {GO})
    assert (refused.value.code, refused.value.permanent) == ("dataset_unreadable", True)
    assert "something" not in refused.value.message


class TestRefusals:
    def test_int96_is_refused(self, tmp_path: Path) -> None:
        table = pa.table({"person": PERSONS, "at": pa.array(range(6), pa.timestamp("ns"))})
        source = write(tmp_path / "a.parquet", table, use_deprecated_int96_timestamps=True)
        with pytest.raises(ConnectorError, match=r"a\.parquet .* INT96 .*\(at\)") as refused:
            ENGINE.check_rewritable(source)
        assert (refused.value.code, refused.value.permanent) == ("unsupported_int96", True)
        with pytest.raises(ConnectorError):
            ENGINE.rewrite(source, str(tmp_path / "new"), key_column="person", keys={GO})
        assert not (tmp_path / "new").exists()

    def test_a_column_that_cannot_be_written_the_same_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "a.parquet"
        duckdb.sql("SELECT 'm_go' AS person, INTERVAL 1 DAY AS how_long").write_parquet(str(path))
        with pytest.raises(ConnectorError, match="how_long") as refused:
            ENGINE.check_rewritable(DataFile("a.parquet", str(path)))
        assert (refused.value.code, refused.value.permanent) == ("unfaithful_rewrite", True)
