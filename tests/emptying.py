"""Empties the database after a test that committed, by way of the few tables that it wrote to.

Django truncates every table there is and then makes its permissions anew: 0.3 s for some hundred tables and hundreds
of tests. A test leaves rows in ten of them, and deleting those takes a twentieth.
"""

from typing import Any

from django.core.management import call_command
from django.db import connection, transaction

LARGEST = 1_000_000
"""In bytes. Deleted rows keep their place until they are vacuumed: beyond this every table is truncated."""
REFERENCE = frozenset({"django_content_type", "auth_permission"})
"""What `migrate` writes, no test changes, and Django remembers in the process."""


def empty(_case: Any = None) -> None:
    """Leave what `flush` would leave: stands in for `TransactionTestCase._fixture_teardown`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('is_superuser') = 'on'")
        # without triggers the log lets its rows be deleted, and nobody else may switch them off
        may = cursor.fetchone()[0]
    if not may or (written := _written()) is None:
        call_command("flush", verbosity=0, interactive=False, reset_sequences=False)
        return
    if not written:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table in written:
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")


def _written() -> list[str] | None:
    """The tables that have rows, or None where one of them grew large."""
    quoted = {name: connection.ops.quote_name(name) for name in _tables()}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            " AND pg_relation_size(oid) > %s",
            [LARGEST],
        )
        if {name for (name,) in cursor.fetchall()} - REFERENCE:
            return None
        cursor.execute(" UNION ALL ".join(f"(SELECT '{name}' FROM {table} LIMIT 1)" for name, table in quoted.items()))
        return [name for (name,) in cursor.fetchall()]


def _tables() -> list[str]:
    found = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return sorted(set(found) - REFERENCE)
