"""Tables of PostgreSQL and SQLite keep the contract, and what only databases can do wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.downstream.connectors.contract import ConnectorContract
from tests.downstream.connectors.databases import Postgres, PostgresGround, SqliteGround, postgres


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    with postgres() as one:
        yield one


class TestPostgres(ConnectorContract):
    @pytest.fixture
    def ground(self, database: Postgres) -> Iterator[PostgresGround]:
        yield PostgresGround(database)
        database.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


class TestSqlite(ConnectorContract):
    @pytest.fixture
    def ground(self, tmp_path: Path) -> SqliteGround:
        one = SqliteGround(tmp_path / "posts.db")
        one.run("CREATE TABLE beside (word text)")
        return one
