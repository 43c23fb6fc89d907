"""What of removed people stays in a database's files, searched on the disk, and that a purge ends it."""

import secrets
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from downstream.connectors.base import ReadsRows, Trace
from tests.conftest import AT
from tests.downstream.connectors.contract import ALICE, BOB, POSTS, remove
from tests.downstream.connectors.databases import Postgres, PostgresGround, SqliteGround, postgres

AT_ONCE: dict[str, Any] = {"retention": None, "at": AT}
TEXT = "quagmire and zeppelins"
VECTOR = struct.pack("<4f", 1234.5, 6.5, 7.5, 8.5)


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    with postgres() as one:
        one.run("CREATE EXTENSION vector")
        yield one


class VectorGround(PostgresGround):
    """A table that retrieval answers from, with an index of every kind."""

    kind = "pgvector_table"

    def fill(self, *, lines: int = 400) -> None:
        self.database.run("CREATE TABLE a (person text, text text, long text, embedding vector(4))")
        long = "(SELECT string_agg(md5(n::text), '') FROM generate_series(1, 200) n)"
        own = f"('{ALICE}', '{TEXT}', {long}, '{EMBEDDING}')"
        self.database.run(f"INSERT INTO a VALUES {own}")
        self.database.run(f"""
            INSERT INTO a SELECT 'm_' || n, 'line ' || n, 'x', ARRAY[n, n % 7, n % 5, 1]::vector
            FROM generate_series(1, {lines}) n
        """)
        self.database.run(f"INSERT INTO a VALUES {own}")
        for index in INDEXES:
            self.database.run(f"CREATE INDEX ON a USING {index}")
        self.database.run("ANALYZE a")

    def nearest(self) -> list[str]:
        with self.database.connect() as session:
            found = session.execute(f"SELECT person FROM a ORDER BY embedding <-> '{EMBEDDING}' LIMIT 3")
            return [person for (person,) in found]


EMBEDDING = "[1234.5,6.5,7.5,8.5]"
INDEXES = [
    "btree (person)",
    "hash (person)",
    "gin (to_tsvector('simple', text))",
    "brin (person)",
    "hnsw (embedding vector_l2_ops)",
    "ivfflat (embedding vector_l2_ops) WITH (lists = 4)",
]


@pytest.fixture
def posts(database: Postgres) -> Iterator[VectorGround]:
    ground = VectorGround(database)
    ground.fill()
    yield ground
    database.run("DROP TABLE IF EXISTS a, heed_removals")


def traces(ground: PostgresGround) -> dict[str, list[str]]:
    """Which files hold the key, a word of the text, and the vector."""
    needles = {"key": ALICE.encode(), "text": b"quagmire", "vector": VECTOR}
    return {name: ground.database.bytes_with(needle, "a") for name, needle in needles.items()}


def test_a_person_is_in_the_table_and_in_its_indexes_until_it_is_purged(posts: VectorGround) -> None:
    before = traces(posts)
    assert {"a", "a_person_idx"} <= set(before["key"])
    assert {"a", "a_to_tsvector_idx"} <= set(before["text"])
    assert {"a", "a_embedding_idx", "a_embedding_idx1"} <= set(before["vector"])
    assert ALICE in posts.nearest()
    connector = posts.connector()
    remove(connector, {ALICE})
    assert ALICE not in posts.nearest()
    assert traces(posts)["key"]
    found = connector.residue({ALICE}, **AT_ONCE)
    assert Trace("a", "dead_rows") in found.found
    connector.purge(**AT_ONCE)
    left = traces(posts)
    assert [one for where in left.values() for one in where if one != "a"] == []
    assert not [one for one in connector.residue({ALICE}, **AT_ONCE).found if one.place != "a"]


