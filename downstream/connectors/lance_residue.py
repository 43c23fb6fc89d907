"""A look at every file of a Lance table for keys: read as Lance reads them, because its files pack texts."""

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from lance.file import LanceFileReader
from pyarrow import types

from downstream.connectors import lance_purging, lance_tables
from downstream.connectors.base import ConnectorError, Residue, Trace
from downstream.connectors.lance_leaving import Looking
from downstream.engines.base import Tally
from downstream.engines.duckdb_sessions import Limits, session
from downstream.engines.errors import reading
from downstream.engines.key_columns import quote
from downstream.engines.parquet_statements import kind_of

_ROWS = 1 << 14
_BATCH = 10_000
# what indexes call the values that they copy
_COPIES = frozenset({"values", "keys", "min", "max"})
_KINDS = {"data": "old_version", "_indices": "index", "_versions": "log", "_transactions": "log"}
_AS_TEXT = {"text": "{}::VARCHAR", "integer": "{}::VARCHAR", "boolean": "{}::INTEGER::VARCHAR"}


def residue(table: Any, path: Path, wanted: Looking, *, kept_for: timedelta, at: datetime) -> Residue:
    """Every file that holds one of the keys, and until when the table keeps its old versions."""
    files = lance_tables.all_files(path)
    copies = _indexes_of(table, wanted.key_column)
    found = {_trace(file, path) for file in files if _holds(file, path, wanted, copies)}
    found |= _old_indexes(table, path, files)
    unreachable: list[str] = []
    tags = sorted(table.tags.list())
    if tags:
        unreachable.append(f"versions that are held by the tags {', '.join(tags)}: have them moved or deleted")
    kept_until = _kept_until(table, kept_for, at) if found else None
    return Residue(len(files), tuple(sorted(found, key=lambda one: one.place)), tuple(unreachable), kept_until)


def tally(table: Any, path: Path, columns: Sequence[str], wanted: Looking) -> Iterator[Tally]:
    """Rows by what they say in these columns, in one scan."""
    name, schema = lance_tables.name_of(path), lance_tables.schema_of(table)
    texts = [_AS_TEXT[kind_of(name, schema, column)].format(quote(column)) for column in columns]
    key = wanted.form.expression(wanted.key_column)
    query = f"""
        SELECT {", ".join(texts)}, count(*),
            count(*) FILTER (coalesce({key} IN (SELECT keys.probe FROM keys), false))
        FROM looked GROUP BY ALL
    """  # noqa: S608  (identifiers are quoted, values are in a table)
    read = list(dict.fromkeys([wanted.key_column, *columns]))
    with reading(name), session(Limits()) as connection:
        connection.register("keys", wanted.form.table(wanted.keys))
        connection.register("looked", table.scanner(columns=read).to_reader())
        found = connection.execute(query)
        while rows := found.fetchmany(_BATCH):
            for *values, count, of_keys in rows:
                yield Tally(tuple(values), count, of_keys)


def _trace(file: Path, path: Path) -> Trace:
    place = file.relative_to(path)
    return Trace(str(place), _KINDS.get(place.parts[0], "old_version"))


def _holds(file: Path, path: Path, wanted: Looking, copies: set[str]) -> bool:
    folder = file.relative_to(path).parts[0]
    if folder == "data":
        return _values_hold(file, {wanted.key_column}, wanted)
    if folder == "_indices":
        return file.parent.name in copies and _values_hold(file, _COPIES, wanted)
    with reading(file.name):
        return _text_holds(file.read_bytes(), wanted.keys)


def _indexes_of(table: Any, column: str) -> set[str]:
    """The folders of the indexes that keep the column's values."""
    indexes = (index for index in table.describe_indices() if column in index.field_names)
    return {segment.uuid for index in indexes for segment in index.segments}


def _values_hold(file: Path, columns: Collection[str], wanted: Looking) -> bool:
    """Whether one of these columns has a key among its values, read as Lance reads them."""
    try:
        with lance_tables.asking(file):
            names = set(LanceFileReader(str(file)).metadata().schema.names)
            there = sorted(names & set(columns))
            batches = LanceFileReader(str(file), columns=there).read_all(batch_size=_ROWS).to_batches() if there else ()
            return any(_column_holds(column, wanted) for batch in batches for column in batch.columns)
    except ConnectorError:
        # what Lance cannot read, such as what a died writer left, is searched as it lies there
        with reading(file.name):
            return _text_holds(file.read_bytes(), wanted.keys)


def _column_holds(column: "pa.Array[Any]", wanted: Looking) -> bool:
    if not _may_hold(column.type, wanted):
        return False
    found = wanted.form.matches(pa.chunked_array([column]), wanted.form.values(wanted.keys))
    return bool(pc.any(found).as_py())


def _may_hold(kind: pa.DataType, wanted: Looking) -> bool:
    if types.is_dictionary(kind):
        kind = kind.value_type
    if wanted.form.family == "text":
        return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return bool(kind == wanted.form.arrow or (wanted.form.family == "uuid" and kind == pa.uuid()))


def _text_holds(content: bytes, keys: Collection[str]) -> bool:
    """Whether a key stands in it by itself; keys that are numbers cannot be told from sizes and times."""
    words = (key for key in keys if key and not key.lstrip("-").isdigit())
    return any(re.search(rb"(?<!\w)" + re.escape(word.encode()) + rb"(?!\w)", content) for word in words)


def _old_indexes(table: Any, path: Path, files: list[Path]) -> set[Trace]:
    """Indexes of words and vectors cannot be asked for a key: one that is older than a removal may hold the person."""
    since = lance_purging.last_removal(table)
    if since is None:
        return set()
    segments = [segment for index in table.describe_indices() for segment in index.segments]
    newer = {one.uuid for one in segments if one.dataset_version_at_last_update >= since}
    indexes = (file for file in files if file.relative_to(path).parts[0] == "_indices")
    return {_trace(file, path) for file in indexes if file.parent.name not in newer}


def _kept_until(table: Any, kept_for: timedelta, at: datetime) -> datetime | None:
    """When the youngest of the old versions will be old enough to go."""
    old = [lance_purging.made_at(one) for one in table.versions() if one["version"] != table.version]
    until = max(old) + kept_for if old and kept_for else None
    return until if until and until > at else None
