"""Tables of PostgreSQL and SQLite keep the contract, and what only databases can do wrong."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from downstream.connectors import open_connector, resolver
from downstream.connectors.base import ConnectorError, ReadsRows, Span
from downstream.row_values import as_json
from tests.conftest import AT
from tests.downstream.connectors.contract import (
    ALICE,
    BOB,
    CHARLIE,
    MAY,
    POSTS,
    ConnectorContract,
    of,
    remove,
    stage_first,
    unfenced,
)
from tests.downstream.connectors.databases import Postgres, PostgresGround, SqliteGround, postgres

AT_ONCE: dict[str, Any] = {"retention": None, "at": AT}


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    with postgres() as one:
        yield one


@pytest.fixture
def ground(database: Postgres) -> Iterator[PostgresGround]:
    yield PostgresGround(database)
    database.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


@pytest.fixture
def posts(ground: PostgresGround) -> PostgresGround:
    ground.put("a", POSTS)
    return ground


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


def refused(ground: PostgresGround, act: str = "describe") -> ConnectorError:
    with pytest.raises(ConnectorError) as refusal:
        getattr(ground.connector(), act)()
    return refusal.value


@pytest.mark.parametrize("act", ["CASCADE", "SET NULL"])
def test_rows_of_other_tables_that_would_go_with_it_are_a_reason_to_refuse(ground: PostgresGround, act: str) -> None:
    ground.database.run("CREATE TABLE a (person text PRIMARY KEY)")
    ground.database.run(f"CREATE TABLE likes (of_whom text REFERENCES a ON DELETE {act}, by_whom text)")
    error = refused(ground)
    assert (error.code, error.permanent) == ("deletes_cascade", True)
    assert f"likes (ON DELETE {act})" in error.message
    ground.options["allow_cascade"] = True
    assert ground.connector().describe().rows == 0


def test_rows_that_others_refer_to_wait_for_a_person(posts: PostgresGround) -> None:
    posts.database.run("DELETE FROM a WHERE person IS NULL; ALTER TABLE a ADD id serial PRIMARY KEY")
    posts.database.run("CREATE TABLE likes (post int REFERENCES a); INSERT INTO likes VALUES (1)")
    with pytest.raises(ConnectorError) as refusal:
        remove(posts.connector(), {ALICE})
    assert (refusal.value.code, refusal.value.permanent) == ("rows_referenced", True)
    assert ALICE not in refusal.value.message
    assert len(posts.read()["a"]) == 4
    assert posts.leftovers() == []


@pytest.mark.parametrize("kind", ["VIEW", "MATERIALIZED VIEW"])
def test_what_only_shows_rows_is_refused(posts: PostgresGround, kind: str) -> None:
    posts.database.run(f"CREATE {kind} shown AS SELECT * FROM a")
    posts.options["table"] = "shown"
    error = refused(posts)
    assert (error.code, error.permanent) == ("not_a_table", True)


@pytest.fixture
def role(posts: PostgresGround) -> Iterator[str]:
    """A role with every grant that Heed needs, which it connects with."""
    name, database = f"heed_{secrets.token_hex(4)}", posts.database
    database.run(f"CREATE ROLE {name} LOGIN; GRANT SELECT, DELETE, MAINTAIN ON a TO {name}")
    database.run(f"GRANT CREATE, USAGE ON SCHEMA public TO {name}")
    was, database.login = database.login, name
    yield name
    database.login = was
    database.run(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_a_role_with_no_more_than_what_is_needed_can_do_everything(posts: PostgresGround, role: str) -> None:
    connector = posts.connector()
    connector.describe()
    remove(connector, {ALICE})
    assert connector.verify({ALICE}).rows_found == 0


@pytest.mark.parametrize(
    ("taken", "named"),
    [
        ("DELETE ON a", "DELETE ON public.a"),
        ("MAINTAIN ON a", "MAINTAIN ON public.a"),
        ("CREATE ON SCHEMA public", "CREATE, USAGE ON SCHEMA public"),
    ],
)
def test_a_missing_grant_is_named(posts: PostgresGround, role: str, taken: str, named: str) -> None:
    posts.database.run(f"REVOKE {taken} FROM {role}")
    error = refused(posts)
    assert (error.code, error.permanent) == ("grant_missing", True)
    assert f"GRANT {named}" in error.message


def test_rows_that_are_hidden_from_the_role_are_a_reason_to_refuse(posts: PostgresGround, role: str) -> None:
    posts.database.run("ALTER TABLE a ENABLE ROW LEVEL SECURITY")
    assert refused(posts).code == "row_security"


def test_what_fires_on_a_delete_is_named(posts: PostgresGround) -> None:
    posts.database.run("""
        CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER keep_all BEFORE DELETE ON a FOR EACH ROW EXECUTE FUNCTION keep()
    """)
    connector = posts.connector()
    assert "on delete fires keep_all" in connector.describe().schema
    with pytest.raises(ConnectorError, match="a trigger or rule keeps the rows") as refusal:
        remove(connector, {ALICE})
    assert refusal.value.permanent
    assert posts.leftovers() == []
    assert any("keep_all" in one for one in connector.residue({ALICE}, **AT_ONCE).unreachable)


def test_a_trigger_that_changes_rows_that_stay_is_taken_back(posts: PostgresGround) -> None:
    posts.database.run("""
        CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN UPDATE a SET text = 'spoilt' WHERE person = 'm_bob'; RETURN OLD; END$$;
        CREATE TRIGGER spoil AFTER DELETE ON a FOR EACH ROW EXECUTE FUNCTION spoil()
    """)
    before = posts.read()
    with pytest.raises(ConnectorError) as refusal:
        remove(posts.connector(), {ALICE})
    assert refusal.value.code == "verification_failed"
    assert posts.read() == before


def test_a_table_that_others_hold_does_not_hang_the_worker(posts: PostgresGround) -> None:
    posts.options["lock_seconds"] = 1
    connector = posts.connector()
    staged = stage_first(connector, {ALICE})
    with posts.database.connect() as other, other.transaction():
        other.execute("LOCK TABLE a IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(ConnectorError) as refusal:
            connector.commit(staged, fence=unfenced)
    assert (refusal.value.code, refusal.value.permanent) == ("table_busy", False)


def test_rows_that_others_write_meanwhile_stay(posts: PostgresGround) -> None:
    connector = posts.connector()
    staged = stage_first(connector, {ALICE})
    posts.database.run("INSERT INTO a VALUES ('m_dora', 'new'); UPDATE a SET text = 'changed' WHERE person = 'm_bob'")
    connector.commit(staged, fence=unfenced)
    assert [row["person"] for row in posts.read()["a"]] == [None, CHARLIE, "m_dora", BOB]


def test_rows_of_the_same_people_that_came_meanwhile_are_found_again(posts: PostgresGround) -> None:
    connector = posts.connector()
    staged = stage_first(connector, {ALICE})
    posts.database.run("INSERT INTO a VALUES (%s, 'new')", ALICE)
    with pytest.raises(ConnectorError) as refusal:
        connector.commit(staged, fence=unfenced)
    assert (refusal.value.code, refusal.value.permanent) == ("source_changed", False)
    assert remove(connector, {ALICE})[0].rows_removed == 3


def test_names_may_hold_whatever_a_database_lets_them(ground: PostgresGround) -> None:
    name = """po"st's %s :x #1"""
    quoted = '"' + name.replace('"', '""') + '"'
    ground.database.run(f"CREATE SCHEMA {quoted}")
    ground.database.run(f'CREATE TABLE {quoted}.{quoted} ({quoted} text, "made: %(at)s" timestamptz)')
    ground.database.run(f"INSERT INTO {quoted}.{quoted} VALUES ('m_alice', now()), ('m_bob', now())")
    ground.options |= {"table": name, "schema": name}
    connector = ground.connector(name, created_column="made: %(at)s")
    connector.describe()
    (staged,) = remove(connector, set(), of({ALICE}, Span(MAY, None)))
    assert (staged.unit, staged.rows_removed) == (name, 1)
    connector.purge(**AT_ONCE)
    assert connector.verify({ALICE}).rows == 1
    ground.database.run(f"DROP SCHEMA {quoted} CASCADE")