def test_a_purge_that_may_rewrite_the_table_leaves_nothing(posts: VectorGround) -> None:
    posts.options["rewrite"] = True
    connector = posts.connector()
    remove(connector, {ALICE})
    connector.purge(**AT_ONCE)
    assert traces(posts) == {"key": [], "text": [], "vector": []}
    residue = connector.residue({ALICE}, **AT_ONCE)
    assert residue.found == ()
    assert residue.looked_at > len(INDEXES)
    assert "write_ahead_log" in residue.unreachable
    assert posts.nearest()
    assert posts.database.run("SELECT count(*) FROM a") == [(400,)]


def test_statistics_that_quote_the_key_are_made_anew(posts: VectorGround) -> None:
    query = "SELECT count(*) FROM pg_stats WHERE tablename = 'a' AND most_common_vals::text LIKE %s"
    assert posts.database.run(query, f"%{ALICE}%") == [(1,)]
    connector = posts.connector()
    remove(connector, {ALICE})
    connector.purge(**AT_ONCE)
    assert posts.database.run(query, f"%{ALICE}%") == [(0,)]


def test_rows_that_an_older_transaction_may_still_see_stay_and_are_told(posts: VectorGround) -> None:
    connector = posts.connector()
    with posts.database.connect() as other:
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT count(*) FROM a")
        remove(connector, {ALICE})
        posts.options["reindex"] = False
        posts.connector().purge(**AT_ONCE)
        residue = connector.residue({ALICE}, **AT_ONCE)
        assert Trace("a", "dead_rows") in residue.found
        assert any("older transaction" in one for one in residue.unreachable)
        other.execute("COMMIT")
    posts.options["rewrite"] = True
    posts.connector().purge(**AT_ONCE)
    assert connector.residue({ALICE}, **AT_ONCE).found == ()


