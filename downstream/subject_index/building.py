"""Making the segment of one data file: one pass over its key column, a table of bounded length at a time."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from downstream.engines.base import DataFile, Grouped
from downstream.engines.errors import writing
from downstream.engines.key_columns import form_of
from downstream.stores.base import Stored
from downstream.subject_index import filters, segments
from downstream.subject_index.hashes import Hasher, Hashes
from downstream.subject_index.segments import About

_SECOND = 1_000_000_000
_COARSE, _FINE = 3 * _SECOND, _SECOND // 20


def build(path: Path, stored: Stored, file: DataFile, *, engine: Grouped, hasher: Hasher) -> About | None:
    """Make the segment of this version of the file; answers what it is of, or None where it cannot be indexed.

    Raises ConnectorError where the file cannot be read.
    """
    settled = is_settled(stored, now_ns=time.time_ns())
    shape = engine.inspect(file, key_column=hasher.key_column)
    about = About(
        make=hasher.make,
        name=stored.name,
        fingerprint=stored.fingerprint,
        settled=settled,
        rows=shape.rows,
        size=shape.size,
        family=shape.key_family,
        token=shape.token,
    )
    try:
        with writing(f"the index of {stored.name}"), segments.writing_to(path) as writer:
            for group, rows, hashes in _hashes(engine, file, hasher):
                writer.add(group, rows, filters.build(hashes))
            writer.finish(about)
    except OverflowError:
        return None
    return about


def is_settled(stored: Stored, *, now_ns: int) -> bool:
    """Whether any later change of the file will be told by its fingerprint.

    One that follows another within a tick of the file system's clock is not; some clocks tick once in two seconds.
    """
    if stored.changed_ns is None:
        return True
    return now_ns - stored.changed_ns > (_FINE if stored.changed_ns % _SECOND else _COARSE)


def _hashes(engine: Grouped, file: DataFile, hasher: Hasher) -> Iterator[tuple[int, int, Hashes]]:
    """Group, rows and hashes, in portions that make one filter each; nearly always one of a group."""
    number, rows, portion = 0, 0, list[Hashes]()
    for group, table in engine.columns_by_group(file, columns=[hasher.key_column]):
        for piece in _pieces(table):
            if portion and (group != number or rows + piece.num_rows > filters.MOST):
                yield number, rows, np.concatenate(portion)
                rows, portion = 0, []
            number, rows = group, rows + piece.num_rows
            portion.append(_of_column(file, piece, hasher))
    if portion:
        yield number, rows, np.concatenate(portion)


def _pieces(table: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, table.num_rows, filters.MOST):
        yield table.slice(start, filters.MOST)


def _of_column(file: DataFile, table: pa.Table, hasher: Hasher) -> Hashes:
    column: pa.ChunkedArray[Any] = table.column(hasher.key_column)
    return hasher.column(column, form_of(file.name, hasher.key_column, column.type))
