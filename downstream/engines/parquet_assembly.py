"""Putting row groups of several origins together into one Parquet file, with a footer that says where all of it is."""

from dataclasses import dataclass

from downstream.engines import thrift_compact as thrift
from downstream.engines.held_bytes import NOWHERE, Held, Range, write_all
from downstream.engines.parquet_footers import MAGIC, Chunk, Group, moved, moved_locations
from downstream.engines.thrift_compact import Field, Items, Struct


@dataclass
class _Placed:
    """A chunk whose pages have been copied, and where its parts are now; 0 while they are not."""

    held: Held
    chunk: Chunk
    pages: int
    bloom: int = 0
    column_index: int = 0
    offset_index: Range = NOWHERE

    @property
    def tree(self) -> Struct:
        return moved(
            self.chunk,
            pages=self.pages,
            bloom=self.bloom,
            column_index=self.column_index,
            offset_index=self.offset_index,
        )


class Assembly:
    """A file that is written from its beginning to its end, at an open handle. Methods raise OSError."""

    def __init__(self, out: int) -> None:
        self._out = out
        self._position = 0
        self._groups: list[tuple[Group, list[_Placed]]] = []
        self._write(MAGIC)

    def add(self, held: Held, group: Group) -> None:
        """Copy the pages of a row group."""
        placed = []
        for chunk in group.chunks:
            placed.append(_Placed(held, chunk, self._position))
            self._position += chunk.pages.length
        for stretch in _stretches(group):
            held.copy(stretch, self._out)
        self._groups.append((group, placed))

    def finish(self, tree: Struct) -> None:
        """Copy Bloom filters and indexes, and write the footer `tree` for the row groups that were added."""
        every = [one for _, placed in self._groups for one in placed]
        for one in every:
            if one.chunk.bloom:
                one.bloom = self._position
                one.held.copy(one.chunk.bloom, self._out)
                self._position += one.chunk.bloom.length
        for one in every:
            if one.chunk.column_index:
                one.column_index = self._write(one.held.read(one.chunk.column_index))
        for one in every:
            if one.chunk.offset_index:
                index = one.held.read(one.chunk.offset_index)
                index = moved_locations(index, one.pages - one.chunk.pages.start)
                one.offset_index = Range(self._write(index), len(index))
        footer = thrift.write_struct(self._footer(tree))
        self._write(footer + len(footer).to_bytes(4, "little") + MAGIC)

    def _write(self, data: bytes) -> int:
        """Where it begins."""
        start = self._position
        write_all(self._out, data)
        self._position += len(data)
        return start

    def _footer(self, tree: Struct) -> Struct:
        numbered = any(7 in group.tree for group, _ in self._groups)
        groups = [
            _group(group, placed) | ({7: Field(thrift.I16, number)} if numbered else {})
            for number, (group, placed) in enumerate(self._groups)
        ]
        rows = sum(group.rows for group, _ in self._groups)
        return tree | {3: Field(thrift.I64, rows), 4: Field(thrift.LIST, Items(thrift.STRUCT, groups))}


def _stretches(group: Group) -> list[Range]:
    """The pages of the group's chunks, those that follow each other in one."""
    stretches: list[Range] = []
    for chunk in group.chunks:
        if stretches and stretches[-1].end == chunk.pages.start:
            stretches[-1] = Range(stretches[-1].start, stretches[-1].length + chunk.pages.length)
        else:
            stretches.append(chunk.pages)
    return stretches


def _group(group: Group, placed: list[_Placed]) -> Struct:
    tree = dict(group.tree)
    tree[1] = Field(thrift.LIST, Items(thrift.STRUCT, [one.tree for one in placed]))
    if 5 in tree:
        tree[5] = Field(thrift.I64, placed[0].pages if placed else 0)
    return tree
