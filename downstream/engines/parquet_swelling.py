"""Row groups that are far larger decoded than as they lie in the file: long values, each written once and named often.

They are read a piece at a time, and what stays of such a column is held as values and numbers too. The values are those
of the rows that stay, so that nothing of the others gets into what is written.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import types

from downstream.engines import thrift_compact as thrift
from downstream.engines.held_bytes import Held, Range
from downstream.engines.thrift_compact import ThriftError

_LARGE = 64 * 2**20
_TIMES = 4
_AT_ONCE = 8 * 2**20
_HEADER = 256


@dataclass(frozen=True)
class Swelling:
    """How one row group is to be read: `columns` swell; none where it is read whole."""

    columns: tuple[str, ...]
    rows_at_once: int
    room: int
    """Bytes that it takes to read it."""

    @classmethod
    def of(cls, file: Held, group: pq.RowGroupMetaData, schema: pa.Schema) -> "Swelling":
        """By the dictionaries' headers; `schema` is the one that the rows are cast to."""
        columns, decoded = [], 0
        for index in range(group.num_columns):
            chunk = group.column(index)
            size: int = chunk.total_uncompressed_size
            dense = _dense_size(file, chunk) if _may_swell(schema, chunk) else 0
            if dense > _TIMES * size:
                columns.append(chunk.path_in_schema)
            decoded += max(size, dense)
        if not columns or decoded < _LARGE:
            return cls((), max(group.num_rows, 1), group.total_byte_size)
        at_once = max(1, group.num_rows * _AT_ONCE // decoded)
        return cls(tuple(columns), at_once, group.total_byte_size + 4 * _AT_ONCE)

    @classmethod
    def of_all(cls, file: Held, metadata: pq.FileMetaData, schema: pa.Schema) -> "list[Swelling]":
        """Of every row group. A file has one schema: a column that swells in one of them is held narrowly in all."""
        each = [cls.of(file, metadata.row_group(number), schema) for number in range(metadata.num_row_groups)]
        columns = tuple(sorted({name for one in each for name in one.columns}))
        return [replace(one, columns=columns) for one in each]

    def narrow(self, schema: pa.Schema) -> pa.Schema:
        """The schema of what is held."""
        fields: list[pa.Field[Any]] = [
            one.with_type(pa.dictionary(pa.int32(), one.type)) if one.name in self.columns else one for one in schema
        ]
        return pa.schema(fields)

    def read(self, parquet: pq.ParquetFile, number: int, schema: pa.Schema) -> Iterator[pa.Table]:
        """The row group's rows in their order, in this schema."""
        if not self.columns:
            yield parquet.read_row_group(number).cast(schema)
            return
        for batch in parquet.iter_batches(batch_size=self.rows_at_once, row_groups=[number]):
            yield pa.Table.from_batches([batch]).cast(schema)

    def column(self, parquet: pq.ParquetFile, number: int, index: int) -> Iterator[pa.Table]:
        """One of its columns, as it is read; `index` counts the file's leaves."""
        if not self.columns:
            yield parquet.reader.read_row_group(number, column_indices=[index])
            return
        for batch in parquet.reader.iter_batches(self.rows_at_once, [number], column_indices=[index]):
            yield pa.Table.from_batches([batch])

    def staying(
        self,
        parquet: pq.ParquetFile,
        number: int,
        schema: pa.Schema,
        goes: Callable[[pa.Table], Any],
        note: Callable[[pa.Table], object] = lambda rows: None,
    ) -> pa.Table:
        """The rows of the row group that do not go, in the narrow schema; `note` is given those that do."""
        narrow = self.narrow(schema)
        kept = [narrow.empty_table()]
        for rows in self.read(parquet, number, schema):
            leaving = goes(rows)
            note(rows.filter(leaving))
            staying = rows.filter(pc.invert(leaving))
            if not self.columns:
                return staying
            kept.append(_encoded(staying, self.columns, narrow))
        return pa.concat_tables(kept).unify_dictionaries()


def _encoded(rows: pa.Table, columns: tuple[str, ...], narrow: pa.Schema) -> pa.Table:
    held = [
        rows.column(name).dictionary_encode() if name in columns else rows.column(name) for name in rows.column_names
    ]
    return pa.table(held, schema=narrow)


def _may_swell(schema: pa.Schema, chunk: Any) -> bool:
    if not chunk.has_dictionary_page or schema.names.count(chunk.path_in_schema) != 1:
        return False
    of: Any = schema.field(chunk.path_in_schema).type
    return bool(types.is_string(of) or types.is_large_string(of) or types.is_binary(of) or types.is_large_binary(of))


def _dense_size(file: Held, chunk: Any) -> int:
    """Bytes of the column if each value were as long as those of its dictionary are; 0 where nobody knows."""
    start = chunk.dictionary_page_offset
    if not 0 < start < file.size:
        return 0
    try:
        header, _ = thrift.read_struct(file.read(Range(start, min(_HEADER, file.size - start))))
        values = thrift.number(thrift.struct_of(header, 7), 1)
        size = thrift.number(header, 2)
    except ThriftError:
        return 0
    return size * int(chunk.num_values) // values if values > 0 else 0
