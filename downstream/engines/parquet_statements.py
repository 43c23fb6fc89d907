"""What the rows of Parquet files say in a few columns, counted by value with DuckDB."""

from collections.abc import Collection, Iterator, Sequence

import pyarrow as pa
from pyarrow import types

from downstream.engines.base import DataFile, Tally
from downstream.engines.duckdb_sessions import Limits, literally, session
from downstream.engines.errors import ConnectorError, reading
from downstream.engines.key_columns import KeyForm, quote
from downstream.engines.parquet_files import opened

_SCAN = "read_parquet($files, hive_partitioning=false, filename='__heed_file')"
_BATCH = 10_000
# numbers and truth values are told as the standards write them: 1 and 0
_AS_TEXT = {"text": "{}::VARCHAR", "integer": "{}::VARCHAR", "boolean": "{}::INTEGER::VARCHAR"}


def kinds(file: DataFile, *, columns: Sequence[str]) -> tuple[str, ...]:
    """Of what kind each column is: text, integer or boolean. Raises ConnectorError for others, and missing ones."""
    with opened(file) as parquet:
        schema = parquet.schema_arrow
    return tuple(kind_of(file.name, schema, column) for column in columns)


def kind_of(name: str, schema: pa.Schema, column: str) -> str:
    """The kind of one column. Raises ConnectorError."""
    alike = [one for one in schema.names if one.casefold() == column.casefold()]
    if alike != [column]:
        raise ConnectorError(
            "statement_column_missing",
            f"{name} has no column {column}, or more than one that reads so; leave it out or have it renamed.",
            permanent=True,
        )
    found = schema.field(column).type
    if types.is_dictionary(found):
        found = found.value_type
    if types.is_string(found) or types.is_large_string(found) or types.is_string_view(found):
        return "text"
    if types.is_integer(found):
        return "integer"
    if types.is_boolean(found):
        return "boolean"
    raise ConnectorError(
        "statement_column_unsupported",
        f"The column {column} of {name} is {found}; a statement is text, a whole number, or true or false.",
        permanent=True,
    )


def tally(
    files: Sequence[DataFile],
    *,
    columns: Sequence[str],
    column_kinds: Sequence[str],
    key_column: str,
    form: KeyForm,
    keys: Collection[str],
    limits: Limits,
) -> Iterator[Tally]:
    """Rows by the columns' values, in one scan; all files hold keys and columns in the same forms."""
    texts = [_AS_TEXT[kind].format(quote(column)) for column, kind in zip(columns, column_kinds, strict=True)]
    query = f"""
        SELECT {", ".join(texts)}, count(*),
            count(*) FILTER (coalesce({form.expression(key_column)} IN (SELECT keys.probe FROM keys), false))
        FROM {_SCAN} GROUP BY ALL
    """  # noqa: S608  (identifiers are quoted, values are bound)
    place = files[0].name if len(files) == 1 else f"one of {len(files)} files"
    with reading(place), session(limits) as connection:
        connection.register("keys", form.table(keys))
        found = connection.execute(query, {"files": [literally(file.path) for file in files]})
        while rows := found.fetchmany(_BATCH):
            for *values, count, of_keys in rows:
                yield Tally(tuple(values), count, of_keys)
