"""Whether a row group that is to be carried over undecoded still names who has to go, without holding a row of theirs.

That can be where a writer put values into a dictionary page, or into statistics, that no row of the row group has.
The values of removed rows, but for those that rows written anew have too, are looked for there; what is found is
rightly there only where a row of that very row group has it. Numbers other than keys are not looked for: the known
writers keep no unused ones, and alone they name nobody.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from downstream.engines import thrift_compact as thrift
from downstream.engines.held_bytes import Held, InMemory
from downstream.engines.parquet_footers import Chunk, Group, NotUnderstoodError, layout_of
from downstream.engines.parquet_pages import BYTE_ARRAY, FIXED_LENGTH, dictionary_of, found_in, values_in
from downstream.engines.parquet_rewriting import Plan, dense
from downstream.engines.parquet_swelling import Swelling
from downstream.engines.room import room_for

_FORM = ("version", "use_compliant_nested_type", "store_decimal_as_integer", "write_time_adjusted_to_utc")
_MOST = 64 * 2**20
_STATISTICS = (1, 2, 5, 6)
_SMALLEST_AND_LARGEST = (2, 3)


@dataclass
class RemovedValues:
    """What the removed rows of one file said, by column; grows while its row groups are written anew."""

    parquet: pq.ParquetFile
    plan: Plan
    key_column: str
    _values: dict[int, set[bytes]] = field(default_factory=dict, repr=False)
    _size: int = 0

    def add(self, rows: pa.Table) -> None:
        """Note removed rows. Raises NotUnderstoodError where they are more than can be looked for."""
        self._size += rows.nbytes
        if self._size > _MOST:
            raise NotUnderstoodError("too many values to look for")
        if rows.num_rows:
            group, held = self._written(rows)
            for index, chunk in self._columns(group):
                self._values.setdefault(index, set()).update(self._values_of(held, chunk, index))

    def forgive(self, held: Held, group: Group) -> None:
        """Take out what the rows of a row group written anew say as well. Raises NotUnderstoodError."""
        for index, values in self._values.items():
            chunk = group.chunks[index]
            values -= found_in(chunk, dictionary_of(held, chunk), self._width(index), values)

    def remain_in(self, held: Held, group: Group, number: int) -> bool:
        """Whether the row group holds one of them outside its rows. Raises NotUnderstoodError."""
        return any(
            self._left_over(held, group.chunks[index], index, values, number)
            for index, values in self._values.items()
            if values
        )

    def _left_over(self, held: Held, chunk: Chunk, index: int, values: set[bytes], number: int) -> bool:
        found = found_in(chunk, dictionary_of(held, chunk), self._width(index), values)
        found |= values.intersection(_outermost(held, chunk))
        return bool(found) and not found <= self._in_rows(held, index, number)

    def _in_rows(self, old: Held, index: int, number: int) -> set[bytes]:
        """What the rows of a row group really say in one column."""
        values: set[bytes] = set()
        about = self.parquet.metadata.row_group(number)
        way = Swelling.of(old, about, self.plan.schema)
        with room_for(way.room if way.columns else about.column(index).total_uncompressed_size):
            for rows in way.column(self.parquet, number, index):
                group, written = self._written(rows.cast(dense(rows.schema)))
                (chunk,) = group.chunks
                values |= self._values_of(written, chunk, index)
        return values

    def _written(self, rows: pa.Table) -> tuple[Group, Held]:
        """The rows as a row group whose dictionaries hold what the rows say and nothing else."""
        sink = pa.BufferOutputStream()
        form = {name: self.plan.options[name] for name in _FORM}
        with pq.ParquetWriter(
            sink, rows.schema, store_schema=False, compression="none", dictionary_pagesize_limit=2**30, **form
        ) as writer:
            writer.write_table(rows, row_group_size=max(rows.num_rows, 1))
        held = InMemory(memoryview(sink.getvalue()))
        layout = layout_of(held)
        if layout is None or len(layout.groups) != 1:
            raise NotUnderstoodError("what pyarrow has written")
        return layout.groups[0], held

    def _values_of(self, held: Held, chunk: Chunk, index: int) -> set[bytes]:
        # what is empty says nothing
        return values_in(chunk, dictionary_of(held, chunk), self._width(index)) - {b""}

    def _columns(self, group: Group) -> Iterator[tuple[int, Chunk]]:
        for index, chunk in enumerate(group.chunks):
            path = self.parquet.schema.column(index).path
            if thrift.number(chunk.meta, 1) in (BYTE_ARRAY, FIXED_LENGTH) or path == self.key_column:
                yield index, chunk

    def _width(self, index: int) -> int:
        return self.parquet.schema.column(index).length or 0


def _outermost(held: Held, chunk: Chunk) -> Iterator[bytes]:
    """The smallest and largest values that the statistics and the page index name."""
    if 12 in chunk.meta:
        statistics = thrift.struct_of(chunk.meta, 12)
        yield from (statistics[each].value for each in _STATISTICS if each in statistics)
    if chunk.column_index:
        index, _ = thrift.read_struct(held.read(chunk.column_index))
        for each in _SMALLEST_AND_LARGEST:
            yield from index[each].value.values if each in index else ()
