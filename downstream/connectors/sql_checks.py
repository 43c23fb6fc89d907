"""What is refused before a table is taken in: what could not be carried out later, or would touch others' rows."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy import types

from downstream.connectors import sql_removals
from downstream.connectors.base import ConnectorError
from downstream.connectors.sql_columns import Reflected
from downstream.connectors.sql_errors import state_of
from downstream.connectors.sql_places import Place

_KINDS = {
    "v": "a view", "m": "a materialised view", "f": "a foreign table", "p": "a table", "r": "a table",
}  # fmt: skip
_ACTS = {"c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


def check(connection: sa.Connection, place: Place, key_column: str) -> list[str]:
    """What is worth telling of the table, in words. Raises ConnectorError."""
    if place.is_postgres:
        _check_kind(connection, place)
        _check_collation(connection, place, key_column)
    elif place.table in sa.inspect(connection).get_view_names():
        raise _not_a_table(place, "a view")
    _check_references(connection, place)
    if place.is_postgres:
        _check_grants(connection, place)
    return [f"on delete fires {name}" for name in triggers(connection, place)]


def triggers(connection: sa.Connection, place: Place) -> list[str]:
    """What else happens when a row is deleted; it may copy the row elsewhere."""
    if not place.is_postgres:
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :named ORDER BY name"
        return [row.name for row in connection.execute(sa.text(query), {"named": place.table})]
    query = """
        SELECT tgname AS name FROM pg_trigger
        WHERE tgrelid = CAST(:named AS regclass) AND NOT tgisinternal AND tgtype & 8 <> 0 ORDER BY 1
    """
    return [row.name for row in connection.execute(sa.text(query), {"named": place.quoted_name})]


def check_statements(place: Place, found: Mapping[str, Reflected]) -> None:
    """Raises ConnectorError for a column of statements that is missing, or of a type that says none."""
    for name in place.statements.names:
        if name not in found:
            raise ConnectorError(
                "statement_column_missing", f"{place.table} has no column {name}; leave it out.", permanent=True
            )
        if not isinstance(found[name].kind, types.String | types.Integer | types.Boolean):
            raise ConnectorError(
                "statement_column_unsupported",
                f"The column {name} of {place.table} is {found[name].called}; a statement is text, a whole "
                "number, or true or false.",
                permanent=True,
            )


def _check_kind(connection: sa.Connection, place: Place) -> None:
    query = """
        SELECT relkind::text AS kind, row_security_active(oid) AS hidden
        FROM pg_class WHERE oid = CAST(:named AS regclass)
    """
    found = connection.execute(sa.text(query), {"named": place.quoted_name}).one()
    if found.kind not in "rp":
        raise _not_a_table(place, _KINDS.get(found.kind, "no table"))
    if found.hidden:
        raise ConnectorError(
            "row_security",
            f"Row-level security hides rows of {place.full_name} from Heed's role, so that it could not tell that all "
            "are gone; give the role BYPASSRLS, or make it the owner.",
            permanent=True,
        )


def _not_a_table(place: Place, kind: str) -> ConnectorError:
    return ConnectorError(
        "not_a_table", f"{place.full_name} is {kind}; register the table where its rows are kept.", permanent=True
    )


def _check_collation(connection: sa.Connection, place: Place, key_column: str) -> None:
    query = """
        SELECT c.collisdeterministic AS exact FROM pg_attribute a JOIN pg_collation c ON c.oid = a.attcollation
        WHERE a.attrelid = CAST(:named AS regclass) AND a.attname = :column
    """
    named = {"named": place.quoted_name, "column": key_column}
    if connection.execute(sa.text(query), named).scalar() is False:
        raise ConnectorError(
            "key_column_unsupported",
            f"{place.table}: the collation of {key_column} takes different keys for the same, and somebody else's rows "
            "would go; use a deterministic one.",
            permanent=True,
        )


def _check_references(connection: sa.Connection, place: Place) -> None:
    """Refuse what changes rows of others as a side effect, unless it is allowed."""
    if place.allow_cascade:
        return
    acting = sorted(_references(connection, place))
    if acting:
        raise ConnectorError(
            "deletes_cascade",
            f"Rows of other tables would go or change with those of {place.full_name}: {', '.join(acting)}. "
            "Have that changed, or allow it: --option allow_cascade=true.",
            permanent=True,
        )


def _references(connection: sa.Connection, place: Place) -> Iterator[str]:
    if place.is_postgres:
        query = """
            SELECT conrelid::regclass::text AS other, confdeltype::text AS act FROM pg_constraint
            WHERE contype = 'f' AND confrelid = CAST(:named AS regclass) AND confdeltype IN ('c', 'n', 'd')
        """
        for row in connection.execute(sa.text(query), {"named": place.quoted_name}):
            yield f"{row.other} (ON DELETE {_ACTS[row.act]})"
        return
    looking = sa.inspect(connection)
    for other in looking.get_table_names():
        for key in looking.get_foreign_keys(other):
            act = str(key["options"].get("ondelete") or "NO ACTION").upper()
            if key["referred_table"] == place.table and act in _ACTS.values():
                yield f"{other} (ON DELETE {act})"


def _check_grants(connection: sa.Connection, place: Place) -> None:
    """Do everything that a run does, and take it back."""
    name, work = place.quoted_name, place.work_schema or "public"
    with _granted(connection, f"SELECT ON {place.full_name}"):
        place.do(connection, f"SELECT FROM {name} WHERE false")
    with _granted(connection, f"DELETE ON {place.full_name}"):
        place.do(connection, f"DELETE FROM {name} WHERE false")  # noqa: S608
    with _granted(connection, f"CREATE, USAGE ON SCHEMA {work}"):
        trial = place.quoted("heed_trial", place.work_schema)
        place.do(connection, f"CREATE TABLE {trial} ()")
        place.do(connection, f"DROP TABLE {trial}")
    with _granted(connection, f"SELECT, INSERT, UPDATE ON {work}.{sql_removals.NAME}"):
        sql_removals.try_out(connection, place)
    with _granted(connection, f"TEMPORARY ON DATABASE {place.url.database}"):
        connection.exec_driver_sql("CREATE TEMPORARY TABLE heed_trial ()")
        connection.exec_driver_sql("DROP TABLE pg_temp.heed_trial")
    if not connection.execute(sa.text(_MAY_MAINTAIN), {"named": name}).scalar():
        raise _missing(f"MAINTAIN ON {place.full_name}", ", which VACUUM needs (before PostgreSQL 17: ownership)")


_MAY_MAINTAIN = """
    SELECT pg_has_role(c.relowner, 'USAGE') OR CASE
        WHEN current_setting('server_version_num')::int >= 170000 THEN has_table_privilege(c.oid, 'MAINTAIN')
        ELSE false END
    FROM pg_class c WHERE c.oid = CAST(:named AS regclass)
"""


@contextmanager
def _granted(connection: sa.Connection, grant: str) -> Iterator[None]:
    try:
        with connection.begin_nested():
            yield
    except sa.exc.DBAPIError as error:
        if state_of(error) == "42501":
            raise _missing(grant) from None
        raise


def _missing(grant: str, why: str = "") -> ConnectorError:
    return ConnectorError("grant_missing", f"Heed's role needs GRANT {grant}{why}.", permanent=True)