def test_whole_people_go_where_times_are_known_as_well(ground: PostgresGround) -> None:
    ground.database.run("CREATE TABLE a (person text, made timestamptz)")
    ground.database.run("INSERT INTO a VALUES ('m_alice', now()), ('m_alice', NULL), ('m_bob', now())")
    (staged,) = remove(ground.connector(created_column="made"), {ALICE})
    assert (staged.rows_removed, staged.rows_after) == (2, 1)


def test_infinite_times_count_as_very_early_and_very_late(ground: PostgresGround) -> None:
    ground.database.run("CREATE TABLE a (person text, n int, made timestamptz)")
    ground.database.run("INSERT INTO a VALUES ('m_alice', 0, '-infinity'), ('m_alice', 1, 'infinity')")
    ground.database.run("INSERT INTO a VALUES ('m_alice', 2, '2024-06-01'), ('m_alice', 3, '0044-01-01 BC')")
    (staged,) = remove(ground.connector(created_column="made"), set(), of({ALICE}, Span(MAY, None)))
    assert staged.rows_removed == 2
    assert sorted(row[0] for row in ground.database.run("SELECT n FROM a")) == [0, 3]


def test_rows_are_counted_by_what_they_say(ground: PostgresGround) -> None:
    ground.database.run("CREATE TABLE a (person text, usage text, tdm boolean)")
    ground.database.run("INSERT INTO a VALUES ('m_alice', 'train-ai=n', true), ('m_bob', 'train-ai=n', true)")
    ground.database.run("INSERT INTO a VALUES ('m_bob', NULL, false)")
    ground.options |= {"content_usage_column": "usage", "tdm_reservation_column": "tdm"}
    found = {(one.content_usage, one.tdm_reservation, one.rows, one.of_keys) for one in said(ground)}
    assert found == {("train-ai=n", "1", 2, 1), (None, "0", 1, 0)}


