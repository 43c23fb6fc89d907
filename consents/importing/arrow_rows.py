"""Arrow record batches, and Parquet files by their row groups. A row's number takes the place of a line's."""

from collections.abc import Iterator
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from consents import arrow_streams
from consents.importing.rows import COLUMNS, REQUIRED, InputRefused, Refused, Row, Rows, check_columns

_AT_ONCE = 20_000
_FLAGS: dict[Any, str] = {True: "yes", False: "no", None: ""}
_MISSING = Refused(
    "required", "The row lacks a value that every choice has: scheme, value, purpose, action, occurred_at."
)


def read_parquet(source: IO[bytes], *, skip: int = 0) -> Rows:
    """The rows after the first `skip`; row groups that lie before them are not read.

    Raises InputRefused: `wrong_columns`, `wrong_type`, `malformed` where the file is no Parquet or is damaged.
    """
    try:
        file = pq.ParquetFile(source)
        check_schema(file.schema_arrow)
        first, before = _first_group(file, skip)
        batches = file.iter_batches(batch_size=_AT_ONCE, row_groups=list(range(first, file.num_row_groups)))
        for number, row in rows_of(batches, start=before):
            if number > skip:
                yield number, row
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputRefused("malformed", "This is no Parquet file, or it is damaged or cut off.") from error


def count(source: IO[bytes]) -> int:
    """How many rows a Parquet file says that it has; 0 where it cannot be read."""
    try:
        return int(pq.ParquetFile(source).metadata.num_rows)
    except (pa.ArrowException, OSError):
        return 0


def read_stream(source: Any) -> Rows:
    """The rows of an Arrow IPC stream, which `source` reads.

    Raises InputRefused: `wrong_columns`, `wrong_type`, `malformed` also for what `arrow_streams` does not take.
    """
    number = 0
    try:
        with arrow_streams.open_stream(source) as stream:
            check_schema(stream.schema)
            for number, row in rows_of(stream, start=0):
                yield number, row
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
        raise InputRefused(
            "malformed",
            f"The Arrow stream breaks off or is damaged after row {number}, or a batch is compressed or has more than"
            f" {arrow_streams.MOST_ROWS:,} rows or {arrow_streams.MOST_BYTES >> 20} MiB.",
        ) from error


def check_schema(schema: pa.Schema) -> None:
    """Refuse columns that are not the known ones, or hold something else than text, and times with a zone."""
    check_columns(schema.names, what="The schema")
    for field in schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
        zoned = field.name == "occurred_at" and pa.types.is_timestamp(kind) and kind.tz is not None
        flag = field.name == "is_minor" and pa.types.is_boolean(kind)
        if not (text or zoned or flag or pa.types.is_null(kind)):
            raise InputRefused(
                "wrong_type",
                f"The column {field.name} is of type {kind}; columns hold text, occurred_at may hold"
                " timestamps with a zone, is_minor true or false.",
            )


def rows_of(batches: Any, *, start: int) -> Rows:
    """Numbered from `start` + 1."""
    number = start
    for batch in arrow_streams.batches(batches):
        # a batch may be large, and its values as Python's are larger
        for begin in range(0, batch.num_rows, _AT_ONCE):
            part = batch.slice(begin, _AT_ONCE)
            for row in zip(*(_values(part, name) for name in COLUMNS), strict=True):
                number += 1
                yield number, _MISSING if None in row[: len(REQUIRED)] else Row._make(row)


def _values(batch: pa.RecordBatch, name: str) -> Iterator[Any]:
    if name not in batch.schema.names:
        return iter([""] * batch.num_rows)
    column = batch.column(name)
    if pa.types.is_timestamp(column.type):
        # finer than a microsecond is nothing that the ledger keeps
        column = pc.cast(column, pa.timestamp("us", tz="UTC"), safe=False)
    values: list[Any] = column.to_pylist()
    if name == "is_minor":
        return iter([_FLAGS.get(one, one) for one in values])
    return iter(values) if name in REQUIRED else iter(["" if one is None else one for one in values])


def _first_group(file: pq.ParquetFile, skip: int) -> tuple[int, int]:
    """The row group in which row `skip` + 1 lies, and how many rows lie before that group."""
    before = 0
    for group in range(file.num_row_groups):
        here = file.metadata.row_group(group).num_rows
        if before + here > skip:
            return group, before
        before += here
    return file.num_row_groups, before
