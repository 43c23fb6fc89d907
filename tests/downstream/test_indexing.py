"""Runs look by a dataset's index, say so, and look whole again every week."""

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from consents.models import Subject
from consents.vocabulary import Action
from downstream import indexing, registry
from downstream.connectors.base import Indexed
from downstream.models import Dataset, Propagation, RemovalReceipt
from portal.models import User
from tests.conftest import AT, dataset_of, sequenced, write_parquet
from tests.downstream.acting import LATER, run_all, say

pytestmark = pytest.mark.django_db(transaction=True)
FILES = 9


@pytest.fixture
def posts(alice: Subject, charlie: Subject, tmp_path: Path, settings: Any) -> Dataset:
    """As many files as an index is worth, in which Alice is once and Charlie twice; verified up to date."""
    settings.SUBJECT_INDEX_DIR = tmp_path / "index"
    for number in range(FILES):
        who = {0: "m_alice", 1: "m_charlie", 2: "m_charlie"}.get(number, "m_nobody")
        write_parquet(tmp_path / "posts", {"author": [who, "m_nobody"]}, name=f"{number}.parquet")
    dataset = dataset_of(tmp_path / "posts")
    # until times tell every further change
    time.sleep(0.06)
    sequenced()
    say(alice, Action.GRANT)
    run_all()
    return dataset


def removal(subject: Subject, *, action: Action = Action.DENY, at: Any = LATER) -> Propagation:
    say(subject, action, at=at)
    assert run_all(at=at) == [True]
    return Propagation.objects.latest("to_position")


def segments(settings: Any) -> list[Path]:
    return sorted(settings.SUBJECT_INDEX_DIR.glob("*/*.segment"))


def test_the_first_run_reads_everything_and_later_ones_what_changed(
    posts: Dataset, alice: Subject, charlie: Subject, settings: Any
) -> None:
    assert removal(alice).files_by_index == 0
    posts.refresh_from_db()
    assert posts.full_look_at == LATER
    assert len(segments(settings)) == FILES
    time.sleep(0.06)
    later = LATER + timedelta(hours=1)
    run = removal(charlie, at=later)
    # the two that lost Charlie were read again; the one that lost Alice shortly before may have been
    assert FILES - 3 <= run.files_by_index <= FILES - 2
    assert RemovalReceipt.objects.get(subject_id=charlie.pk).files_by_index == run.files_by_index
    assert RemovalReceipt.objects.get(subject_id=charlie.pk).rows_removed == 2
    posts.refresh_from_db()
    assert posts.full_look_at == LATER


def test_after_a_week_everything_is_read_again(posts: Dataset, alice: Subject, charlie: Subject, settings: Any) -> None:
    removal(alice)
    again = LATER + settings.FULL_LOOK_EVERY
    assert removal(charlie, at=again).files_by_index == 0
    posts.refresh_from_db()
    assert posts.full_look_at == again


@pytest.mark.parametrize(("days", "due"), [(0, False), (6, False), (7, True)])
def test_a_full_look_is_due_a_week_after_the_last(posts: Dataset, days: int, due: bool) -> None:
    posts.full_look_at = AT
    assert indexing.full_look_due(posts, at=AT + timedelta(days=days)) == due


def test_a_dataset_that_was_never_read_whole_is_due(posts: Dataset) -> None:
    posts.full_look_at = None
    assert indexing.full_look_due(posts, at=AT)


def test_rows_are_removed_whatever_becomes_of_the_index(
    posts: Dataset, alice: Subject, charlie: Subject, settings: Any
) -> None:
    removal(alice)
    for number, path in enumerate(segments(settings)):
        path.unlink() if number % 2 else path.write_bytes(path.read_bytes()[:50])
    removal(charlie, at=LATER + timedelta(hours=1))
    assert RemovalReceipt.objects.get(subject_id=charlie.pk).rows_removed == 2


def test_staff_see_what_was_read_again(
    posts: Dataset, alice: Subject, charlie: Subject, petra: User, signed_in: Any
) -> None:
    first = removal(alice)
    time.sleep(0.06)
    second = removal(charlie, at=LATER + timedelta(hours=1))
    browser: Client = signed_in(petra)
    pages = [browser.get(f"/admin/downstream/propagation/{run.pk}/change/").content.decode() for run in (first, second)]
    assert "every file" in pages[0]
    assert "every file but" not in pages[0]
    assert f"every file but {second.files_by_index}, unchanged since" in pages[1]
    receipt = RemovalReceipt.objects.get(subject_id=charlie.pk)
    page = browser.get(f"/admin/downstream/removalreceipt/{receipt.pk}/change/").content.decode()
    assert f"every file but {second.files_by_index}, unchanged since" in page


def test_two_datasets_hash_under_different_secrets(posts: Dataset, tmp_path: Path) -> None:
    other = dataset_of(write_parquet(tmp_path / "other", {"author": ["m_alice"]}), slug="other")
    places = [indexing._place(one, full_look_due=False) for one in (posts, other)]
    assert places[0].secret != places[1].secret
    assert places[0].folder != places[1].folder


def test_a_kind_without_an_index_is_left_alone(posts: Dataset) -> None:
    posts.kind = "memory"
    assert not isinstance(registry.connect(posts, at=AT), Indexed)


def test_the_command_makes_the_index_and_says_what_it_holds(
    posts: Dataset, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("index_dataset", "posts")
    assert f"{FILES} files in {FILES} row groups, {2 * FILES - 6} keys" in capsys.readouterr().out
    assert len(segments(settings)) == FILES
    call_command("index_dataset", "posts", "--rebuild")
    assert f"{FILES} files were read just now" in capsys.readouterr().out


def test_the_command_tells_of_files_that_it_cannot_read(posts: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    Path(posts.location, "0.parquet").write_bytes(b"nothing")
    call_command("index_dataset", "posts")
    assert "1 files could not be read or indexed" in capsys.readouterr().err


def test_the_command_says_that_a_small_dataset_needs_none(
    posts: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset_of(write_parquet(tmp_path / "small", {"author": ["m_alice"]}), slug="small")
    call_command("index_dataset", "small")
    assert "small has no index" in capsys.readouterr().out


def test_the_command_says_that_what_others_hold_is_not_ours_to_look_into(copy: Dataset) -> None:
    with pytest.raises(CommandError, match="Somebody else holds"):
        call_command("index_dataset", "copy")


def test_the_command_refuses_an_unknown_dataset(posts: Dataset) -> None:
    with pytest.raises(CommandError, match="No dataset nothing"):
        call_command("index_dataset", "nothing")


def test_the_command_tells_what_is_wrong_with_a_place(posts: Dataset) -> None:
    for path in Path(posts.location).iterdir():
        path.unlink()
    with pytest.raises(CommandError, match="no files"):
        call_command("index_dataset", "posts")
