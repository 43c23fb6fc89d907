"""What goes wrong in a database, as errors of connectors: by its SQLSTATE, never by its text, which quotes values."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from downstream.engines.errors import ConnectorError

_BUSY = {"40001", "40P01", "55P03", "57014"}
_SQLITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_SQLITE_FULL = {sqlite3.SQLITE_FULL}
_SQLITE_READ_ONLY = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
_SQLITE_CANNOT_OPEN = {sqlite3.SQLITE_CANTOPEN}


@contextmanager
def asking(table: str) -> Iterator[None]:
    """Turn whatever goes wrong while the database is asked into a ConnectorError."""
    try:
        yield
    except exc.DBAPIError as error:
        raise _of_driver(table, error) from None
    except exc.SQLAlchemyError as error:
        raise ConnectorError(
            "database_failed", f"The database of {table} cannot be asked ({type(error).__name__}).", permanent=True
        ) from None


def state_of(error: exc.DBAPIError) -> str:
    """PostgreSQL's SQLSTATE, or empty."""
    return getattr(error.orig, "sqlstate", None) or ""


def _of_driver(table: str, error: exc.DBAPIError) -> ConnectorError:
    code = getattr(error.orig, "sqlite_errorcode", None)
    if isinstance(code, int):
        return _of_sqlite(table, code & 0xFF)
    state = state_of(error)
    if state in _BUSY:
        return _busy(table)
    if state == "42501":
        return ConnectorError(
            "grant_missing",
            f"Heed's role may not do what is needed with {table}; test the connection to see which grant is missing.",
            permanent=True,
        )
    if state.startswith("23"):
        return _referenced(table)
    if state.startswith("53"):
        return ConnectorError(
            "database_full", f"The database of {table} has no room or memory left; it will be tried again.",
            permanent=False,
        )  # fmt: skip
    if state == "42P01":
        return ConnectorError(
            "source_changed", f"{table} or a table beside it disappeared meanwhile; it will be tried again.",
            permanent=False,
        )  # fmt: skip
    if error.connection_invalidated or (isinstance(error, exc.OperationalError) and not state):
        return _unreachable(table)
    if state[:2] in {"08", "57", "58"}:
        return _unreachable(table)
    return ConnectorError(
        "database_failed",
        f"The database refused to answer about {table} (SQLSTATE {state or 'unknown'}); have its administrator look.",
        permanent=True,
    )


def _of_sqlite(table: str, code: int) -> ConnectorError:
    if code in _SQLITE_BUSY:
        return _busy(table)
    if code in _SQLITE_READ_ONLY:
        return ConnectorError("not_writable", f"The file of {table} may not be written; allow it.", permanent=True)
    if code in _SQLITE_FULL:
        return ConnectorError("disk_full", f"There is no room beside {table}; free some space.", permanent=False)
    if code in _SQLITE_CANNOT_OPEN:
        return ConnectorError(
            "dataset_missing", f"The file of {table} does not exist or may not be opened.", permanent=True
        )
    if code == sqlite3.SQLITE_CONSTRAINT:
        return _referenced(table)
    return ConnectorError("database_failed", f"The file of {table} cannot be read ({code}).", permanent=True)


def _busy(table: str) -> ConnectorError:
    return ConnectorError(
        "table_busy", f"Others hold {table} or changed the same rows; it will be tried again.", permanent=False
    )


def _referenced(table: str) -> ConnectorError:
    return ConnectorError(
        "rows_referenced",
        f"Rows of other tables refer to rows of {table} that have to go; have those tables cleaned first.",
        permanent=True,
    )


def _unreachable(table: str) -> ConnectorError:
    return ConnectorError(
        "database_unreachable",
        f"The database of {table} cannot be reached, or does not let Heed in; it will be tried again.",
        permanent=False,
    )
