"""What Heed keeps in somebody's database: a small table that says which of its removals were committed.

Its row is written in the transaction that deletes, so that whoever comes after a crash can tell. It names runs, never
people.
"""

import sqlalchemy as sa

from downstream.connectors.sql_places import Place

NAME = "heed_removals"


def table(place: Place) -> sa.Table:
    return sa.Table(
        NAME,
        sa.MetaData(),
        sa.Column("run", sa.Text, primary_key=True),
        sa.Column("cleaned_table", sa.Text, nullable=False),
        sa.Column("rows_removed", sa.BigInteger, nullable=False),
        sa.Column("transaction_id", sa.Text, nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("purged_at", sa.DateTime(timezone=True)),
        schema=place.work_schema,
    )


def try_out(connection: sa.Connection, place: Place) -> None:
    """Do what a run does with it, in a transaction that is taken back."""
    removals = table(place)
    removals.create(connection, checkfirst=True)
    record(connection, place, run="trial", rows=0)
    connection.execute(removals.update().where(removals.c.run == "trial").values(purged_at=sa.func.now()))


def make(connection: sa.Connection, place: Place) -> None:
    table(place).create(connection, checkfirst=True)


def record(connection: sa.Connection, place: Place, *, run: str, rows: int) -> None:
    transaction = "SELECT pg_current_xact_id()::text" if place.is_postgres else "SELECT ''"
    connection.execute(
        table(place).insert(),
        {
            "run": run,
            "cleaned_table": place.full_name,
            "rows_removed": rows,
            "transaction_id": connection.exec_driver_sql(transaction).scalar_one(),
        },
    )


def is_recorded(connection: sa.Connection, place: Place, *, run: str) -> bool:
    if not sa.inspect(connection).has_table(NAME, schema=place.work_schema):
        return False
    removals = table(place)
    return connection.execute(sa.select(removals.c.run).where(removals.c.run == run)).first() is not None


def unpurged(connection: sa.Connection, place: Place) -> dict[str, str]:
    """Runs whose rows may still have bytes here, and the transaction that deleted them."""
    if not sa.inspect(connection).has_table(NAME, schema=place.work_schema):
        return {}
    removals = table(place)
    query = sa.select(removals.c.run, removals.c.transaction_id).where(
        removals.c.cleaned_table == place.full_name, removals.c.purged_at.is_(None)
    )
    return {row.run: row.transaction_id for row in connection.execute(query)}


def mark_purged(connection: sa.Connection, place: Place, runs: list[str]) -> None:
    removals = table(place)
    connection.execute(removals.update().where(removals.c.run.in_(runs)).values(purged_at=sa.func.now()))