@pytest.fixture
def role(posts: VectorGround) -> Iterator[str]:
    """A role with no more than it needs, which Heed connects with."""
    name, database = f"heed_{secrets.token_hex(4)}", posts.database
    database.run(f"CREATE ROLE {name} LOGIN; GRANT SELECT, DELETE, MAINTAIN ON a TO {name}")
    database.run(f"GRANT CREATE, USAGE ON SCHEMA public TO {name}")
    was, database.login = database.login, name
    yield name
    database.login = was
    database.run(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_a_role_that_may_not_read_files_says_so_and_purges_all_the_same(posts: VectorGround, role: str) -> None:
    posts.options["rewrite"] = True
    connector = posts.connector()
    remove(connector, {ALICE})
    connector.purge(**AT_ONCE)
    assert traces(posts) == {"key": [], "text": [], "vector": []}
    residue = connector.residue({ALICE}, **AT_ONCE)
    assert (residue.looked_at, residue.found) == (0, ())
    assert any("may not read" in one for one in residue.unreachable)


def test_a_role_that_sees_no_sessions_of_others_does_not_take_dead_rows_for_gone(
    posts: VectorGround, role: str
) -> None:
    posts.options["reindex"] = False
    connector = posts.connector()
    with posts.database.connect() as other:
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT count(*) FROM a")
        remove(connector, {ALICE})
        connector.purge(**AT_ONCE)
        assert Trace("a", "dead_rows") in connector.residue({ALICE}, **AT_ONCE).found
        other.execute("COMMIT")
    connector.purge(**AT_ONCE)
    assert connector.residue({ALICE}, **AT_ONCE).found == ()


def test_a_table_in_parts_is_cleaned_in_all_of_them(database: Postgres) -> None:
    database.run("CREATE TABLE a (person text, text text) PARTITION BY LIST (text)")
    database.run("CREATE TABLE a_one PARTITION OF a FOR VALUES IN ('one')")
    database.run("CREATE TABLE a_two PARTITION OF a FOR VALUES IN ('two'); CREATE INDEX ON a (person)")
    database.run("INSERT INTO a VALUES ('m_alice', 'one'), ('m_bob', 'one'), ('m_alice', 'two'), ('m_bob', 'two')")
    connector = PostgresGround(database, rewrite=True).connector()
    assert connector.describe().rows == 4
    (staged,) = remove(connector, {ALICE})
    assert staged.rows_removed == 2
    assert connector.residue({ALICE}, **AT_ONCE).found
    connector.purge(**AT_ONCE)
    assert connector.residue({ALICE}, **AT_ONCE).found == ()
    assert [database.bytes_with(ALICE.encode(), part) for part in ("a_one", "a_two")] == [[], []]
    database.run("DROP TABLE a, heed_removals")


def test_a_longer_key_that_begins_alike_is_not_taken_for_it(posts: VectorGround) -> None:
    assert posts.connector().residue({"m_3"}, **AT_ONCE).found
    posts.options["rewrite"] = True
    connector = posts.connector()
    remove(connector, {"m_3"})
    connector.purge(**AT_ONCE)
    assert posts.database.bytes_with(b"m_33", "a")
    assert connector.residue({"m_3"}, **AT_ONCE).found == ()


def test_purging_where_nothing_was_removed_does_nothing(posts: VectorGround) -> None:
    before = posts.database.run("SELECT pg_relation_filepath('a_person_idx')")
    posts.connector().purge(**AT_ONCE)
    assert posts.database.run("SELECT pg_relation_filepath('a_person_idx')") == before


def test_rows_that_are_still_read_are_residue(posts: VectorGround) -> None:
    assert Trace("a", "old_version") in posts.connector().residue({ALICE}, **AT_ONCE).found


def test_what_broken_off_rebuilding_left_is_dropped(posts: VectorGround) -> None:
    posts.database.run("CREATE INDEX a_person_idx_ccnew ON a (person)")
    posts.database.run("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'a_person_idx_ccnew'::regclass")
    connector = posts.connector()
    remove(connector, {ALICE})
    connector.purge(**AT_ONCE)
    assert posts.database.run("SELECT 1 FROM pg_class WHERE relname ~ '_cc(new|old)'") == []


def test_a_table_without_vectors_is_another_kind(database: Postgres) -> None:
    ground = VectorGround(database)
    ground.put("a", POSTS)
    with pytest.raises(Exception, match="sql_table") as refused:
        ground.connector().describe()
    assert getattr(refused.value, "code", "") == "vectors_missing"
    database.run("DROP TABLE a")


def test_a_file_of_sqlite_holds_nothing_of_a_removed_person(tmp_path: Path) -> None:
    ground = SqliteGround(tmp_path / "posts.db")
    ground.run("PRAGMA journal_mode = WAL")
    ground.run("CREATE TABLE a (person text, text text)")
    ground.run("CREATE INDEX by_person ON a (person)")
    for number in range(300):
        ground.run("INSERT INTO a VALUES (?, ?)", ALICE if number % 3 else BOB, TEXT if number % 3 else "line")
    connector = ground.connector()
    assert searched(tmp_path, ALICE) != []
    remove(connector, {ALICE})
    connector.purge(**AT_ONCE)
    assert searched(tmp_path, ALICE) == searched(tmp_path, "quagmire") == []
    assert connector.residue({ALICE}, **AT_ONCE).found == ()
    assert Trace("a", "old_version") in connector.residue({BOB}, **AT_ONCE).found


def searched(folder: Path, word: str) -> list[str]:
    return [path.name for path in folder.iterdir() if word.encode() in path.read_bytes()]


def test_a_persons_rows_hold_their_vectors(posts: VectorGround) -> None:
    posts.database.run("ALTER TABLE a ADD half halfvec(2) DEFAULT '[0.5,2]', ADD none vector(2)")
    connector = posts.connector()
    assert isinstance(connector, ReadsRows)
    rows = [row.values for row in connector.rows({ALICE})]
    assert [row["embedding"] for row in rows] == [[1234.5, 6.5, 7.5, 8.5]] * 2
    assert (rows[0]["half"], rows[0]["none"], rows[0]["text"]) == ([0.5, 2.0], None, TEXT)
