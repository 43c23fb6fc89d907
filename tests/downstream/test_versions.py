"""Versions: each run makes one, each look that finds something, and what changed between two is told."""

from dataclasses import replace
from pathlib import Path

import pytest
from django.db import DatabaseError, transaction

from consents.models import Subject
from consents.vocabulary import Action
from downstream import registry, version_units, versions
from downstream.models import Dataset, DatasetVersion, Propagation
from downstream.stores.folders import sha256
from downstream.versions import Origin, VersionError
from portal.errors import NotFound
from tests.conftest import AT, dataset_of, sequenced, write_parquet
from tests.downstream.acting import LATER, run_all, say

pytestmark = pytest.mark.django_db(transaction=True)


def numbers(dataset: Dataset) -> list[tuple[int, str, int, int]]:
    """Number, origin, position and rows of each version, the oldest first."""
    every = dataset.versions.order_by("number")
    return list(every.values_list("number", "origin", "position", "rows"))


def test_registering_makes_the_first_and_says_that_nothing_is_verified(alice: Subject, tmp_path: Path) -> None:
    dataset = dataset_of(write_parquet(tmp_path / "posts", {"author": ["m_alice"], "text": ["a"]}))
    assert numbers(dataset) == [(1, Origin.REGISTERED, 0, 1)]
    (version,) = dataset.versions.all()
    assert (version.parent, version.propagation_id, version.has_arrivals) == (None, None, False)
    assert [(one["name"], one["kind"]) for one in version.columns] == [("author", "text"), ("text", "text")]
    assert version.manifest_digest == registry.connect(dataset).manifest().digest


def test_a_verified_run_makes_one_with_its_position_and_parent(posts: Dataset, alice: Subject) -> None:
    head = say(alice, Action.DENY)
    run_all()
    assert numbers(posts) == [(1, Origin.REGISTERED, 0, 5), (2, Origin.PROPAGATED, head, 3)]
    second = versions.get(posts, 2)
    run = Propagation.objects.get()
    assert (second.propagation_id, second.manifest_digest) == (run.pk, run.digest_after)
    assert second.parent == versions.get(posts, 1)
    assert second.manifest_digest != versions.get(posts, 1).manifest_digest


def test_where_nothing_was_found_the_digest_stays_and_the_position_moves(posts: Dataset, grace: Subject) -> None:
    head = say(grace, Action.DENY)
    run_all()
    first, second = versions.get(posts, 1), versions.get(posts, 2)
    assert second.manifest_digest == first.manifest_digest
    assert (first.position, second.position) == (0, head)


def test_the_newest_version_is_verified_as_far_as_its_dataset(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY)
    run_all()
    second = versions.get(posts, 2)
    head = say(alice, Action.GRANT, at=LATER.replace(hour=15))
    run_all()
    posts.refresh_from_db()
    # nobody had to go: no run, no version
    assert (posts.position, versions.newest(posts)) == (head, second)
    assert versions.verified_up_to(versions.get(posts, 2)) == head
    assert versions.verified_up_to(versions.get(posts, 1)) == 0


def test_files_that_a_run_wrote_are_known_by_their_sum(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY)
    run_all()
    (unit,) = (version_units.of(versions.get(posts, 2)) or {}).values()
    assert unit.sha256 == sha256(Path(posts.location) / "part-0.parquet")
    (before,) = (version_units.of(versions.get(posts, 1)) or {}).values()
    assert before.sha256 == ""


def test_what_changed_is_told_by_file_with_rows_and_runs(posts: Dataset, alice: Subject, charlie: Subject) -> None:
    write_parquet(Path(posts.location), {"author": ["m_other"], "text": ["o"]}, name="part-1.parquet")
    say(alice, Action.DENY)
    run_all()
    Path(posts.location, "part-1.parquet").unlink()
    say(charlie, Action.DENY)
    run_all()
    found = versions.changes(versions.get(posts, 1), versions.get(posts, 3))
    assert found.units is not None
    (unit,) = found.units
    assert (unit.name, unit.kind) == ("part-0.parquet", "rewritten")
    assert unit.before is not None
    assert unit.after is not None
    assert (unit.before.rows, unit.after.rows, found.rows_removed) == (5, 2, 3)
    assert len(found.runs) == 2
    between = versions.changes(versions.get(posts, 2), versions.get(posts, 3))
    assert [(one.name, one.kind) for one in between.units or ()] == [
        ("part-0.parquet", "rewritten"),
        ("part-1.parquet", "removed"),
    ]
    first = versions.changes(versions.get(posts, 1), versions.get(posts, 2))
    assert [(one.name, one.kind) for one in first.units or ()][1] == ("part-1.parquet", "added")


def test_a_version_compared_with_itself_differs_in_nothing(posts: Dataset) -> None:
    same = versions.changes(versions.get(posts, 1), versions.get(posts, 1))
    assert (same.units, same.rows_removed, same.runs) == ([], 0, [])


def test_versions_are_compared_from_the_earlier_to_the_later(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY)
    run_all()
    with pytest.raises(VersionError, match="earlier"):
        versions.changes(versions.get(posts, 2), versions.get(posts, 1))
    with pytest.raises(NotFound):
        versions.get(posts, 3)


def test_a_version_is_written_once(posts: Dataset) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        DatasetVersion.objects.update(position=99)
    with pytest.raises(DatabaseError), transaction.atomic():
        DatasetVersion.objects.all().delete()


def test_a_look_at_what_has_not_changed_makes_none(posts: Dataset) -> None:
    manifest = registry.connect(posts).manifest()
    assert versions.notice(dataset=posts, manifest=manifest, at=LATER) is None


def test_a_store_without_units_is_compared_by_its_digest(posts: Dataset) -> None:
    manifest = replace(registry.connect(posts).manifest(), units=())
    assert versions.notice(dataset=posts, manifest=manifest, at=LATER) is None
    noticed = versions.notice(dataset=posts, manifest=replace(manifest, digest="0" * 64), at=LATER)
    assert noticed is not None
    assert (noticed.has_arrivals, noticed.position) == (True, 0)
    assert versions.changes(versions.get(posts, 1), noticed).units is None


def test_people_taken_out_are_counted_once_and_up_to_a_version(
    posts: Dataset, alice: Subject, charlie: Subject, grace: Subject
) -> None:
    for who, at in ((alice, LATER), (grace, LATER.replace(hour=14)), (charlie, LATER.replace(hour=15))):
        say(who, Action.DENY, at=at)
        run_all(at=at)
    assert [versions.people_taken_out(one) for one in posts.versions.order_by("number")] == [0, 1, 1, 2]


def test_a_dataset_from_before_versions_is_looked_through_once(posts: Dataset, alice: Subject) -> None:
    # what an installation has that was upgraded
    bare = Dataset.objects.create(
        slug="old",
        name="Old",
        public_name="Old",
        owner_id="linkwell",
        purposes=["ai-training"],
        kind="parquet_folder",
        location=str(write_parquet(Path(posts.location).with_name("old"), {"author": ["m_alice"], "text": ["a"]})),
        key_column="author",
        key_scheme="account",
        position=sequenced(),
        registered_at=AT,
    )
    version = versions.notice(dataset=bare, manifest=registry.connect(bare).manifest(), at=LATER)
    assert version is not None
    assert (version.number, version.has_arrivals, version.position) == (1, True, 0)
