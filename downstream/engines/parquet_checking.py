"""Finding rows in Parquet files and comparing two versions of one, with DuckDB.

It is another reader than the writer, so that what it finds is what others will find. Keys are joined from a
table, never written into a query.
"""

from collections.abc import Collection, Sequence

import duckdb

from downstream.engines.base import Comparison, DataFile
from downstream.engines.duckdb_sessions import Limits, literally, session
from downstream.engines.errors import ConnectorError, reading
from downstream.engines.key_columns import KeyForm
from downstream.engines.parquet_files import key_form, opened
from downstream.engines.parquet_rewriting import leaves

_SCAN = "read_parquet($files, hive_partitioning=false, filename='__heed_file')"
_COLUMNS = "* EXCLUDE (__heed_file)"
_64_BITS = 2**64


def locate(
    files: Sequence[DataFile], *, key_column: str, form: KeyForm, keys: Collection[str], limits: Limits
) -> dict[str, int]:
    """Rows of any of the keys by file name; all files hold keys in the same form."""
    query = f"""
        SELECT __heed_file, count(*) FROM {_SCAN}
        WHERE {form.expression(key_column)} IN (SELECT keys.probe FROM keys) GROUP BY ALL
    """  # noqa: S608  (identifiers are quoted, values are bound)
    names = {file.path: file.name for file in files}
    with session(limits) as connection:
        connection.register("keys", form.table(keys))
        found = connection.execute(query, {"files": [literally(path) for path in names]}).fetchall()
    return {names[path]: rows for path, rows in found}


def count(file: DataFile, *, key_column: str, form: KeyForm, keys: Collection[str], limits: Limits) -> dict[str, int]:
    """Rows of each key in one file. Two spellings of one UUID are each told the rows."""
    query = f"""
        WITH seen AS (SELECT {form.expression(key_column)} AS probe FROM {_SCAN})
        SELECT keys.text, count(*) FROM seen JOIN keys ON seen.probe = keys.probe GROUP BY ALL
    """  # noqa: S608
    with reading(file.name), session(limits) as connection:
        connection.register("keys", form.table(keys))
        return dict(connection.execute(query, {"files": [literally(file.path)]}).fetchall())


def compare(source: DataFile, target: str, *, key_column: str, keys: Collection[str], limits: Limits) -> Comparison:
    """What is left is what was there, but for the keys' rows. Raises `verification_failed`."""
    new = DataFile(f"the new version of {source.name}", target)
    with opened(source) as before, opened(new) as after:
        form = key_form(source, before, key_column)
        alike = (
            before.schema_arrow.equals(after.schema_arrow, check_metadata=True)
            and before.metadata.metadata == after.metadata.metadata
            and leaves(before.schema) == leaves(after.schema)
        )
        rows_before, rows_after = before.metadata.num_rows, after.metadata.num_rows
    if not alike:
        raise _failed(source, "its schema or metadata differ")
    with session(limits) as connection:
        connection.register("keys", form.table(keys))
        leaving, digest = _look(connection, source, form, key_column)
        still_there, digest_after = _look(connection, new, form, key_column)
    if still_there:
        raise _failed(source, "it still holds rows that have to go")
    if rows_after != rows_before - leaving:
        raise _failed(source, f"it holds {rows_after} rows, not {rows_before - leaving}")
    if digest != digest_after:
        raise _failed(source, "rows that have to stay differ")
    return Comparison(rows_before=rows_before, rows_after=rows_after, digest=digest)


def _look(connection: duckdb.DuckDBPyConnection, file: DataFile, form: KeyForm, key_column: str) -> tuple[int, str]:
    """How many rows are of the keys, and the digest of all others.

    The digest is a count and two sums of differently seeded hashes: sums, because an exclusive or does not
    notice a row that is there twice more; and it does not depend on the order of rows.
    """
    query = f"""
        WITH looked AS (
            SELECT
                coalesce({form.expression(key_column)} IN (SELECT keys.probe FROM keys), false) AS leaves,
                hash(*COLUMNS({_COLUMNS})) AS one, hash('heed', *COLUMNS({_COLUMNS})) AS two
            FROM {_SCAN}
        )
        SELECT
            count(*) FILTER (leaves), count(*) FILTER (NOT leaves),
            sum(one::HUGEINT) FILTER (NOT leaves), sum(two::HUGEINT) FILTER (NOT leaves)
        FROM looked
    """  # noqa: S608
    with reading(file.name):
        row = connection.execute(query, {"files": [literally(file.path)]}).fetchone()
    leaving, staying, one, two = row or (0, 0, 0, 0)
    return leaving, f"{staying}:{(one or 0) % _64_BITS:016x}{(two or 0) % _64_BITS:016x}"


def _failed(source: DataFile, why: str) -> ConnectorError:
    return ConnectorError(
        "verification_failed",
        f"The new version of {source.name} was thrown away: {why}. The old one is untouched; report this.",
        permanent=True,
    )