def said(ground: PostgresGround) -> list[Any]:
    ground.connector().describe()
    return list(ground.connector().statements({ALICE}))


@pytest.mark.parametrize(("column", "code"), [("nowhere", "missing"), ("made", "unsupported")])
def test_a_column_that_says_nothing_is_refused_at_once(ground: PostgresGround, column: str, code: str) -> None:
    ground.database.run("CREATE TABLE a (person text, made date)")
    ground.options["content_usage_column"] = column
    assert refused(ground).code == f"statement_column_{code}"


@pytest.mark.parametrize(
    ("location", "options", "code"),
    [
        ("postgresql://heed:secret@db/app", {"table": "a"}, "password_in_location"),
        ("postgresql://db/app?password=secret", {"table": "a"}, "password_in_location"),
        ("postgresql://db/app?sslpassword=secret", {"table": "a"}, "password_in_location"),
        ("postgresql://db/app?passfile=/etc/secret", {"table": "a"}, "invalid_location"),
        ("postgresql://db/app?options=-c%20secret%3D1", {"table": "a"}, "invalid_location"),
        ("postgresql://db/app", {"table": "a", "password_env": "HEED_KEY"}, "invalid_options"),
        ("oracle://db/app", {"table": "a"}, "invalid_location"),
        ("nowhere", {"table": "a"}, "invalid_location"),
        ("sqlite://", {"table": "a"}, "invalid_location"),
        ("postgresql://db/app", {}, "invalid_options"),
        ("postgresql://db/app", {"table": "a", "colour": "red"}, "invalid_options"),
        ("postgresql://db/app", {"table": "a", "rewrite": "yes"}, "invalid_options"),
        ("postgresql://db/app", {"table": "a", "lock_seconds": 0}, "invalid_options"),
        ("postgresql://db/app", {"table": 7}, "invalid_options"),
    ],
)
def test_a_place_that_cannot_be_is_refused(location: str, options: dict[str, Any], code: str) -> None:
    with pytest.raises(ConnectorError) as refusal:
        open_connector("sql_table", location, "person", options)
    assert (refusal.value.code, refusal.value.permanent) == (code, True)
    assert "secret" not in refusal.value.message


