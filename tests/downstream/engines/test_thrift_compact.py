"""Trees come back as they were, and what is no Thrift is said to be none."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downstream.engines import thrift_compact as thrift
from downstream.engines.thrift_compact import Field, Items, Pairs, Struct, ThriftError

NUMBERS = st.integers(-(2**63), 2**63 - 1)
PLAIN: dict[int, st.SearchStrategy[Any]] = {
    thrift.BYTE: st.binary(min_size=1, max_size=1),
    thrift.I16: st.integers(-(2**15), 2**15 - 1),
    thrift.I32: st.integers(-(2**31), 2**31 - 1),
    thrift.I64: NUMBERS,
    thrift.DOUBLE: st.binary(min_size=8, max_size=8),
    thrift.BINARY: st.binary(max_size=200),
    thrift.UUID: st.binary(min_size=16, max_size=16),
}


def fields(values: st.SearchStrategy[Any], kind: int) -> st.SearchStrategy[Field]:
    return values.map(lambda value: Field(kind, value))


SINGLE = st.one_of(*[fields(values, kind) for kind, values in PLAIN.items()], fields(st.just(True), thrift.TRUE))
LISTS = st.one_of(
    *[st.lists(values, max_size=20).map(lambda found, kind=kind: Items(kind, found)) for kind, values in PLAIN.items()],
    st.lists(st.booleans(), max_size=20).map(lambda found: Items(thrift.FALSE, found)),
)
MAPS = st.lists(st.tuples(st.binary(max_size=3), NUMBERS), min_size=1, max_size=3).map(
    lambda found: Pairs(thrift.BINARY, thrift.I64, found)
)
TREES: st.SearchStrategy[Struct] = st.recursive(
    st.dictionaries(st.integers(1, 40), SINGLE, max_size=4),
    lambda within: st.dictionaries(
        st.integers(1, 32767),
        st.one_of(
            SINGLE,
            fields(LISTS, thrift.LIST),
            fields(LISTS, thrift.SET),
            fields(MAPS, thrift.MAP),
            fields(within, thrift.STRUCT),
            fields(st.lists(within, max_size=17).map(lambda found: Items(thrift.STRUCT, found)), thrift.LIST),
        ),
        max_size=4,
    ),
    max_leaves=10,
)


@given(tree=TREES, before=st.binary(max_size=3), after=st.binary(max_size=3))
def test_a_tree_comes_back(tree: Struct, before: bytes, after: bytes) -> None:
    written = thrift.write_struct(tree)
    read, end = thrift.read_struct(before + written + after, len(before))
    assert (read, end) == (tree, len(before) + len(written))
    assert list(read) == list(tree)


@given(tree=TREES.filter(bool), cut=st.integers(1, 50))
def test_a_tree_cut_short_is_an_error(tree: Struct, cut: int) -> None:
    written = thrift.write_struct(tree)
    with pytest.raises(ThriftError):
        thrift.read_struct(written[: max(len(written) - cut, 0)])


@given(data=st.binary(max_size=60))
def test_anything_else_is_read_or_an_error(data: bytes) -> None:
    with suppress(ThriftError):
        thrift.read_struct(data)


@pytest.mark.parametrize(
    "data",
    [b"\x1c" * 100, b"\x15" + b"\xff" * 11, b"\x19\xfc\xff\xff\xff\x7f", b"\x1e\x00", b"\x15\x02\x05\x02\x02\x00"],
)
def test_nonsense_is_an_error(data: bytes) -> None:
    with pytest.raises(ThriftError):
        thrift.read_struct(data)


def test_fields_are_taken_for_what_they_are() -> None:
    within: Struct = {1: Field(thrift.I32, 7)}
    tree: Struct = {1: Field(thrift.STRUCT, within), 2: Field(thrift.LIST, Items(thrift.STRUCT, [within]))}
    assert thrift.struct_of(tree, 1) == within
    assert thrift.structs(tree, 2) == [within]
    assert (thrift.number(within, 1), thrift.number(within, 2, -1)) == (7, -1)
    for wrong in (
        lambda: thrift.struct_of(tree, 2),
        lambda: thrift.structs(tree, 1),
        lambda: thrift.structs(tree, 3),
        lambda: thrift.number(tree, 1),
    ):
        with pytest.raises(ThriftError):
            wrong()
