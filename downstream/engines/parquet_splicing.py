"""Writing a Parquet file again without some rows, where only the row groups that hold them are written anew.

Encoding is what a rewrite costs, so the compressed bytes of all other row groups are carried over as they are, with
their Bloom filters and page indexes, under a footer in which every place is moved. Schema, metadata and everything
else that the old footer said is carried over too. What is not understood is left to `parquet_rewriting`.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from downstream.engines.base import DataFile
from downstream.engines.errors import reading, writing
from downstream.engines.held_bytes import Held, InFile, InMemory, write_all
from downstream.engines.parquet_assembly import Assembly
from downstream.engines.parquet_files import held, opened
from downstream.engines.parquet_footers import (
    NOT_UNDERSTOOD,
    Group,
    Layout,
    NotUnderstoodError,
    comes_out_as_it_went_in,
    layout_of,
)
from downstream.engines.parquet_pages import pages_of
from downstream.engines.parquet_residue import RemovedValues
from downstream.engines.parquet_rewriting import LeavingRows, Plan, plan_of
from downstream.engines.parquet_swelling import Swelling
from downstream.engines.room import room_for
from downstream.engines.spans import WHOLE, Spans

_IN_MEMORY = 32 * 2**20

Part = tuple[Held, Group]


def splice(
    source: DataFile,
    target: str,
    *,
    key_column: str,
    keys: Collection[str],
    spans: Spans = WHOLE,
    groups: Collection[int] | None = None,
) -> bool:
    """Write `source` without the rows that have to go to `target`, unless it has to be rewritten wholly: then False.

    `groups` are the numbers of the row groups that hold such rows, where the caller knows; None looks for them.
    Nothing is written where the answer is False. Raises ConnectorError.
    """
    with opened(source) as parquet, held(source) as old:
        leaving = LeavingRows.of(source, parquet, key_column, keys, spans)
        known = range(parquet.num_row_groups)
        hit = set(_hit(parquet, leaving) if groups is None else groups).intersection(known)
        layout = _carriable(old, parquet) if len(hit) < len(known) else None
        if layout is None:
            return False
        with ExitStack() as stack:
            shelf = _Shelf(Path(target).parent, stack)
            job = _Job(source, parquet, old, layout, plan_of(source, parquet), leaving, shelf)
            try:
                parts = job.parts(hit)
            except NOT_UNDERSTOOD:
                return False
            with writing(source.name), Path(target).open("wb", buffering=0) as out:
                assembly = Assembly(out.fileno())
                for place, group in parts:
                    assembly.add(place, group)
                assembly.finish(layout.tree)
        return True


def _carriable(old: InFile, parquet: pq.ParquetFile) -> Layout | None:
    """The file's layout where its row groups can be carried over; None where it has to be rewritten wholly."""
    layout = layout_of(old)
    if layout is None or len(layout.groups) != parquet.num_row_groups:
        return None
    return layout if comes_out_as_it_went_in(layout) else None


def _check_pages(old: Held, group: Group) -> None:
    """The pages of each column fill their place exactly: nothing is cut off, nothing is carried along unseen."""
    for chunk in group.chunks:
        for _ in pages_of(old, chunk):
            pass


def _hit(parquet: pq.ParquetFile, leaving: LeavingRows) -> Iterator[int]:
    """The numbers of the row groups that hold rows that have to go."""
    columns = [leaving.key_column, *([leaving.spans.column] if leaving.spans else [])]
    for number in range(parquet.num_row_groups):
        if pc.any(leaving.rows(parquet.read_row_group(number, columns=columns))).as_py():
            yield number


class _Shelf:
    """Where row groups written anew wait until all are: in memory, and beyond that in a file without a name.

    A file without a name is gone with the process that made it. Where the file system knows none, the file has to be
    rewritten wholly, which needs no such place.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._in_memory = 0
        self._in_file = 0
        self._handle: int | None = None

    def put(self, data: memoryview) -> Held:
        """Raises NotUnderstoodError where there is no room, and OSError."""
        if self._in_memory + len(data) <= _IN_MEMORY:
            self._in_memory += len(data)
            return InMemory(data)
        handle = self._opened()
        write_all(handle, data)
        self._in_file += len(data)
        return InFile(handle, len(data), self._in_file - len(data))

    def _opened(self) -> int:
        if self._handle is None:
            try:
                self._handle = os.open(self._folder, os.O_TMPFILE | os.O_RDWR, 0o600)
            except (AttributeError, OSError):
                raise NotUnderstoodError("the file system knows no files without a name") from None
            self._stack.callback(os.close, self._handle)
        return self._handle


@dataclass
class _Job:
    source: DataFile
    parquet: pq.ParquetFile
    old: Held
    layout: Layout
    plan: Plan
    leaving: LeavingRows
    shelf: _Shelf

    def parts(self, hit: Collection[int]) -> list[Part]:
        """The new file's row groups in order, carried or written anew. Raises NotUnderstoodError, ConnectorError."""
        for number, group in enumerate(self.layout.groups):
            if number not in hit:
                _check_pages(self.old, group)
        removed = RemovedValues(self.parquet, self.plan, self.leaving.key_column)
        anew = {number: self._anew(number, removed) for number in sorted(hit)}
        for part in anew.values():
            if part:
                removed.forgive(*part)
        for number, group in enumerate(self.layout.groups):
            if number not in anew and removed.remain_in(self.old, group, number):
                anew[number] = self._anew(number, removed)
        carried = {number: (self.old, group) for number, group in enumerate(self.layout.groups)}
        return [part for part in (carried | anew).values() if part]

    def _anew(self, number: int, removed: RemovedValues) -> Part | None:
        """The row group without the rows that have to go; None where no row is left."""
        way = Swelling.of(self.old, self.parquet.metadata.row_group(number), self.plan.schema)
        with room_for(way.room):
            with reading(self.source.name):
                kept = way.staying(self.parquet, number, self.plan.schema, self.leaving.rows, removed.add)
            return self._written(kept) if kept.num_rows else None

    def _written(self, rows: pa.Table) -> Part:
        sink = pa.BufferOutputStream()
        with writing(self.source.name):
            with pq.ParquetWriter(sink, rows.schema, store_schema=False, **self.plan.options) as writer:
                writer.write_table(rows, row_group_size=rows.num_rows)
            place = self.shelf.put(memoryview(sink.getvalue()))
            layout = layout_of(place)
        if layout is None or len(layout.groups) != 1:
            raise NotUnderstoodError("what pyarrow has written")
        return place, layout.groups[0]
