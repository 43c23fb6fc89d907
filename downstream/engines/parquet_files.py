"""Parquet files by their footer: what is in them, and what Heed refuses to touch.

The footer is read with care: a file whose columns are encrypted under a plain footer would abort the process
when its column metadata is looked at.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from downstream.engines import columns
from downstream.engines.arrow_columns import column_at, path_of, type_at
from downstream.engines.base import DataFile, Shape
from downstream.engines.errors import ConnectorError, reading
from downstream.engines.held_bytes import InFile
from downstream.engines.key_columns import KeyForm, form_of
from downstream.engines.spans import TimeForm, time_form

_MAGIC, _ENCRYPTED_MAGIC = b"PAR1", b"PARE"
_SMALLEST = 12
_PIECE = 65_536
"""Rows that are looked at together."""


def looks_like_parquet(head: bytes, tail: bytes) -> bool:
    """Whether a file of another name is Parquet all the same, by its first and last four bytes."""
    return head == tail and head in (_MAGIC, _ENCRYPTED_MAGIC)


def is_parquet(path: Path) -> bool:
    """The same of a file on this machine, whatever it is called."""
    with path.open("rb") as stream:
        head = stream.read(4)
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - 4))
        return looks_like_parquet(head, stream.read(4))


@contextmanager
def opened(file: DataFile, *, buffer_size: int = 0) -> Iterator[pq.ParquetFile]:
    """The file's reader. Raises ConnectorError for whatever goes wrong while it is open.

    It holds one column of a row group whole while it reads that, or `buffer_size` bytes of it at a time.
    """
    with _opened(file, buffer_size) as (parquet, _):
        yield parquet


@contextmanager
def held(file: DataFile) -> Iterator[InFile]:
    """The file's bytes. Raises ConnectorError where it cannot be opened."""
    with reading(file.name):
        handle = os.open(file.path, os.O_RDONLY)
    try:
        yield InFile.all_of(handle)
    finally:
        os.close(handle)


@contextmanager
def _opened(file: DataFile, buffer_size: int = 0) -> Iterator[tuple[pq.ParquetFile, bytes]]:
    # one handle for both looks, so that a file replaced in between is not taken for an encrypted one
    with reading(file.name), pa.OSFile(file.path, "rb") as stream:
        footer = _footer(file, stream)
        with pq.ParquetFile(stream, pre_buffer=False, buffer_size=buffer_size) as parquet:
            # a signature after the footer is there only where columns are encrypted
            if parquet.metadata.serialized_size != len(footer):
                raise _encrypted(file)
            yield parquet, footer


def inspect(file: DataFile, *, key_column: str, created_column: str = "") -> Shape:
    """What the footer says. Raises ConnectorError unless keys, and times where asked for, can be found in the file."""
    with _opened(file) as (parquet, footer):
        form = key_form(file, parquet, key_column)
        if created_column:
            form_of_times(file, parquet, created_column)
        return Shape(
            rows=parquet.metadata.num_rows,
            size=Path(file.path).stat().st_size,
            schema=str(parquet.schema_arrow.remove_metadata()),
            key_family=form.family,
            key_type=f"{form.arrow} {form.duckdb}",
            token=hashlib.sha256(footer).hexdigest(),
            columns=columns.of_schema(parquet.schema_arrow),
        )


def keys(file: DataFile, *, key_column: str) -> Iterator[list[str]]:
    """The distinct keys of each piece of the file, as text."""
    with opened(file) as parquet:
        form = key_form(file, parquet, key_column)
        for batch in parquet.iter_batches(batch_size=_PIECE, columns=[key_column], use_threads=False):
            distinct: Any = pc.unique(pc.cast(column_at(batch, key_column), form.arrow)).drop_null()
            yield form.texts(distinct.to_pylist())


def key_form(file: DataFile, parquet: pq.ParquetFile, key_column: str) -> KeyForm:
    """How this file holds keys. Raises ConnectorError where it does not, or not clearly."""
    path = path_of(parquet.schema_arrow, key_column)
    if path is not None and path != (key_column,):
        return replace(form_of(file.name, key_column, type_at(parquet.schema_arrow, path)), path=path)
    return form_of(file.name, key_column, _type_of(file, parquet, key_column, what="key_column"))


def form_of_times(file: DataFile, parquet: pq.ParquetFile, created_column: str) -> TimeForm:
    """How this file says when a row was made. Raises ConnectorError where it does not, or not clearly."""
    return time_form(file.name, created_column, _type_of(file, parquet, created_column, what="created_column"))


def _type_of(file: DataFile, parquet: pq.ParquetFile, column: str, *, what: str) -> pa.DataType:
    schema = parquet.schema_arrow
    alike = [name for name in schema.names if name.casefold() == column.casefold()]
    if column not in alike:
        raise ConnectorError(
            f"{what}_missing",
            f"{file.name} has no column {column}; its columns are: {', '.join(schema.names)}.",
            permanent=True,
        )
    if len(alike) > 1:
        raise ConnectorError(
            f"{what}_ambiguous",
            f"{file.name} has more than one column that reads {column} but for case; rename the others.",
            permanent=True,
        )
    found: pa.DataType = schema.field(column).type
    return found


def _footer(file: DataFile, stream: pa.NativeFile) -> bytes:
    size = stream.size()
    head = _read_at(stream, 0, 4)
    if head == _ENCRYPTED_MAGIC:
        raise _encrypted(file)
    if head != _MAGIC:
        what = "is empty (0 bytes)" if size == 0 else "is not a Parquet file"
        raise ConnectorError("not_parquet", f"{file.name} {what}; remove or replace it.", permanent=True)
    tail = _read_at(stream, size - 8, 8) if size >= _SMALLEST else b""
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != _MAGIC or length + _SMALLEST > size:
        raise ConnectorError(
            "dataset_unreadable",
            f"{file.name} has no end: it is cut off or still being written; it will be tried again.",
            permanent=False,
        )
    return _read_at(stream, size - 8 - length, length)


def _read_at(stream: pa.NativeFile, offset: int, length: int) -> bytes:
    stream.seek(offset)
    return stream.read(length)


def _encrypted(file: DataFile) -> ConnectorError:
    return ConnectorError(
        "encrypted",
        f"{file.name} is encrypted, and Heed holds no keys to it; have its owner remove the rows.",
        permanent=True,
    )
