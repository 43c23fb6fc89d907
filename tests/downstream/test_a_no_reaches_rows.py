"""A no reaches tables: of a database, of vectors in one, and of Lance, through the whole run of a worker."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import lance
import lancedb
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from consents.models import Subject
from consents.vocabulary import Action
from downstream import registry
from downstream.models import Dataset
from downstream.propagation_states import Status
from portal.models import AuditEntry
from tests.downstream.acting import removed, run_all, say
from tests.downstream.connectors.databases import Postgres, postgres
from tests.downstream.connectors.lance_grounds import places

PEOPLE = ["m_alice", "m_charlie", "m_alice", "m_nobody", None]
FAR = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def database(transactional_db: None) -> Iterator[Postgres]:
    with postgres() as one:
        one.run("CREATE EXTENSION vector")
        yield one


def register(slug: str, location: str, kind: str, **options: str) -> Dataset:
    arguments = [f"--option={name}={value}" for name, value in options.items()]
    call_command(
        "register_dataset", slug, location, "--kind", kind, "--key-column", "author", "--purpose", "ai-training",
        "--owner", "linkwell", *arguments, stdout=StringIO(),
    )  # fmt: skip
    return Dataset.objects.get(slug=slug)


def filled(database: Postgres) -> None:
    database.run("CREATE TABLE posts (author text, body text, embedding vector(2))")
    for number, person in enumerate(PEOPLE):
        database.run("INSERT INTO posts VALUES (%s, %s, %s)", person, f"post {number}", f"[{number},1]")
    database.run("CREATE INDEX ON posts USING hnsw (embedding vector_l2_ops)")


def in_lance(folder: Path) -> list[dict[str, Any]]:
    rows = [{"author": one, "body": f"post {n}", "vector": [float(n), 1.0]} for n, one in enumerate(PEOPLE)]
    lancedb.connect(str(folder)).create_table("posts", rows)
    return rows


def check_arrived(dataset: Dataset, alice: Subject, read: Callable[[], list[str | None]]) -> None:
    run_all()
    say(alice, Action.DENY)
    assert run_all() == [True]
    assert [one for one in read() if one == "m_alice"] == []
    assert len(read()) == 3
    assert removed(alice) == [2]
    dataset.refresh_from_db()
    assert dataset.row_count == 3
    assert set(dataset.propagations.values_list("status", flat=True)) == {Status.VERIFIED}


@pytest.mark.parametrize("kind", ["sql_table", "pgvector_table"])
def test_a_no_reaches_a_table_of_a_database(database: Postgres, alice: Subject, charlie: Subject, kind: str) -> None:
    filled(database)
    dataset = register("posts", database.url, kind, table="posts")
    assert dataset.location.endswith("#public.posts")

    def read() -> list[str | None]:
        return [row[0] for row in database.run("SELECT author FROM posts ORDER BY embedding <-> '[0,1]'")]

    check_arrived(dataset, alice, read)
    connector = registry.connect(dataset)
    connector.purge(retention=None, at=FAR)
    assert "m_alice" not in str(AuditEntry.objects.values_list("details", flat=True))


def test_a_no_reaches_what_retrieval_answers_from(
    transactional_db: None, alice: Subject, charlie: Subject, tmp_path: Path
) -> None:
    in_lance(tmp_path)
    place = tmp_path / "posts.lance"
    dataset = register("posts", str(place), "lance_table")

    def read() -> list[str | None]:
        found = lancedb.connect(str(tmp_path)).open_table("posts").search([0.0, 1.0]).limit(10).to_list()
        return [row["author"] for row in found]

    check_arrived(dataset, alice, read)
    assert places(place, text="m_alice")
    registry.connect(dataset).purge(retention=timedelta(), at=FAR)
    assert places(place, text="m_alice") == []
    assert lance.dataset(str(place)).count_rows() == 3


def test_one_table_is_registered_once(database: Postgres, alice: Subject) -> None:
    filled(database)
    register("posts", database.url, "sql_table", table="posts")
    with pytest.raises(CommandError, match="registered already"):
        register("again", database.url, "sql_table", table="posts", schema="public")
