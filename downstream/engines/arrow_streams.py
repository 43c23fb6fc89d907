"""Files that are one Arrow IPC stream, such as those of a Hugging Face dataset saved to disk.

pyarrow maps them into memory and writes them, batch by batch; DuckDB finds what is compared. Schema metadata, the
size of batches and their own metadata stay. A dictionary is made anew of the rows that stay, because it would keep
the values of those that went.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from downstream.engines import arrow_values, columns, embedded
from downstream.engines.arrow_columns import as_sql, column_at, form_at, time_at
from downstream.engines.base import Comparison, DataFile, Shape, Tally
from downstream.engines.duckdb_sessions import Limits, session
from downstream.engines.errors import ConnectorError, reading, writing
from downstream.engines.key_columns import KeyForm, quote
from downstream.engines.parquet_checking import Leaving
from downstream.engines.parquet_statements import kind_of
from downstream.engines.spans import WHOLE, Spans, TimeForm

_FILE_MAGIC = b"ARROW1"
# a compressed body begins with its length, and then as its codec does
_CODECS = {b"\x04\x22\x4d\x18": "lz4", b"\x28\xb5\x2f\xfd": "zstd"}
_KEY, _TIME, _GOES = "__heed_key", "__heed_time", "__heed_goes"
_AS_TEXT = {"text": "{}::VARCHAR", "integer": "{}::VARCHAR", "boolean": "{}::INTEGER::VARCHAR"}
_ROWS_AT_ONCE = 10_000
_64_BITS = 2**64


@dataclass(frozen=True)
class ArrowStreams:
    """Implements `downstream.engines.base.Engine` for Arrow IPC streams. A key may lie in a struct: `author.id`."""

    limits: Limits = field(default_factory=Limits)

    def inspect(self, file: DataFile, *, key_column: str, created_column: str = "") -> Shape:
        with opened(file) as stream:
            form = form_at(file, stream.schema, key_column)
            if created_column:
                time_at(file, stream.schema, created_column)
            rows = sum(batch.num_rows for batch in stream)
            with Path(file.path).open("rb") as content:
                token = hashlib.file_digest(content, "sha256").hexdigest()
            return Shape(
                rows=rows,
                size=Path(file.path).stat().st_size,
                schema=str(stream.schema.remove_metadata()),
                key_family=form.family,
                key_type=f"{form.arrow} {form.duckdb}",
                token=token,
                columns=columns.of_schema(stream.schema),
            )

    def check_rewritable(self, file: DataFile) -> None:
        with opened(file) as stream:
            for one in stream.schema:
                _check_dictionaries(file, one.name, one.type)
            empty = stream.schema.empty_table()
        with reading(file.name), session(self.limits) as connection:
            connection.register("rows", empty)
            connection.execute("SELECT hash(rows) FROM rows").fetchall()

    def locate(
        self, files: Sequence[DataFile], *, key_column: str, keys: Collection[str], spans: Spans = WHOLE
    ) -> Mapping[str, int]:
        found = {file.name: sum(mask.sum() for _, mask in _masked(file, key_column, keys, spans)) for file in files}
        return {name: int(rows) for name, rows in found.items() if rows}

    def keys(self, file: DataFile, *, key_column: str) -> Iterator[list[str]]:
        with opened(file) as stream:
            form = form_at(file, stream.schema, key_column)
            for batch, _ in _batches(stream):
                distinct: Any = pc.unique(pc.cast(column_at(batch, key_column), form.arrow)).drop_null()
                yield form.texts(distinct.to_pylist())

    def count(self, file: DataFile, *, key_column: str, keys: Collection[str], spans: Spans = WHOLE) -> dict[str, int]:
        rows: Counter[Any] = Counter()
        with opened(file) as stream:
            form = form_at(file, stream.schema, key_column)
        for batch, mask in _masked(file, key_column, keys, spans):
            if mask.any():
                gone = column_at(batch, key_column).filter(pa.array(mask))
                rows.update(_probes(form, gone))
        table = form.table(frozenset(keys) | spans.keys)
        pairs: list[dict[str, Any]] = table.to_pylist()
        return {pair["text"]: rows[pair["probe"]] for pair in pairs if rows[pair["probe"]]}

    def rewrite(
        self,
        source: DataFile,
        target: str,
        *,
        key_column: str,
        keys: Collection[str],
        spans: Spans = WHOLE,
        groups: Collection[int] | None = None,
    ) -> None:
        with opened(source) as stream:
            schema, codec = stream.schema, _codec(source)
            options = pa.ipc.IpcWriteOptions(compression=codec)
            with writing(source.name), pa.OSFile(target, "wb") as sink, pa.ipc.new_stream(
                sink, schema, options=options
            ) as writer:  # fmt: skip
                going = _Going.of(source, schema, key_column, keys, spans)
                for batch, metadata in _batches(stream):
                    kept = batch.filter(pa.array(~going.mask(batch)))
                    # a batch that is emptied is left out
                    if kept.num_rows:
                        writer.write_batch(_with_new_dictionaries(kept), metadata)

    def compare(
        self,
        source: DataFile,
        target: str,
        *,
        key_column: str,
        keys: Collection[str],
        spans: Spans = WHOLE,
        groups: Collection[int] | None = None,
    ) -> Comparison:
        new = DataFile(f"the new version of {source.name}", target)
        with opened(source) as before, opened(new) as after:
            if not before.schema.equals(after.schema, check_metadata=True):
                raise _failed(source, "its schema or metadata differ")
        removed, staying, digest = self._digest(source, key_column, keys, spans)
        still_there, staying_after, digest_after = self._digest(new, key_column, keys, spans)
        if still_there:
            raise _failed(source, "it still holds rows that have to go")
        if (staying, digest) != (staying_after, digest_after):
            raise _failed(source, "rows that have to stay differ")
        return Comparison(rows_before=removed + staying, rows_after=staying, digest=digest)

    def rows(
        self, file: DataFile, *, key_column: str, keys: Collection[str], groups: Collection[int] | None = None
    ) -> Iterator[dict[str, Any]]:
        for batch, mask in _masked(file, key_column, keys, WHOLE):
            for start in range(0, batch.num_rows if mask.any() else 0, _ROWS_AT_ONCE):
                theirs = pa.array(mask[start : start + _ROWS_AT_ONCE])
                yield from arrow_values.rows(batch.slice(start, _ROWS_AT_ONCE).filter(theirs))

    def check_statements(self, file: DataFile, *, columns: Sequence[str]) -> None:
        with opened(file) as stream:
            for column in columns:
                kind_of(file.name, stream.schema, column)

    def tally(
        self, files: Sequence[DataFile], *, columns: Sequence[str], key_column: str, keys: Collection[str]
    ) -> Iterator[Tally]:
        for file in files:
            with opened(file) as stream:
                kinds = [kind_of(file.name, stream.schema, column) for column in columns]
            texts = [_AS_TEXT[kind].format(quote(name)) for kind, name in zip(kinds, columns, strict=True)]
            select = f"SELECT {', '.join(texts)}, count(*), count(*) FILTER ({_GOES}) FROM looked GROUP BY ALL"  # noqa: S608  (names are quoted)
            for *values, rows, of_keys in self._asked(file, select, key_column, keys, WHOLE):
                yield Tally(tuple(values), rows, of_keys)

    def _digest(self, file: DataFile, key_column: str, keys: Collection[str], spans: Spans) -> tuple[int, int, str]:
        """Rows that have to go, rows that stay, and the digest of these, as that of Parquet files is made."""
        columns = f"* EXCLUDE ({_KEY}, {_TIME}, {_GOES})"
        query = f"""
            SELECT
                count(*) FILTER ({_GOES}), count(*) FILTER (NOT {_GOES}),
                sum(one::HUGEINT) FILTER (NOT {_GOES}), sum(two::HUGEINT) FILTER (NOT {_GOES})
            FROM (
                SELECT {_GOES}, hash(*COLUMNS({columns})) AS one, hash('heed', *COLUMNS({columns})) AS two FROM looked
            )
        """  # noqa: S608  (names of our own)
        ((gone, staying, one, two),) = self._asked(file, query, key_column, keys, spans)
        return gone, staying, f"{staying}:{(one or 0) % _64_BITS:016x}{(two or 0) % _64_BITS:016x}"

    def _asked(
        self, file: DataFile, query: str, key_column: str, keys: Collection[str], spans: Spans
    ) -> Iterator[tuple[Any, ...]]:
        """The answer of one query over `looked`: all rows, with their key, their time, and whether they have to go."""
        with opened(file) as stream, session(self.limits) as connection:
            time = time_at(file, stream.schema, spans.column) if spans else None
            leaving = Leaving(_KEY, form_at(file, stream.schema, key_column), keys, time, _renamed(spans))
            condition = leaving.put_into(connection)
            connection.register("stream", pa.RecordBatchReader.from_batches(stream.schema, stream))
            key, made = as_sql(stream.schema, key_column), as_sql(stream.schema, spans.column)
            # names are quoted, values are bound or whole numbers
            looked = f"""
                WITH rows AS (SELECT *, {key} AS {_KEY}, {made} AS {_TIME} FROM stream),
                looked AS (SELECT *, {condition} AS {_GOES} FROM rows)
            """  # noqa: S608
            with reading(file.name):
                found = connection.execute(looked + query)
                while answer := found.fetchmany(_ROWS_AT_ONCE):
                    yield from answer


@contextmanager
def opened(file: DataFile) -> Iterator[pa.RecordBatchReader]:
    """The file's batches, mapped into memory. Raises ConnectorError for whatever goes wrong while it is open."""
    with reading(file.name):
        with Path(file.path).open("rb") as start:
            head = start.read(len(_FILE_MAGIC))
        if head == _FILE_MAGIC or not head:
            raise ConnectorError(
                "not_arrow_stream",
                f"{file.name} is {'empty' if not head else 'an Arrow file'}, not an Arrow stream; "
                "have its owner save it again with save_to_disk.",
                permanent=True,
            )
        with pa.memory_map(file.path) as mapped, pa.ipc.open_stream(mapped) as stream:
            yield stream


