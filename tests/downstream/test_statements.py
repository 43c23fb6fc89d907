"""What a dataset's rows say themselves: read, kept with the time, and a warning while rows that say no are there."""

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from django.core.management import CommandError, call_command

from consents import amendments, subjects
from consents.vocabulary import Action
from downstream import propagation, registry, statements
from downstream.connectors import memory
from downstream.connectors.base import ConnectorError
from downstream.models import Dataset
from downstream.registry import Registration
from downstream.statements import NoStatements, Summary
from portal import clock
from portal.models import AuditEntry, User
from tests.conftest import AT, BY, SignIn, dataset_of, person, sequenced, write_parquet
from tests.consents.asking import say

ROWS: dict[str, list[object]] = {
    "author": ["m_alice", "m_alice", "m_bob", "m_bob", None, "m_charlie", "m_charlie"],
    "usage": ["train-ai=n", "train-ai=y", "train-ai=y, search=n", None, "", "train-ai=?1", "m_charlie@example.org"],
    "tdm": [None, 0, 1, None, None, None, None],
}


def registration(folder: Path, **changes: Any) -> Registration:
    described: dict[str, Any] = {
        "slug": "posts",
        "name": "Posts",
        "owner": "linkwell",
        "purposes": ("ai-training",),
        "location": str(folder),
        "key_column": "author",
        "key_scheme": "account",
        "content_usage_column": "usage",
        "tdm_reservation_column": "tdm",
    }
    return Registration(**described | changes)


@pytest.fixture
def posts(world: None, tmp_path: Path) -> Dataset:
    folder = write_parquet(tmp_path / "posts", ROWS)
    return registry.register(registration=registration(folder), by=BY, at=AT)


def read(dataset: Dataset) -> Summary:
    return statements.read(dataset=dataset, by=BY, at=AT)


def test_rows_are_counted_by_what_they_say(posts: Dataset) -> None:
    found = read(posts)
    assert (found.rows, found.disallowed, found.allowed, found.silent, found.unknown) == (7, 2, 1, 2, 2)
    assert found.values == {
        "says nothing": 2,
        "cannot be read": 2,
        "train-ai=n": 1,
        "train-ai=y · tdm-reservation: 0": 1,
        "train-ai=y · tdm-reservation: 1": 1,
    }


def test_what_was_found_is_kept_with_the_time_and_audited(posts: Dataset) -> None:
    read(posts)
    posts.refresh_from_db()
    assert (posts.row_statements["disallowed"], posts.statements_read_at) == (2, AT)
    entry = AuditEntry.objects.get(action="dataset.read_statements")
    assert (entry.object_id, entry.details["unknown"]) == ("posts", 2)


def test_what_rows_spell_is_kept_nowhere(posts: Dataset) -> None:
    read(posts)
    posts.refresh_from_db()
    kept = f"{posts.row_statements} {list(AuditEntry.objects.values_list('details', flat=True))}"
    assert "example.org" not in kept


def test_rows_that_say_no_though_their_author_said_yes_are_told(posts: Dataset) -> None:
    alice, bob = person("alice"), person("bob")
    say(alice, Action.GRANT)
    say(bob, Action.GRANT, "marketing")
    assert read(posts).disallowed_of_yes == 1
    say(bob, Action.GRANT, recipient="linkwell")
    assert read(posts).disallowed_of_yes == 2
    say(alice, Action.DENY)
    assert read(posts).disallowed_of_yes == 1


def test_rows_of_people_of_two_names_are_told(posts: Dataset) -> None:
    alice = person("alice")
    amendments.link(subject=alice, names=[subjects.name("account", "m_bob")], by=BY, at=AT)
    say(alice, Action.GRANT)
    assert read(posts).disallowed_of_yes == 2


def test_one_column_is_enough(world: None, tmp_path: Path) -> None:
    folder = write_parquet(tmp_path / "posts", ROWS)
    only = registry.register(registration=registration(folder, content_usage_column=""), by=BY, at=AT)
    found = read(only)
    assert (found.disallowed, found.allowed, found.silent) == (1, 1, 5)
    assert only.options == {"tdm_reservation_column": "tdm"}


def test_a_dataset_without_such_columns_has_nothing_to_read(world: None, tmp_path: Path) -> None:
    plain = dataset_of(write_parquet(tmp_path / "plain", ROWS), slug="plain")
    with pytest.raises(NoStatements):
        read(plain)
    statements.refresh(dataset=plain, at=AT)
    assert (plain.row_statements, plain.statements_read_at) == ({}, None)


