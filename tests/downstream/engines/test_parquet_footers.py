"""What may be carried over is understood; anything that could hide a place in the file is not."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from downstream.engines import thrift_compact as thrift
from downstream.engines.held_bytes import InFile, InMemory, Range
from downstream.engines.parquet_footers import layout_of, moved_locations
from downstream.engines.parquet_splicing import splice
from downstream.engines.thrift_compact import Field, Items, Struct
from tests.downstream.engines.making import ENGINE, GO, KEEP, write

TABLE = pa.table({"person": [KEEP, KEEP, GO, KEEP], "n": [1, 2, 3, 4]})
MADE: dict[str, Any] = {"write_page_index": True, "bloom_filter_options": {"person": {"ndv": 2}}}


def with_footer(path: Path, change: Callable[[Struct], object]) -> None:
    """Write the file's footer anew, changed."""
    data = path.read_bytes()
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    tree, _ = thrift.read_struct(data, start)
    change(tree)
    footer = thrift.write_struct(tree)
    path.write_bytes(data[:start] + footer + len(footer).to_bytes(4, "little") + b"PAR1")


def group(tree: Struct, number: int = 0) -> Struct:
    return thrift.structs(tree, 4)[number]


def chunk(tree: Struct, number: int = 0) -> Struct:
    return thrift.structs(group(tree), 1)[number]


def meta(tree: Struct) -> Struct:
    return thrift.struct_of(chunk(tree), 3)


def put(struct: Struct, field: int, value: Any, kind: int = thrift.I64) -> None:
    struct[field] = Field(kind, value)


NOT_UNDERSTOOD: dict[str, Callable[[Struct], object]] = {
    "an unknown field of the file": lambda tree: put(tree, 10, 4),
    "an extension of the file": lambda tree: put(tree, 32767, b"x", thrift.BINARY),
    "encryption": lambda tree: put(tree, 8, {1: Field(thrift.STRUCT, {})}, thrift.STRUCT),
    "an unknown field of a row group": lambda tree: put(group(tree), 8, 4),
    "an unknown field of a chunk": lambda tree: put(chunk(tree), 10, 4),
    "an unknown field of a column": lambda tree: put(meta(tree), 18, 4),
    "an index page": lambda tree: put(meta(tree), 10, 4),
    "a chunk that overlaps another": lambda tree: put(meta(tree), 7, thrift.number(meta(tree), 7) + 1),
    "a chunk outside the file": lambda tree: put(meta(tree), 7, 10**9),
    "a chunk of negative length": lambda tree: put(meta(tree), 7, -1),
    "a Bloom filter of another length": lambda tree: put(meta(tree), 15, 3, thrift.I32),
    "a Bloom filter outside the file": lambda tree: put(meta(tree), 14, 10**9),
    "a page index without a length": lambda tree: chunk(tree).pop(5),
    "a wrong number of rows": lambda tree: put(tree, 3, 5),
    "a column order that is unknown": lambda tree: put(
        tree, 7, Items(thrift.STRUCT, [{2: Field(thrift.STRUCT, {})}] * 2), thrift.LIST
    ),
}


@pytest.mark.parametrize("what", NOT_UNDERSTOOD)
def test_what_is_not_understood_is_not_carried(tmp_path: Path, what: str) -> None:
    source = write(tmp_path / "a.parquet", TABLE, **MADE)
    assert layout_of(InMemory(memoryview(Path(source.path).read_bytes()))) is not None
    with_footer(Path(source.path), NOT_UNDERSTOOD[what])
    assert layout_of(InMemory(memoryview(Path(source.path).read_bytes()))) is None


@pytest.mark.parametrize("what", ["an unknown field of a row group", "a Bloom filter of another length"])
def test_a_file_that_is_not_understood_is_rewritten_wholly(tmp_path: Path, what: str) -> None:
    source = write(tmp_path / "a.parquet", TABLE, **MADE)
    with_footer(Path(source.path), NOT_UNDERSTOOD[what])
    target = str(tmp_path / "new.parquet")
    assert not splice(source, target, key_column="person", keys={GO})
    ENGINE.rewrite(source, target, key_column="person", keys={GO})
    assert ENGINE.compare(source, target, key_column="person", keys={GO}).rows_after == 3


def test_a_column_in_another_file_is_not_understood(tmp_path: Path) -> None:
    source = write(tmp_path / "a.parquet", TABLE)

    def elsewhere(tree: Struct) -> None:
        entry = chunk(tree)
        fields = {1: Field(thrift.BINARY, b"b.parquet"), **entry}
        entry.clear()
        entry.update(fields)

    with_footer(Path(source.path), elsewhere)
    assert layout_of(InMemory(memoryview(Path(source.path).read_bytes()))) is None


def test_pages_that_do_not_fill_their_place_are_not_carried(tmp_path: Path) -> None:
    source = write(tmp_path / "a.parquet", TABLE)
    with_footer(Path(source.path), lambda tree: put(meta(tree), 7, thrift.number(meta(tree), 7) - 1))
    assert not splice(source, str(tmp_path / "new"), key_column="person", keys={GO}, groups=[1])


def test_unknown_fields_that_hold_no_place_are_carried(tmp_path: Path) -> None:
    source = write(tmp_path / "a.parquet", TABLE)

    def extend(tree: Struct) -> None:
        put(thrift.structs(tree, 2)[1], 99, b"of the schema", thrift.BINARY)
        put(thrift.struct_of(meta(tree), 12), 99, b"of statistics", thrift.BINARY)

    with_footer(Path(source.path), extend)
    target = tmp_path / "new.parquet"
    assert splice(source, str(target), key_column="person", keys={GO})
    assert ENGINE.compare(source, str(target), key_column="person", keys={GO}).rows_after == 3
    assert all(said in target.read_bytes() for said in (b"of the schema", b"of statistics"))


def test_bloom_filters_whose_length_nobody_says_are_carried(tmp_path: Path) -> None:
    source = write(tmp_path / "a.parquet", TABLE, **MADE)
    with_footer(Path(source.path), lambda tree: meta(tree).pop(15))
    target = tmp_path / "new.parquet"
    assert splice(source, str(target), key_column="person", keys={GO})
    assert ENGINE.compare(source, str(target), key_column="person", keys={GO}).rows_after == 3
    assert pq.read_table(target, filters=[("person", "=", KEEP)]).num_rows == 3


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" * 4, b"PAR1" + b"\0" * 8 + b"PARE", b"\xff" * 100])
def test_what_is_no_parquet_is_not_understood(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(data)
    handle = os.open(path, os.O_RDONLY)
    try:
        assert layout_of(InFile.all_of(handle)) is None
    finally:
        os.close(handle)


def test_pages_of_an_offset_index_move() -> None:
    page: Struct = {1: Field(thrift.I64, 100), 2: Field(thrift.I32, 7), 3: Field(thrift.I64, 0)}
    sizes = Field(thrift.LIST, Items(thrift.I64, [5]))
    index: Struct = {1: Field(thrift.LIST, Items(thrift.STRUCT, [page])), 2: sizes}
    moved, _ = thrift.read_struct(moved_locations(thrift.write_struct(index), -60))
    assert thrift.structs(moved, 1) == [{**page, 1: Field(thrift.I64, 40)}]
    assert moved[2] == sizes


def test_a_range_ends_where_it_ends() -> None:
    assert Range(4, 6).end == 10
