"""Row groups that are carried over keep their bytes, and every reader sees what a whole rewrite would give."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from downstream.engines import parquet_rewriting
from downstream.engines.base import DataFile
from downstream.engines.errors import ConnectorError
from downstream.engines.parquet_carried import carried
from downstream.engines.parquet_rewriting import dense
from downstream.engines.parquet_splicing import splice
from downstream.engines.spans import Part, Span, Spans
from tests.downstream.engines.looking import covered, everything_in, layout
from tests.downstream.engines.making import ENGINE, GO, KEEP, make_of, write
from tests.downstream.engines.test_any_table import PEOPLE, ROWS, tabled
from tests.downstream.engines.test_parquet_rewriting import COLUMNS

# row groups of two: the first and the last are carried, the second loses a row, the third goes wholly
OWNERS = [KEEP, None, GO, KEEP, GO, GO, KEEP, KEEP]


def spliced(source: DataFile, keys: set[str], **hints: Any) -> Path:
    """The new version, made by carrying over and accepted by the engine."""
    target = Path(source.path).with_name("new.parquet")
    assert splice(source, str(target), key_column="person", keys=keys, **hints)
    ENGINE.compare(source, str(target), key_column="person", keys=keys)
    assert covered(target) == target.stat().st_size
    return target


def rewritten(source: DataFile, keys: set[str]) -> Path:
    target = Path(source.path).with_name("plain.tmp")
    parquet_rewriting.rewrite(source, str(target), key_column="person", keys=keys)
    return target


def carried_groups(source: DataFile, target: Path) -> int:
    """How many row groups of the new file are byte for byte the old one's."""
    found = carried(source, DataFile("new", str(target)))
    assert found.new_rows is not None
    anew = sum(one.last - one.first + 1 for one in found.new_rows)
    groups = [pq.read_metadata(target).row_group(n).num_rows for n in range(pq.read_metadata(target).num_row_groups)]
    assert sum(groups) >= anew
    places = {(one.first, one.last) for one in found.new_rows}
    first, count = 0, 0
    for rows in groups:
        count += not any(start <= first <= end for start, end in places)
        first += rows
    return count


def pyo3_panic() -> type[BaseException]:
    """What polars raises for types that it does not know."""
    found: type[BaseException] = polars.exceptions.PanicException
    return found


def assert_reads_alike(one: Path, other: Path) -> None:
    """Three readers see the same rows in the same order in both."""
    ours, theirs = pq.read_table(one), pq.read_table(other)
    assert ours.schema.equals(theirs.schema, check_metadata=True)
    plain = dense(ours.schema)
    assert ours.cast(plain).equals(theirs.cast(plain))
    read = [duckdb.sql(f"SELECT * FROM read_parquet('{path}')").to_arrow_table() for path in (one, other)]
    assert read[0].equals(read[1])
    try:
        expected = polars.read_parquet(other)
    except (polars.exceptions.PolarsError, pyo3_panic()):
        return
    assert polars.read_parquet(one).equals(expected)


@pytest.mark.parametrize("name", COLUMNS)
def test_any_column_reads_as_if_rewritten_wholly(tmp_path: Path, name: str) -> None:
    column = pa.chunked_array([COLUMNS[name], COLUMNS[name].slice(0, 2)])
    table = pa.table({"person": OWNERS, name: column})
    source = write(tmp_path / "a.parquet", table, write_page_index=True, bloom_filter_options={"person": {"ndv": 8}})
    target = spliced(source, {GO})
    assert_reads_alike(target, rewritten(source, {GO}))
    assert pq.read_metadata(target).metadata == pq.read_metadata(source.path).metadata
    assert pq.ParquetFile(target).schema.equals(pq.ParquetFile(source.path).schema)