@pytest.mark.parametrize("column", ["missing", "Usage"])
def test_a_column_that_is_not_there_is_refused_at_registration(world: None, tmp_path: Path, column: str) -> None:
    folder = write_parquet(tmp_path / "posts", ROWS)
    with pytest.raises(ConnectorError) as refused:
        registry.register(registration=registration(folder, content_usage_column=column), by=BY, at=AT)
    assert refused.value.code == "statement_column_missing"
    assert not Dataset.objects.exists()


def test_one_column_cannot_be_both(world: None, tmp_path: Path) -> None:
    folder = write_parquet(tmp_path / "posts", ROWS)
    with pytest.raises(ConnectorError, match="two columns"):
        registry.check(registration(folder, tdm_reservation_column="usage"))


def test_a_dataset_that_cannot_be_read_says_so(posts: Dataset, tmp_path: Path) -> None:
    (tmp_path / "posts" / "part-0.parquet").write_bytes(b"PAR1 not")
    statements.refresh(dataset=posts, at=AT)
    posts.refresh_from_db()
    assert posts.row_statements["failed"]
    assert posts.statements_read_at == AT
    assert statements.still_there(posts) == 0


def test_only_a_dataset_that_serves_training_is_warned_of(posts: Dataset) -> None:
    read(posts)
    assert statements.still_there(posts) == 2
    posts.purposes = ["ai-training/affiliates", "marketing"]
    assert statements.still_there(posts) == 2
    posts.purposes = ["marketing"]
    assert statements.still_there(posts) == 0


def test_the_double_in_memory_counts_the_same(posts: Dataset) -> None:
    memory.PLACES.clear()
    table = pa.table(ROWS)
    memory.PLACES.setdefault("here", memory.Place()).put("a", table.slice(0, 3))
    memory.PLACES["here"].put("b", table.slice(3))
    double = Dataset.objects.get(pk=posts.pk)
    double.pk, double.slug, double.kind, double.location = None, "double", "memory", "here"
    double.save()
    assert read(double) == read(posts)
    memory.PLACES.clear()


@pytest.mark.django_db(transaction=True)
def test_after_a_verified_propagation_they_are_read_again(posts: Dataset) -> None:
    alice = person("alice")
    say(alice, Action.DENY)
    sequenced()
    [run] = propagation.plan(at=AT)
    assert propagation.carry_out(propagation_id=run.pk, holder="h", clock=lambda: AT)
    posts.refresh_from_db()
    assert (posts.row_statements["rows"], posts.row_statements["disallowed"]) == (5, 1)
    assert posts.statements_read_at == AT


def test_the_command_reads_and_warns(posts: Dataset) -> None:
    out, err = io.StringIO(), io.StringIO()
    call_command("read_signals", "posts", stdout=out, stderr=err)
    assert "7 rows: 2 say no to training, 0 of them of people who said yes" in out.getvalue()
    assert "2 rows say no by themselves and are still there." in err.getvalue()
    posts.refresh_from_db()
    assert posts.statements_read_at


def test_the_command_refuses_what_it_cannot_read(world: None, tmp_path: Path) -> None:
    dataset_of(write_parquet(tmp_path / "plain", ROWS), slug="plain")
    with pytest.raises(CommandError, match="names no column"):
        call_command("read_signals", "plain")
    with pytest.raises(CommandError, match="No dataset is registered"):
        call_command("read_signals", "nothing")


def test_registering_by_command_reads_them_at_once(world: None, tmp_path: Path) -> None:
    folder = write_parquet(tmp_path / "posts", ROWS)
    named = ["--key-column", "author", "--owner", "linkwell", "--purpose", "ai-training"]
    columns = ["--content-usage-column", "usage", "--tdm-reservation-column", "tdm"]
    call_command("register_dataset", "posts", str(folder), *named, *columns, stdout=io.StringIO())
    assert Dataset.objects.get().row_statements["disallowed"] == 2


def test_staff_see_the_warning_and_the_counts(posts: Dataset, bob: User, signed_in: SignIn) -> None:
    browser = signed_in(bob)
    address = f"/admin/downstream/dataset/{posts.pk}/change/"
    assert "not read" in browser.get(address).content.decode()
    statements.read(dataset=posts, by=BY, at=clock.now())
    for page in (browser.get(address), browser.get("/admin/downstream/dataset/")):
        assert "2 rows say no by themselves and are still there" in page.content.decode()
    page = browser.get(address).content.decode()
    assert "train-ai=y · tdm-reservation: 1" in page
    assert "of people who said yes to us" in page


def test_staff_see_why_it_could_not_be_read(posts: Dataset, tmp_path: Path, bob: User, signed_in: SignIn) -> None:
    (tmp_path / "posts" / "part-0.parquet").write_bytes(b"PAR1 not")
    statements.refresh(dataset=posts, at=AT)
    page = signed_in(bob).get(f"/admin/downstream/dataset/{posts.pk}/change/").content.decode()
    assert "part-0.parquet has no end" in page
