"""A row group counts as carried only where every byte of it is the old one's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from downstream.engines import thrift_compact as thrift
from downstream.engines.base import DataFile
from downstream.engines.errors import ConnectorError
from downstream.engines.held_bytes import Range
from downstream.engines.parquet_carried import NOTHING, RowRange, carried
from downstream.engines.parquet_footers import Chunk
from tests.downstream.engines.looking import layout
from tests.downstream.engines.making import ENGINE, GO, KEEP, write
from tests.downstream.engines.test_parquet_footers import with_footer
from tests.downstream.engines.test_parquet_splicing import spliced

OWNERS = [KEEP, None, GO, KEEP, KEEP, KEEP]
TABLE = pa.table({"person": OWNERS, "n": range(6)})
MADE: dict[str, Any] = {
    "write_page_index": True,
    "bloom_filter_options": {"person": {"ndv": 2}},
    "compression": "none",
    "use_dictionary": False,
}


@pytest.fixture
def source(tmp_path: Path) -> DataFile:
    return write(tmp_path / "a.parquet", TABLE, **MADE)


def new(path: Path) -> DataFile:
    return DataFile("new", str(path))


def test_all_but_the_row_groups_written_anew_is_carried(source: DataFile) -> None:
    found = carried(source, new(spliced(source, {GO})))
    assert (found.old_rows, found.new_rows) == ([RowRange(2, 3)], [RowRange(2, 2)])
    assert all(found.sums)


def test_a_file_that_was_rewritten_wholly_is_compared_by_its_rows(tmp_path: Path, source: DataFile) -> None:
    other = write(tmp_path / "b.parquet", TABLE.take([0, 1, 3, 4, 5]), **MADE | {"compression": "zstd"})
    found = carried(source, other)
    assert (found.sums, found.old_rows, found.new_rows) == ((0, 0), [RowRange(0, 5)], [RowRange(0, 4)])
    assert ENGINE.compare(source, other.path, key_column="person", keys={GO}).rows_after == 5


def first(path: Path) -> Chunk:
    return layout(path).groups[0].chunks[0]


PLACES: dict[str, Callable[[Path], Range | None]] = {
    "pages": lambda path: first(path).pages,
    "a Bloom filter": lambda path: first(path).bloom,
    "a column index": lambda path: first(path).column_index,
    "an offset index": lambda path: first(path).offset_index,
}


@pytest.mark.parametrize("what", PLACES)
def test_one_bit_is_enough_to_look_at_the_rows(source: DataFile, what: str) -> None:
    target = spliced(source, {GO})
    place = PLACES[what](target)
    assert place is not None
    data = bytearray(target.read_bytes())
    data[place.end - (3 if what == "an offset index" else 1)] ^= 1
    target.write_bytes(data)
    found = carried(source, new(target))
    assert found.new_rows is None or found.new_rows[0] == RowRange(0, 2)


def test_a_row_that_changed_in_a_carried_row_group_is_noticed(source: DataFile) -> None:
    target = spliced(source, {GO})
    place = layout(target).groups[2].chunks[1].pages
    data = bytearray(target.read_bytes())
    assert data[place.end - 16] == 4
    data[place.end - 16] = 44
    target.write_bytes(data)
    assert pq.read_table(target).column("n").to_pylist()[3:] == [44, 5]
    with pytest.raises(ConnectorError, match="stay differ"):
        ENGINE.compare(source, str(target), key_column="person", keys={GO})


def test_a_carried_row_group_that_is_there_twice_is_noticed(source: DataFile) -> None:
    target = spliced(source, {GO})

    def twice(tree: thrift.Struct) -> None:
        groups = thrift.structs(tree, 4)
        tree[4] = thrift.Field(thrift.LIST, thrift.Items(thrift.STRUCT, [groups[0], groups[1], groups[0]]))

    with_footer(target, twice)
    with pytest.raises(ConnectorError, match="stay differ"):
        ENGINE.compare(source, str(target), key_column="person", keys={GO})


def test_a_row_group_that_is_left_out_is_noticed(source: DataFile) -> None:
    target = spliced(source, {GO})

    def less(tree: thrift.Struct) -> None:
        tree[4] = thrift.Field(thrift.LIST, thrift.Items(thrift.STRUCT, thrift.structs(tree, 4)[:2]))
        tree[3] = thrift.Field(thrift.I64, 3)

    with_footer(target, less)
    with pytest.raises(ConnectorError, match="3 rows, not 5"):
        ENGINE.compare(source, str(target), key_column="person", keys={GO})


def test_statistics_that_were_changed_are_no_carrying_over(source: DataFile) -> None:
    target = spliced(source, {GO})

    def lie(tree: thrift.Struct) -> None:
        entry = thrift.struct_of(thrift.structs(thrift.structs(tree, 4)[0], 1)[0], 3)
        statistics = thrift.struct_of(entry, 12)
        statistics[5] = thrift.Field(thrift.BINARY, b"m_zz")

    with_footer(target, lie)
    assert carried(source, new(target)).new_rows == [RowRange(0, 2)]


def test_a_column_called_as_the_reader_calls_row_numbers_is_compared_by_rows(tmp_path: Path) -> None:
    table = TABLE.rename_columns(["person", "File_Row_Number"])
    source = write(tmp_path / "a.parquet", table)
    assert carried(source, new(spliced(source, {GO}))) == NOTHING


def test_the_digest_is_the_same_whenever_one_looks(source: DataFile) -> None:
    target = spliced(source, {GO})
    before = ENGINE.compare(source, str(target), key_column="person", keys={GO})
    assert before.digest.startswith("5:")
    assert ENGINE.compare(source, str(target), key_column="person", keys={GO}, groups=[1]) == before