BIG = pa.table(
    {
        "person": [GO if n == 2_500 else f"m_{n % 700}" for n in range(5_000)],
        "text": [f"what number {n} has said" for n in range(5_000)],
        "lang": [f"l{n % 7}" for n in range(5_000)],
        "at": pa.array(range(5_000), pa.timestamp("ms", "UTC")),
        "list": [[{"x": n, "y": f"{n % 11}"}] * (n % 3) for n in range(5_000)],
    }
)


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "lz4", "zstd"])
@pytest.mark.parametrize("pages", ["1.0", "2.0"])
@pytest.mark.parametrize("index", [True, False])
def test_every_codec_and_kind_of_page_is_carried(tmp_path: Path, codec: str, pages: str, index: bool) -> None:
    source = write(
        tmp_path / "a.parquet",
        BIG,
        row_group_size=1_000,
        compression=codec,
        data_page_version=pages,
        data_page_size=4_000,
        write_page_index=index,
        bloom_filter_options={"person": {"ndv": 700}, "text": {"ndv": 1_000}} if index else None,
    )
    target = spliced(source, {GO})
    assert carried_groups(source, target) == 4
    assert make_of(target) == make_of(source.path)
    assert_reads_alike(target, rewritten(source, {GO}))
    # readers that go by page index and Bloom filter find what is there, and only that
    for person, rows in (("m_5", 8), (GO, 0)):
        assert duckdb.sql(f"SELECT count(*) FROM '{target}' WHERE person = '{person}'").fetchall() == [(rows,)]
        assert len(pq.read_table(target, filters=[("person", "=", person)])) == rows
        assert polars.scan_parquet(target).filter(polars.col("person") == person).collect().height == rows


def test_what_the_footer_says_beside_rows_is_carried_byte_for_byte(tmp_path: Path) -> None:
    table = BIG.replace_schema_metadata({"own": "\xff", "huggingface": "{}"})
    source = write(
        tmp_path / "a.parquet", table, row_group_size=1_000, version="1.0", sorting_columns=[pq.SortingColumn(1)]
    )
    old, new = layout(source.path), layout(spliced(source, {GO}))
    assert {field: value for field, value in old.tree.items() if field not in (3, 4)} == {
        field: value for field, value in new.tree.items() if field not in (3, 4)
    }
    assert [group.tree.get(7) for group in new.groups] == [group.tree.get(7) for group in old.groups]
    assert {str(group.tree[4]) for group in new.groups} == {str(old.groups[0].tree[4])}


def test_an_emptied_row_group_goes_and_the_others_are_counted_anew(tmp_path: Path) -> None:
    source = write(tmp_path / "a.parquet", pa.table({"person": OWNERS, "n": range(8)}))
    target = spliced(source, {GO})
    assert [group.rows for group in layout(target).groups] == [2, 1, 2]
    assert carried_groups(source, target) == 2
    assert pq.read_table(target).column("n").to_pylist() == [0, 1, 3, 6, 7]


def test_nobody_of_the_keys_is_there_and_all_is_carried(tmp_path: Path) -> None:
    source = write(tmp_path / "a.parquet", pa.table({"person": OWNERS}))
    assert carried_groups(source, spliced(source, {"m_nobody"})) == 4


@pytest.mark.parametrize("groups", [[1, 2], [0, 1, 2], {1, 2, 99}])
def test_who_knows_the_row_groups_saves_the_search(tmp_path: Path, groups: Any) -> None:
    source = write(tmp_path / "a.parquet", pa.table({"person": OWNERS, "n": range(8)}))
    target = spliced(source, {GO}, groups=groups)
    assert pq.read_table(target).column("n").to_pylist() == [0, 1, 3, 6, 7]


def test_who_knows_them_wrongly_is_told(tmp_path: Path) -> None:
    source = write(tmp_path / "a.parquet", pa.table({"person": OWNERS, "n": range(8)}))
    target = str(tmp_path / "new")
    ENGINE.rewrite(source, target, key_column="person", keys={GO}, groups=[1])
    with pytest.raises(ConnectorError, match="still holds"):
        ENGINE.compare(source, target, key_column="person", keys={GO}, groups=[1])


def test_only_row_groups_with_rows_of_the_span_are_hit(tmp_path: Path) -> None:
    made = pa.array([datetime(2024, month, 1, tzinfo=UTC) for month in range(1, 9)], pa.timestamp("us", "UTC"))
    source = write(tmp_path / "a.parquet", pa.table({"person": [GO] * 8, "n": range(8), "made": made}))
    span = Span(datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC))
    spans = Spans((Part((span,), frozenset({GO})),), "made")
    target = tmp_path / "new.parquet"
    assert splice(source, str(target), key_column="person", keys=set(), spans=spans)
    compared = ENGINE.compare(source, str(target), key_column="person", keys=set(), spans=spans)
    assert (compared.rows_before, compared.rows_after) == (8, 7)
    assert carried_groups(source, target) == 3
    assert pq.read_table(target).column("n").to_pylist() == [0, 1, 3, 4, 5, 6, 7]


