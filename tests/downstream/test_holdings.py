"""What the datasets hold of one person, and why it cannot be told where it cannot."""

from pathlib import Path
from typing import Any

import pytest

from consents.models import Subject
from downstream import holdings, registry
from downstream.connectors import parquet_folder
from downstream.models import Dataset, KeyHash
from tests.conftest import AT, BY, dataset_of, write_parquet
from tests.downstream.test_naming import folder_of, registration

pytestmark = pytest.mark.django_db


def posts(folder: Path, *people: str | None, slug: str = "posts") -> Dataset:
    texts = [f"of {person}" for person in people]
    return dataset_of(write_parquet(folder, {"author": list(people), "text": texts}), slug=slug)


def held(subject: Subject) -> dict[str, tuple[list[dict[str, Any]], list[str]]]:
    """Rows and codes by dataset, once everything was read."""
    told = {}
    for one in holdings.of_person(subject_id=subject.pk):
        rows = [row.values for row in one.rows]
        told[one.dataset.slug] = (rows, [problem.code for problem in one.problems])
    return told


def counted(subject: Subject) -> dict[str, tuple[int, str]]:
    found = holdings.count(subject_id=subject.pk)
    return {one.dataset.slug: (one.rows, one.problem.code if one.problem else "") for one in found}


def test_a_persons_rows_are_told_dataset_by_dataset(alice: Subject, charlie: Subject, tmp_path: Path) -> None:
    posts(tmp_path / "a", "m_alice", "m_charlie", "m_alice", None)
    posts(tmp_path / "b", "m_charlie", slug="more")
    row = {"author": "m_alice", "text": "of m_alice"}
    assert held(alice) == {"posts": ([row, row], []), "more": ([], [])}
    assert counted(alice) == {"posts": (2, ""), "more": (0, "")}
    assert held(charlie)["more"] == ([{"author": "m_charlie", "text": "of m_charlie"}], [])


def test_what_a_dataset_is_stands_beside_its_rows(alice: Subject, tmp_path: Path) -> None:
    posts(tmp_path / "a", "m_alice")
    (one,) = holdings.of_person(subject_id=alice.pk)
    assert (one.dataset.public_name, one.dataset.owner.name, one.dataset.purposes) == (
        "Posts",
        "Linkwell",
        ["ai-training"],
    )


def test_nothing_is_read_before_it_is_asked_for(
    alice: Subject, tmp_path: Path, django_assert_max_num_queries: Any
) -> None:
    folder = tmp_path / "a"
    posts(folder, "m_alice")
    with django_assert_max_num_queries(2):
        (one,) = holdings.of_person(subject_id=alice.pk)
    assert one.code == ""
    (folder / "part-0.parquet").unlink()
    assert list(one.rows) == []
    assert one.code == "dataset_empty"


def test_hashed_keys_name_the_person_too(alice: Subject, charlie: Subject, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, KeyHash.HMAC, "m_alice", "m_charlie", "m_alice")
    registry.register(registration=registration(folder, KeyHash.HMAC), by=BY, at=AT)
    ((rows, codes),) = held(alice).values()
    assert (len(rows), codes) == (2, [])
    assert list(counted(alice).values()) == [(2, "")]


def test_a_dataset_that_calls_people_otherwise_is_a_gap(alice: Subject, tmp_path: Path) -> None:
    folder = write_parquet(tmp_path / "a", {"author": ["+15550100"], "text": ["x"]})
    registry.register(registration=registration(folder, scheme="phone"), by=BY, at=AT)
    (one,) = holdings.of_person(subject_id=alice.pk)
    assert (one.code, list(one.rows)) == (holdings.GAP, [])
    assert "alice" not in one.problems[0].message
    assert list(counted(alice).values()) == [(0, holdings.GAP)]


def test_whoever_holds_it_has_to_be_asked(alice: Subject, tmp_path: Path) -> None:
    dataset = posts(tmp_path / "a", "m_alice")
    Dataset.objects.filter(pk=dataset.pk).update(kind="pull")
    assert held(alice) == {"posts": ([], [holdings.REMOTE])}
    assert counted(alice) == {"posts": (0, holdings.REMOTE)}


def test_retired_datasets_are_left_out(alice: Subject, tmp_path: Path) -> None:
    dataset = posts(tmp_path / "a", "m_alice")
    Dataset.objects.filter(pk=dataset.pk).update(retired_at=AT)
    assert (held(alice), counted(alice)) == ({}, {})


def test_a_file_that_cannot_be_read_hides_no_other(alice: Subject, tmp_path: Path) -> None:
    folder = tmp_path / "a"
    posts(folder, "m_alice")
    posts(tmp_path / "b", "m_alice", slug="other")
    (folder / "part-1.parquet").write_bytes(b"not what it was")
    rows, codes = held(alice)["posts"]
    assert (len(rows), codes) == (1, ["not_parquet"])
    assert held(alice)["other"] == ([{"author": "m_alice", "text": "of m_alice"}], [])
    assert counted(alice) == {"posts": (1, "not_parquet"), "other": (1, "")}


def test_an_error_that_nobody_foresaw_names_no_one(
    alice: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts(tmp_path / "a", "m_alice")

    def fails(*arguments: Any) -> None:
        raise ZeroDivisionError("m_alice")

    monkeypatch.setattr(parquet_folder, "connect", fails)
    (one,) = holdings.of_person(subject_id=alice.pk)
    assert (one.code, list(one.rows)) == ("unexpected", [])
    assert "m_alice" not in one.problems[0].message
    assert counted(alice) == {"posts": (0, "unexpected")}


def test_what_is_printed_shows_no_row(alice: Subject, tmp_path: Path) -> None:
    posts(tmp_path / "a", "m_alice")
    (one,) = holdings.of_person(subject_id=alice.pk)
    assert "m_alice" not in repr(one) + repr(next(one.rows))
