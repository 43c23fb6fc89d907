"""Writing a Parquet file again without some rows, and changing nothing else.

pyarrow is the writer because it keeps every type and all metadata. How the old file was written (codecs,
encodings, indexes, row groups) is read from its footer; how pyarrow has to be asked for the same physical schema
is found by trying on no rows, and where no way gives the same, the file is refused before anything is written.
"""

import itertools
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import types

from downstream.engines.arrow_columns import column_at
from downstream.engines.base import DataFile
from downstream.engines.errors import ConnectorError, reading, writing
from downstream.engines.key_columns import KeyForm
from downstream.engines.parquet_files import form_of_times, held, key_form, opened
from downstream.engines.parquet_swelling import Swelling
from downstream.engines.room import room_for
from downstream.engines.spans import WHOLE, Spans, TimeForm

_PLAIN_ALTERNATIVES = ("DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY", "BYTE_STREAM_SPLIT")
_CONVERSION_FLAGS = re.compile(r", (is_from_converted_type|force_set_converted_type)=(true|false)")


@dataclass(frozen=True)
class Plan:
    """How to ask pyarrow for a file of the same make."""

    schema: pa.Schema
    options: dict[str, Any]


@dataclass(frozen=True)
class LeavingRows:
    """Which rows have to go, in the form of one file."""

    key_column: str
    form: KeyForm
    values: "pa.Array[Any]"
    spans: Spans
    time: TimeForm | None
    parts: tuple["pa.Array[Any]", ...]

    @classmethod
    def of(
        cls, source: DataFile, parquet: pq.ParquetFile, key_column: str, keys: Collection[str], spans: Spans
    ) -> "LeavingRows":
        form = key_form(source, parquet, key_column)
        time = form_of_times(source, parquet, spans.column) if spans else None
        return cls(
            key_column, form, form.values(keys), spans, time, tuple(form.values(part.keys) for part in spans.parts)
        )

    def rows(self, group: pa.Table) -> Any:
        """True for each row of the group that has to go."""
        column = column_at(group, self.key_column)
        leaving = self.form.matches(column, self.values)
        if self.time is None:
            return leaving
        for part, values in zip(self.spans.parts, self.parts, strict=True):
            theirs: Any = pc.indices_nonzero(self.form.matches(column, values))
            if len(theirs):
                inside = self.time.inside(group.column(self.spans.column).take(theirs), part.spans)
                mask = np.zeros(group.num_rows, dtype=bool)
                mask[theirs.to_numpy()[inside]] = True
                leaving = pc.or_(leaving, pa.array(mask))
        return leaving


def rewrite(source: DataFile, target: str, *, key_column: str, keys: Collection[str], spans: Spans = WHOLE) -> None:
    """Write `source` without the rows that have to go to `target`, one row group at a time."""
    with opened(source) as parquet, held(source) as old:
        plan = plan_of(source, parquet)
        leaving = LeavingRows.of(source, parquet, key_column, keys, spans)
        ways = Swelling.of_all(old, parquet.metadata, plan.schema)
        schema = ways[0].narrow(plan.schema) if ways else plan.schema
        # metadata is carried over byte for byte, the embedded Arrow schema included, so it is not made anew
        with writing(source.name):
            writer = pq.ParquetWriter(target, schema, store_schema=False, **plan.options)
        try:
            for index, way in enumerate(ways):
                _rewrite_group(source, parquet, index, way, plan, leaving, writer)
            metadata: Any = parquet.metadata.metadata
            if metadata:
                writer.add_key_value_metadata(metadata)
        finally:
            with writing(source.name):
                writer.close()


def _rewrite_group(
    source: DataFile,
    parquet: pq.ParquetFile,
    index: int,
    way: Swelling,
    plan: Plan,
    leaving: LeavingRows,
    writer: pq.ParquetWriter,
) -> None:
    with room_for(way.room):
        with reading(source.name):
            kept = way.staying(parquet, index, plan.schema, leaving.rows)
        # a row group that is emptied is left out
        if kept.num_rows:
            with writing(source.name):
                writer.write_table(kept, row_group_size=kept.num_rows)


def check_rewritable(file: DataFile) -> None:
    """Raises ConnectorError for a file that cannot be written the same."""
    with opened(file) as parquet:
        plan_of(file, parquet)


def plan_of(file: DataFile, parquet: pq.ParquetFile) -> Plan:
    """How to write the file's rows in the form they have. Raises ConnectorError where pyarrow has no way."""
    _refuse_int96(file, parquet)
    schema = dense(parquet.schema_arrow)
    wanted = leaves(parquet.schema)
    nearest = {path for path, *_ in wanted}
    for choice in _choices(parquet.metadata.format_version):
        made = _leaves_when_written(schema, choice)
        if made == wanted:
            return Plan(schema, choice | _same_make(parquet.metadata))
        nearest = min(nearest, {leaf[0] for leaf in wanted if leaf not in made}, key=len)
    raise ConnectorError(
        "unfaithful_rewrite",
        f"{file.name} holds columns in a form that cannot be written again exactly "
        f"({', '.join(sorted(nearest))}); have its owner rewrite the file with a current Parquet writer.",
        permanent=True,
    )


