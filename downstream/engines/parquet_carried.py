"""Which row groups of a new file are byte for byte those of the old one, found by looking at both afresh.

Nobody says which row groups were carried over: each row group of the new file is held against those of the old one.
Its entry in the footer has to say the same but for where things lie, and every byte of its pages, Bloom filters and
page indexes has to be the same. All other row groups have to be decoded to be compared.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from downstream.engines import thrift_compact as thrift
from downstream.engines.base import DataFile
from downstream.engines.held_bytes import Held, Range
from downstream.engines.parquet_files import held, opened
from downstream.engines.parquet_footers import (
    NOT_UNDERSTOOD,
    Chunk,
    Group,
    Layout,
    layout_of,
    moved_locations,
    relative,
)
from downstream.engines.thrift_compact import Struct

_64_BITS = 2**64
_AT_ONCE = 4 * 2**20
# what DuckDB calls the number of a row; a file's own column of that name would be in the way
_ROW_NUMBER = "file_row_number"


@dataclass(frozen=True)
class RowRange:
    """Rows of a file by number, from 0; both ends are included."""

    first: int
    last: int


@dataclass(frozen=True)
class Carried:
    """Two sums over what was carried, and the rows of both files that were not; None is all of them."""

    sums: tuple[int, int] = (0, 0)
    old_rows: Sequence[RowRange] | None = None
    new_rows: Sequence[RowRange] | None = None


NOTHING = Carried()


def carried(source: DataFile, new: DataFile) -> Carried:
    """What of `new` is of `source`, byte for byte; nothing where one of the files is not understood."""
    with opened(source) as parquet:
        if any(name.casefold() == _ROW_NUMBER for name in parquet.schema_arrow.names):
            return NOTHING
    with held(source) as old_bytes, held(new) as new_bytes:
        before, after = layout_of(old_bytes), layout_of(new_bytes)
        if before is None or after is None:
            return NOTHING
        pairs = _pairs(old_bytes, before, new_bytes, after)
        one = two = 0
        for _, number in pairs:
            digest = _digest(new_bytes, after.groups[number])
            one += int.from_bytes(digest[:8], "big")
            two += int.from_bytes(digest[8:16], "big")
    return Carried(
        sums=(one % _64_BITS, two % _64_BITS),
        old_rows=_others(before, {old for old, _ in pairs}),
        new_rows=_others(after, {number for _, number in pairs}),
    )


def _pairs(old: Held, before: Layout, new: Held, after: Layout) -> list[tuple[int, int]]:
    """Numbers of row groups that are the same; order stays, so each is looked for behind the one before."""
    entries = [_entry(group) for group in before.groups]
    alike: dict[tuple[int, int], list[int]] = {}
    for number, group in enumerate(before.groups):
        alike.setdefault(_size(group), []).append(number)
    pairs, start = [], 0
    for number, group in enumerate(after.groups):
        entry = _entry(group)
        for candidate in alike.get(_size(group), ()):
            if candidate < start or entries[candidate] != entry:
                continue
            if _same_bytes(old, before.groups[candidate], new, group):
                pairs.append((candidate, number))
                start = candidate + 1
                break
    return pairs


def _size(group: Group) -> tuple[int, int]:
    return group.rows, thrift.number(group.tree, 2)


def _entry(group: Group) -> tuple[Struct, list[Struct]]:
    """What the footer says about the row group, but for where it is."""
    tree = {field: value for field, value in group.tree.items() if field not in (1, 5, 7)}
    return tree, [relative(chunk) for chunk in group.chunks]


def _same_bytes(old: Held, before: Group, new: Held, after: Group) -> bool:
    return all(_same_chunk(old, one, new, other) for one, other in zip(before.chunks, after.chunks, strict=True))


def _same_chunk(old: Held, before: Chunk, new: Held, after: Chunk) -> bool:
    if not (
        _equal(old, before.pages, new, after.pages)
        and _equal(old, before.bloom, new, after.bloom)
        and _equal(old, before.column_index, new, after.column_index)
    ):
        return False
    if before.offset_index is None or after.offset_index is None:
        return before.offset_index is after.offset_index
    try:
        indexes = [
            moved_locations(holder.read(chunk.offset_index), -chunk.pages.start)
            for holder, chunk in ((old, before), (new, after))
            if chunk.offset_index
        ]
    except NOT_UNDERSTOOD:
        return False
    return indexes[0] == indexes[1]


def _equal(old: Held, before: Range | None, new: Held, after: Range | None) -> bool:
    if before is None or after is None:
        return before is after
    if before.length != after.length:
        return False
    steps = zip(_steps(before), _steps(after), strict=True)
    return all(old.read(one) == new.read(other) for one, other in steps)


def _steps(place: Range) -> Iterator[Range]:
    for start in range(place.start, place.end, _AT_ONCE):
        yield Range(start, min(_AT_ONCE, place.end - start))


def _digest(new: Held, group: Group) -> bytes:
    digest = hashlib.sha256()
    for chunk in group.chunks:
        for step in _steps(chunk.pages):
            digest.update(new.read(step))
    return digest.digest()


def _others(layout: Layout, numbers: set[int]) -> list[RowRange]:
    """The rows of all other row groups, those that follow each other in one."""
    rows: list[RowRange] = []
    for number, group in enumerate(layout.groups):
        if number in numbers or not group.rows:
            continue
        last = group.first_row + group.rows - 1
        if rows and rows[-1].last + 1 == group.first_row:
            rows[-1] = RowRange(rows[-1].first, last)
        else:
            rows.append(RowRange(group.first_row, last))
    return rows
