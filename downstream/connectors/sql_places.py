"""How a table in a database is reached: its address, its options, and sessions that answer the same everywhere."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import event, pool

from downstream.connectors import secret_variables, statement_columns
from downstream.connectors.base import ConnectorError
from downstream.connectors.sql_errors import asking
from downstream.connectors.statement_columns import NO_COLUMNS, StatementColumns
from downstream.engines.key_columns import quote as quote_name
from downstream.engines.options import check_known

# deleting by a way that was never tried is no way to treat other people's data
_DRIVERS = {"postgresql": "postgresql+psycopg", "sqlite": "sqlite"}
_TEXTS = {"table", "schema", "work_schema", "password_env", "created_column"}
_SWITCHES = {"allow_cascade", "rewrite", "reindex"}
_SECONDS = {"lock_seconds", "statement_seconds"}
_POSTGRES_PORT = 5432
_PARAMETERS = {"host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout", "target_session_attrs"}
"""What an address may say behind its ?; libpq knows others that hold passwords, or read files that do."""
OPTIONS = _TEXTS | _SWITCHES | _SECONDS | statement_columns.OPTIONS


@dataclass(frozen=True)
class Place:
    """One table, and how Heed may treat it."""

    url: "sa.URL"
    table: str
    schema: str | None
    work_schema: str | None
    password_env: str = ""
    created_column: str = ""
    statements: StatementColumns = NO_COLUMNS
    allow_cascade: bool = False
    """Whether rows of other tables may go with, or be changed by, the rows that go."""
    rewrite: bool = False
    """Whether a purge may rewrite the table, and lock everybody out while it does."""
    reindex: bool = True
    lock_seconds: int = 10
    statement_seconds: int = 3_600
    engine: "sa.Engine" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "engine", _engine(self))

    @property
    def is_postgres(self) -> bool:
        return self.url.get_backend_name() == "postgresql"

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.table}" if self.schema else self.table

    def quoted(self, table: str, schema: str | None) -> str:
        """A name as the database has to be given it in a statement that takes no parameters."""
        return f"{quote_name(schema)}.{quote_name(table)}" if schema else quote_name(table)

    def do(self, connection: "sa.Connection", statement: str) -> None:
        """Run a statement with quoted names in it, and no parameters."""
        # the driver of PostgreSQL takes a % for the beginning of a parameter
        connection.exec_driver_sql(statement.replace("%", "%%") if self.is_postgres else statement)

    @property
    def quoted_name(self) -> str:
        return self.quoted(self.table, self.schema)

    @contextmanager
    def session(self) -> "Iterator[sa.Connection]":
        """One transaction with one view of the data; rolled back on error, and at its end where nobody commits."""
        with asking(self.full_name), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def reading(self) -> "Iterator[sa.Connection]":
        """For reading at length: one view of PostgreSQL's data; of a file of SQLite, without the lock of a writer."""
        if self.is_postgres:
            with self.session() as connection:
                yield connection
        else:
            with self.outside_transactions() as connection:
                yield connection

    @contextmanager
    def outside_transactions(self) -> "Iterator[sa.Connection]":
        """For what the database does not do inside a transaction, and what takes long."""
        engine = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        with asking(self.full_name), engine.connect() as connection:
            if self.is_postgres:
                connection.exec_driver_sql("SET statement_timeout = 0")
            yield connection


def place(location: str, options: Mapping[str, Any]) -> Place:
    """The place that a location and its options name; nothing is looked at. Raises ConnectorError."""
    _check_options(options)
    url = _url(location.partition("#")[0])
    schema = options.get("schema") or ("public" if url.get_backend_name() == "postgresql" else None)
    own = {name: options[name] for name in _SWITCHES | _SECONDS | {"password_env", "created_column"} if name in options}
    return Place(
        url=url,
        table=options["table"],
        schema=schema,
        work_schema=options.get("work_schema") or schema,
        statements=statement_columns.from_options(options),
        **own,
    )


def resolve(location: str, options: Mapping[str, Any]) -> str:
    """The one name of the table: the database's address and, behind a #, the table. Raises ConnectorError."""
    there = place(location, options)
    return f"{there.url.render_as_string()}#{there.full_name}"


def _check_options(options: Mapping[str, Any]) -> None:
    check_known(options, OPTIONS, what="A table in a database")
    for name, value in options.items():
        if name in _TEXTS and not isinstance(value, str):
            raise _invalid(f"The option {name} is a text.")
        if name in _SWITCHES and not isinstance(value, bool):
            raise _invalid(f"The option {name} is true or false.")
        if name in _SECONDS and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise _invalid(f"The option {name} is a whole number of seconds.")
    if "password_env" in options:
        secret_variables.check(options["password_env"], option="password_env")
    if not options.get("table"):
        raise _invalid("Name the table: --option table=NAME.")


