"""Making the segment of one data file: one pass over its key column, a table of bounded length at a time."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from downstream.engines.base import DataFile, Grouped
from downstream.engines.errors import writing
from downstream.engines.key_columns import form_of
from downstream.stores.base import Stored
from downstream.subject_index import filters, segments
from downstream.subject_index.filters import Filter
from downstream.subject_index.hashes import Hasher, Hashes
from downstream.subject_index.segments import About

Column: TypeAlias = "pa.ChunkedArray[Any]"

_AT_ONCE = 250_000
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
            for group, rows, made in _filters(engine, file, hasher):
                writer.add(group, rows, made)
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


def _filters(engine: Grouped, file: DataFile, hasher: Hasher) -> Iterator[tuple[int, int, Filter]]:
    """Group, rows and filter; nearly always one of a group."""
    number, rows, portion = 0, 0, list[Hashes]()
    for group, count, hashes in _hashes(engine, file, hasher):
        if portion and (group != number or rows + count > filters.MOST):
            yield number, rows, filters.build(np.concatenate(portion))
            rows, portion = 0, []
        number, rows = group, rows + count
        portion.append(hashes)
    if portion:
        yield number, rows, filters.build(np.concatenate(portion))


def _hashes(engine: Grouped, file: DataFile, hasher: Hasher) -> Iterator[tuple[int, int, Hashes]]:
    """Group, rows and hashes of each piece of the key column; pieces are hashed together, for speed."""
    pieces: list[tuple[int, Column]] = []
    for group, table in engine.columns_by_group(file, columns=[hasher.key_column]):
        for start in range(0, table.num_rows, filters.MOST):
            pieces.append((group, table.column(hasher.key_column).slice(start, filters.MOST)))
        if sum(len(column) for _, column in pieces) >= _AT_ONCE:
            yield from _hashed(file, pieces, hasher)
            pieces = []
    if pieces:
        yield from _hashed(file, pieces, hasher)


def _hashed(file: DataFile, pieces: list[tuple[int, Column]], hasher: Hasher) -> Iterator[tuple[int, int, Hashes]]:
    together = pa.chunked_array([chunk for _, column in pieces for chunk in column.chunks], pieces[0][1].type)
    hashes = hasher.column(together, form_of(file.name, hasher.key_column, together.type))
    ends = np.cumsum([len(column) - column.null_count for _, column in pieces])
    for (group, column), part in zip(pieces, np.split(hashes, ends[:-1]), strict=True):
        yield group, len(column), part