def totals(file: DataFile) -> tuple[int, int]:
    """How many rows the file holds, and how many bytes of data."""
    with opened(file) as stream:
        sizes = [(batch.num_rows, batch.nbytes) for batch in stream]
    return sum(rows for rows, _ in sizes), sum(size for _, size in sizes)


@dataclass(frozen=True)
class _Going:
    """Which rows have to go, in the form of one file."""

    key_column: str
    form: KeyForm
    values: "pa.Array[Any]"
    spans: Spans
    time: TimeForm | None
    parts: tuple["pa.Array[Any]", ...]

    @classmethod
    def of(cls, file: DataFile, schema: pa.Schema, key_column: str, keys: Collection[str], spans: Spans) -> "_Going":
        form = form_at(file, schema, key_column)
        time = time_at(file, schema, spans.column) if spans else None
        parts = tuple(form.values(part.keys) for part in spans.parts)
        return cls(key_column, form, form.values(keys), spans, time, parts)

    def mask(self, batch: pa.RecordBatch) -> "np.ndarray[Any, Any]":
        """True for each row of the batch that has to go."""
        column = column_at(batch, self.key_column)
        mask = _as_mask(self.form.matches(column, self.values))
        if self.time is None:
            return mask
        for part, values in zip(self.spans.parts, self.parts, strict=True):
            theirs: Any = np.flatnonzero(_as_mask(self.form.matches(column, values)))
            if len(theirs):
                times: Any = column_at(batch, self.spans.column).take(theirs)
                mask[theirs[self.time.inside(times, part.spans)]] = True
        return mask


