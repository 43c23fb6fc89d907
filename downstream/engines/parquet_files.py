"""Parquet files by their footer: what is in them, and what Heed refuses to touch.

The footer is read with care: a file whose columns are encrypted under a plain footer would abort the process
when its column metadata is looked at.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from downstream.engines.base import DataFile, Shape
from downstream.engines.errors import ConnectorError, reading
from downstream.engines.held_bytes import InFile
from downstream.engines.key_columns import KeyForm, form_of
from downstream.engines.spans import TimeForm, time_form

_MAGIC, _ENCRYPTED_MAGIC = b"PAR1", b"PARE"
_SMALLEST = 12


def looks_like_parquet(path: Path) -> bool:
    """Whether a file of another name is Parquet all the same."""
    with path.open("rb") as stream:
        head = stream.read(4)
        if head != _MAGIC and head != _ENCRYPTED_MAGIC:
            return False
        stream.seek(-4, os.SEEK_END)
        return stream.read(4) == head


@contextmanager
def opened(file: DataFile) -> Iterator[pq.ParquetFile]:
    """The file's reader. Raises ConnectorError for whatever goes wrong while it is open."""
    with _opened(file) as (parquet, _):
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
def _opened(file: DataFile) -> Iterator[tuple[pq.ParquetFile, bytes]]:
    # one handle for both looks, so that a file replaced in between is not taken for an encrypted one
    with reading(file.name), pa.OSFile(file.path, "rb") as stream:
        footer = _footer(file, stream)
        with pq.ParquetFile(stream, pre_buffer=False) as parquet:
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
        )


def key_form(file: DataFile, parquet: pq.ParquetFile, key_column: str) -> KeyForm:
    """How this file holds keys. Raises ConnectorError where it does not, or not clearly."""
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