def test_where_every_row_group_is_hit_there_is_nothing_to_carry(tmp_path: Path) -> None:
    source = write(tmp_path / "a.parquet", pa.table({"person": [GO, KEEP, GO, GO]}))
    target = tmp_path / "new"
    assert not splice(source, str(target), key_column="person", keys={GO})
    assert not target.exists()
    ENGINE.rewrite(source, str(target), key_column="person", keys={GO})
    assert ENGINE.compare(source, str(target), key_column="person", keys={GO}).rows_after == 1


def test_many_row_groups_wait_in_a_file_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("downstream.engines.parquet_splicing._IN_MEMORY", 1_000)
    people = [GO if n % 2_000 == 7 else f"m_{n}" for n in range(10_000)]
    source = write(tmp_path / "a.parquet", pa.table({"person": people}), row_group_size=1_000)
    target = spliced(source, {GO})
    assert carried_groups(source, target) == 5
    assert pq.read_table(target).column("person").to_pylist() == [one for one in people if one != GO]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "new.parquet"]


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    source = write(tmp_path / "a.parquet", pa.table({"person": OWNERS}))
    with pytest.raises(ConnectorError) as refused:
        ENGINE.rewrite(source, "/dev/full", key_column="person", keys={GO})
    assert (refused.value.code, refused.value.permanent) == ("disk_full", False)


def test_files_of_polars_are_carried(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    frame = polars.from_arrow(BIG.drop_columns(["lang"]))
    assert isinstance(frame, polars.DataFrame)
    kind = polars.Series("kind", [f"k{n % 5}" for n in range(5_000)], dtype=polars.Categorical)
    frame.with_columns(kind).write_parquet(path, row_group_size=1_000)
    source = DataFile("a.parquet", str(path))
    assert GO.encode() in everything_in(path)
    target = spliced(source, {GO})
    assert [group.tree[7].value for group in layout(target).groups] == [0, 1, 2, 3, 4]
    assert carried_groups(source, target) == 4
    assert_reads_alike(target, rewritten(source, {GO}))
    assert GO.encode() not in everything_in(target)


def test_files_of_duckdb_are_carried(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    duckdb.sql(
        """
        SELECT CASE WHEN i = 3000 THEN 'm_go' ELSE 'm_' || (i % 700) END AS person, i, uuid() AS id, [i, NULL] AS list,
            {'a': i, 'b': ['x']} AS struct, MAP {'k': i} AS map, (i / 7)::DECIMAL(9, 2) AS decimal,
            TIMESTAMP_NS '2024-09-18 00:00:00.000000001' AS ns, 'a'::ENUM('a', 'b') AS enum, '{}'::JSON AS json
        FROM range(10000) AS r(i)
        """
    ).write_parquet(str(path), row_group_size=2048, compression="zstd")
    source = DataFile("a.parquet", str(path))
    target = spliced(source, {GO})
    assert carried_groups(source, target) == pq.read_metadata(path).num_row_groups - 1
    assert_reads_alike(target, rewritten(source, {GO}))
    assert GO.encode() not in everything_in(target)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, keys=st.sets(PEOPLE), size=st.integers(1, 7), as_dictionary=st.booleans(), index=st.booleans())
def test_for_any_rows_it_is_what_a_whole_rewrite_gives(
    rows: list[tuple[Any, ...]], keys: set[str], size: int, as_dictionary: bool, index: bool
) -> None:
    with TemporaryDirectory() as folder:
        table = tabled(rows, as_dictionary=as_dictionary)
        source = write(Path(folder, "a"), table, row_group_size=size, write_page_index=index)
        target = Path(folder, "new.parquet")
        if splice(source, str(target), key_column="person", keys=keys):
            ENGINE.compare(source, str(target), key_column="person", keys=keys)
            assert_reads_alike(target, rewritten(source, keys))