def _masked(
    file: DataFile, key_column: str, keys: Collection[str], spans: Spans
) -> Iterator[tuple[pa.RecordBatch, "np.ndarray[Any, Any]"]]:
    with opened(file) as stream:
        going = _Going.of(file, stream.schema, key_column, keys, spans)
        for batch in stream:
            yield batch, going.mask(batch)


def _as_mask(found: Any) -> "np.ndarray[Any, Any]":
    mask: np.ndarray[Any, Any] = pc.fill_null(found, False).to_numpy().copy()
    return mask


def _batches(stream: Any) -> Iterator[tuple[pa.RecordBatch, Any]]:
    while True:
        try:
            batch, metadata = stream.read_next_batch_with_custom_metadata()
        except StopIteration:
            return
        yield batch, metadata


def _probes(form: KeyForm, column: "pa.ChunkedArray[Any]") -> list[Any]:
    cast: Any = pc.cast(column, form.arrow)
    values: list[Any] = cast.to_pylist()
    return [value.hex() for value in values] if form.family == "uuid" else values


def _with_new_dictionaries(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns: list[Any] = []
    for column in batch.columns:
        if isinstance(column, pa.DictionaryArray):
            dense: Any = column.dictionary_decode().dictionary_encode()
            columns.append(dense.cast(column.type))
        else:
            columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _check_dictionaries(file: DataFile, name: str, of: pa.DataType, *, inside: bool = False) -> None:
    if types.is_dictionary(of):
        if inside:
            raise ConnectorError(
                "unsupported_schema",
                f"{file.name}: the column {name} holds dictionaries inside others, which would keep the values of rows "
                "that went; have its owner write them plainly.",
                permanent=True,
            )
        return
    for index in range(of.num_fields):
        inner: Any = of.field(index)
        _check_dictionaries(file, name, inner.type, inside=True)


def _codec(file: DataFile) -> Any:
    """The codec of the stream's bodies, by how the first one begins; None where they are plain, as usually."""
    with pa.memory_map(file.path) as mapped:
        for message in pa.ipc.MessageReader.open_stream(mapped):
            body: Any = message.body
            if message.type == "record batch" and body is not None and body.size > 12:
                return _CODECS.get(body.slice(8, 4).to_pybytes())
    return None


def _renamed(spans: Spans) -> Spans:
    return replace(spans, column=_TIME) if spans else spans


def _failed(source: DataFile, why: str) -> ConnectorError:
    return ConnectorError(
        "verification_failed",
        f"The new version of {source.name} was thrown away: {why}. The old one is untouched; report this.",
        permanent=True,
    )


def from_options(options: Mapping[str, Any]) -> ArrowStreams:
    """Set up by `memory_mb` and `threads`. Raises ConnectorError for values that cannot be."""
    return ArrowStreams(embedded.from_options(options).limits)