def _refuse_int96(file: DataFile, parquet: pq.ParquetFile) -> None:
    columns = [leaf[0] for leaf in leaves(parquet.schema) if leaf[1] == "INT96"]
    if columns:
        raise ConnectorError(
            "unsupported_int96",
            f"{file.name} holds INT96 timestamps ({', '.join(columns)}), which no writer gives back unchanged; "
            "have its owner write them as 64 bit timestamps.",
            permanent=True,
        )


def _choices(version: str) -> list[dict[str, Any]]:
    versions = ["1.0", "2.6"] if version == "1.0" else ["2.6", "1.0"]
    both = (True, False)
    return [
        {
            "version": chosen,
            "use_compliant_nested_type": compliant,
            "store_decimal_as_integer": integers,
            "write_time_adjusted_to_utc": adjusted,
        }
        for chosen, compliant, integers, adjusted in itertools.product(versions, both, both[::-1], both[::-1])
    ]


def _leaves_when_written(schema: pa.Schema, options: dict[str, Any]) -> list[list[Any]]:
    sink = pa.BufferOutputStream()
    try:
        pq.ParquetWriter(sink, schema, store_schema=False, **options).close()
    except pa.ArrowException:
        return []
    return leaves(pq.ParquetFile(pa.BufferReader(sink.getvalue())).schema)


def leaves(schema: pq.ParquetSchema) -> list[list[Any]]:
    """The physical columns, by what a reader sees of them; spellings that mean the same are made equal."""
    return [_leaf(schema.column(index)) for index in range(len(schema))]


def _leaf(column: pq.ColumnSchema) -> list[Any]:
    meaning = _CONVERSION_FLAGS.sub("", str(column.logical_type))
    if meaning == "None":
        meaning = str(column.converted_type)
    if meaning == f"Int(bitWidth={column.physical_type[3:]}, isSigned=true)":
        # a signed integer of its full width needs no annotation
        meaning = "NONE"
    return [
        column.path,
        column.physical_type,
        meaning,
        column.max_definition_level,
        column.max_repetition_level,
        column.length,
    ]


def _same_make(metadata: pq.FileMetaData) -> dict[str, Any]:
    """Codecs, encodings, statistics, indexes and sort order as the old file has them."""
    if not metadata.num_row_groups:
        return {}
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    chunks: list[Any] = [groups[0].column(index) for index in range(metadata.num_columns)]
    every = [[group.column(index) for group in groups] for index in range(metadata.num_columns)]
    dictionaries = [same[0].path_in_schema for same in every if any(chunk.has_dictionary_page for chunk in same)]
    largest = max(group.num_rows for group in groups)
    return {
        "compression": {one.path_in_schema: one.compression.replace("UNCOMPRESSED", "NONE") for one in chunks},
        "use_dictionary": dictionaries,
        "column_encoding": _encodings(chunks, dictionaries),
        "write_statistics": [same[0].path_in_schema for same in every if any(chunk.is_stats_set for chunk in same)],
        "write_page_index": any(chunk.has_offset_index for chunk in chunks),
        "bloom_filter_options": {
            one.path_in_schema: {"ndv": max(largest, 1), "fpp": 0.01}
            for one in chunks
            if one.bloom_filter_offset is not None
        }
        or None,
        "sorting_columns": groups[0].sorting_columns or None,
    }


def _encodings(chunks: list[Any], dictionaries: list[str]) -> dict[str, str] | None:
    special = {
        chunk.path_in_schema: encoding
        for chunk in chunks
        if chunk.path_in_schema not in dictionaries
        for encoding in _PLAIN_ALTERNATIVES
        if encoding in chunk.encodings
    }
    return special or None


def dense(schema: pa.Schema) -> pa.Schema:
    """The schema without Arrow's dictionaries and views, which change nothing in the file.

    A dictionary keeps values that no row uses any more, and the writer would store them: the keys taken out
    would stay readable in the file. Parquet's own dictionaries are made anew from the rows that are left.
    Views go because they cannot be filtered.
    """
    fields: list[pa.Field[Any]] = [_dense_field(field) for field in schema]
    return pa.schema(fields)


def _dense_field(field: "pa.Field[Any]") -> "pa.Field[Any]":
    return field.with_type(_dense_type(field.type))


def _dense_type(of: Any) -> Any:
    if types.is_dictionary(of):
        return _dense_type(of.value_type)
    if types.is_string_view(of):
        return pa.large_string()
    if types.is_binary_view(of):
        return pa.large_binary()
    if types.is_struct(of):
        return pa.struct([_dense_field(of.field(index)) for index in range(of.num_fields)])
    if types.is_map(of):
        return pa.map_(_dense_field(of.key_field), _dense_field(of.item_field), of.keys_sorted)
    if types.is_fixed_size_list(of):
        return pa.list_(_dense_field(of.value_field), of.list_size)
    if types.is_list(of):
        return pa.list_(_dense_field(of.value_field))
    if types.is_large_list(of) or types.is_list_view(of) or types.is_large_list_view(of):
        return pa.large_list(_dense_field(of.value_field))
    return of