def _invalid(message: str) -> ConnectorError:
    return ConnectorError("invalid_options", message, permanent=True)


def _url(location: str) -> "sa.URL":
    try:
        url = sa.make_url(location)
        backend = url.get_backend_name()
    except (sa.exc.ArgumentError, ValueError):
        raise _unknown("This is no address of a database, such as postgresql://heed@db.example/app.") from None
    if url.password or any("password" in name.lower() for name in url.query):
        raise ConnectorError(
            "password_in_location",
            "A location holds no password, because staff see it; name an environment variable that holds it: "
            "--option password_env=HEED_SECRET_NAME.",
            permanent=True,
        )
    if backend not in _DRIVERS:
        raise _unknown(f"Heed deletes only in databases that it was tried on: {', '.join(sorted(_DRIVERS))}.")
    if backend == "sqlite":
        if not url.database or url.database == ":memory:":
            raise _unknown("Name the file of the database: sqlite:////folder/file.db.")
        url = url.set(database=str(Path(url.database).resolve()))
        # how it is opened is for Heed to say
        return url.set(drivername=backend, query={})
    return _postgres(url)


def _postgres(url: "sa.URL") -> "sa.URL":
    """The address in one spelling; parameters are only those that say where and how safely. Raises ConnectorError."""
    unknown = sorted(set(url.query) - _PARAMETERS)
    if unknown:
        raise _unknown(f"An address takes the parameters {', '.join(sorted(_PARAMETERS))}; not {unknown[0]}.")
    # made anew, because `set` takes None for nothing to be changed
    return sa.URL.create(
        "postgresql",
        username=url.username,
        host=url.host.lower() if url.host else None,
        port=None if url.port == _POSTGRES_PORT else url.port,
        database=url.database,
        query=url.query,
    )


def _unknown(message: str) -> ConnectorError:
    return ConnectorError("invalid_location", message, permanent=True)


def _engine(there: Place) -> "sa.Engine":
    """An engine without a pool: each step of a run may be another process, and holds nothing open."""
    url = there.url.set(drivername=_DRIVERS[there.url.get_backend_name()])
    if not there.is_postgres:
        return _sqlite(url, there.lock_seconds)
    engine = sa.create_engine(
        url,
        poolclass=pool.NullPool,
        hide_parameters=True,
        isolation_level="REPEATABLE READ",
        connect_args={"connect_timeout": there.lock_seconds, "application_name": "heed"},
    )

    @event.listens_for(engine, "do_connect")
    def give_password(_dialect: Any, _record: Any, _args: Any, parameters: dict[str, Any]) -> None:
        if there.password_env:
            parameters["password"] = _password(there.password_env)

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: Any) -> None:
        # the text of a row, which digests are made of, must not depend on anybody's settings
        settings = {
            "timezone": "UTC",
            "datestyle": "ISO, YMD",
            "intervalstyle": "iso_8601",
            "bytea_output": "hex",
            "extra_float_digits": "1",
            "lock_timeout": f"{there.lock_seconds}s",
            "statement_timeout": f"{there.statement_seconds}s",
            # what was told to be committed shall be there after a crash
            "synchronous_commit": "on",
        }
        with connection.cursor() as cursor:
            for name, value in settings.items():
                cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
        connection.commit()

    return engine


def _password(variable: str) -> str:
    password = os.environ.get(variable)
    if password is None:
        raise ConnectorError(
            "password_missing",
            f"The environment variable {variable} that should hold the database's password is not set for this "
            "process; set it for the web server and the workers.",
            permanent=True,
        )
    return password


def _text(value: bytes) -> str | bytes:
    """Text as it is kept; what is no UTF-8, which SQLite takes in too, as its bytes."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _sqlite(url: "sa.URL", seconds: int) -> "sa.Engine":
    # a database that is not there must not come into being by looking at it
    address = url.set(database=f"file:{quote(url.database or '')}", query={"mode": "rw", "uri": "true"})
    engine = sa.create_engine(
        address,
        poolclass=pool.NullPool,
        hide_parameters=True,
        connect_args={"timeout": seconds, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: Any) -> None:
        connection.text_factory = _text
        # freed pages are overwritten, foreign keys heeded, and what is temporary does not reach the disk
        for pragma in ("secure_delete = ON", "foreign_keys = ON", "temp_store = MEMORY", "trusted_schema = OFF"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: "sa.Connection") -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