def test_a_password_that_no_variable_holds_is_told(posts: PostgresGround) -> None:
    posts.options["password_env"] = "HEED_SECRET_NO_SUCH_PASSWORD"
    assert refused(posts).code == "password_missing"


def test_a_server_that_does_not_answer_is_tried_again(posts: PostgresGround) -> None:
    connector = open_connector("sql_table", "postgresql://heed@127.0.0.1:1/app", "person", {"table": "a"})
    with pytest.raises(ConnectorError) as refusal:
        connector.describe()
    assert (refusal.value.code, refusal.value.permanent) == ("database_unreachable", False)


def test_a_table_is_one_place_by_every_name() -> None:
    resolve = resolver("sql_table")
    assert resolve is not None
    by_default = resolve("postgresql://heed@db/app", {"table": "posts"})
    assert by_default == resolve("postgresql+psycopg://heed@db/app", {"table": "posts", "schema": "public"})
    assert by_default == resolve(by_default, {"table": "posts"})
    assert by_default == resolve("postgresql://heed@DB:5432/app", {"table": "posts"})
    assert by_default != resolve("postgresql://heed@db/app", {"table": "posts", "schema": "old"})


def test_a_persons_row_holds_values_of_every_type(ground: PostgresGround) -> None:
    ground.database.run("""
        CREATE TABLE a (person text, price numeric, told jsonb, raw bytea, made timestamptz, ended timestamp, day date,
            tags text[], span int4range, mood interval, "odd ""name" bool, of uuid, ip inet);
        INSERT INTO a VALUES ('m_alice', 10.50, '{"a": [1, null]}', '\\x00ff', '2024-05-07 12:00+02', 'infinity',
            '20000-01-01', '{a,NULL}', '[1,5)', '1 month 90 seconds', true, '00000000-0000-0000-0000-000000000001',
            '10.0.0.1');
        INSERT INTO a (person, price) VALUES ('m_alice', 'NaN'), ('m_bob', 1);
    """)
    connector = ground.connector()
    assert isinstance(connector, ReadsRows)
    first, second = (as_json(row.values) for row in connector.rows({ALICE}))
    assert first == {
        "person": ALICE,
        "price": "10.50",
        "told": {"a": [1, None]},
        "raw": "AP8=",
        "made": "2024-05-07T10:00:00Z",
        "ended": "infinity",
        "day": "20000-01-01",
        "tags": ["a", None],
        "span": "[1, 5)",
        "mood": "P1MT1M30S",
        'odd "name': True,
        "of": "00000000-0000-0000-0000-000000000001",
        "ip": "10.0.0.1",
    }
    assert (second["price"], second["made"]) == ("NaN", None)


def test_reading_a_file_of_sqlite_keeps_no_writer_waiting(tmp_path: Path) -> None:
    ground = SqliteGround(tmp_path / "posts.db")
    ground.run("PRAGMA journal_mode = WAL")
    ground.put("a", pa.table({"person": [ALICE] * 3_000, "n": list(range(3_000))}))
    connector = ground.connector()
    assert isinstance(connector, ReadsRows)
    rows = connector.rows({ALICE})
    next(rows)
    ground.run("INSERT INTO a VALUES (?, ?)", BOB, 1)
    assert len(list(rows)) == 2_999


def test_thousands_of_rows_come_from_the_server_a_few_at_a_time(ground: PostgresGround) -> None:
    ground.database.run("CREATE TABLE a (person text, n int, text text)")
    ground.database.run("INSERT INTO a SELECT 'm_alice', n, repeat('x', 100) FROM generate_series(1, 5000) n")
    connector = ground.connector()
    assert isinstance(connector, ReadsRows)
    rows = connector.rows({ALICE})
    assert next(rows).values["n"] == 1
    # one view of the data: what comes later is not in it
    ground.database.run("INSERT INTO a VALUES ('m_alice', 0, 'x')")
    assert len(list(rows)) == 4_999
