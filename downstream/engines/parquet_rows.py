"""People's rows of a Parquet file, with all their columns: a few at a time, whatever their number and size."""

from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from downstream.engines import arrow_values
from downstream.engines.arrow_columns import column_at
from downstream.engines.base import DataFile
from downstream.engines.held_bytes import Held
from downstream.engines.key_columns import KeyForm
from downstream.engines.parquet_files import held, key_form, opened
from downstream.engines.parquet_swelling import Swelling

_PIECE = 65_536
"""Keys that are looked at together."""
_MOST, _AT_ONCE, _BUFFER = 4_096, 8 * 2**20, 2**20


def rows(
    file: DataFile, *, key_column: str, keys: Collection[str], groups: Collection[int] | None = None
) -> Iterator[dict[str, Any]]:
    """Every row of the keys. Row groups that hold none of them are not decoded. Raises ConnectorError.

    `groups` are those that may hold some, where the caller knows.
    """
    with opened(file, buffer_size=_BUFFER) as parquet, held(file) as content:
        form = key_form(file, parquet, key_column)
        values = form.values(keys)
        for number in range(parquet.num_row_groups) if groups is None else sorted(groups):
            if not _holds(parquet, number, key_column, form, values):
                continue
            each = parquet.iter_batches(_rows_at_once(parquet, number, content), row_groups=[number], use_threads=False)
            for batch in each:
                theirs = _theirs(batch, key_column, form, values)
                if pc.any(theirs).as_py():
                    yield from arrow_values.rows(batch.filter(theirs))


def _holds(parquet: pq.ParquetFile, number: int, key_column: str, form: KeyForm, values: "pa.Array[Any]") -> bool:
    each = parquet.iter_batches(_PIECE, row_groups=[number], columns=[key_column], use_threads=False)
    return any(pc.any(_theirs(batch, key_column, form, values)).as_py() for batch in each)


def _theirs(batch: pa.RecordBatch, key_column: str, form: KeyForm, values: "pa.Array[Any]") -> Any:
    found: Any = pc.fill_null(form.matches(column_at(batch, key_column), values), False)
    return found.combine_chunks()


def _rows_at_once(parquet: pq.ParquetFile, number: int, content: Held) -> int:
    """So many rows as are some megabytes once they are decoded."""
    group = parquet.metadata.row_group(number)
    swelling = Swelling.of(content, group, parquet.schema_arrow)
    fitting = group.num_rows * _AT_ONCE // max(group.total_byte_size, 1)
    return max(1, min(_MOST, fitting, swelling.rows_at_once))
