"""Files that come in later: noticed, and looked through for everybody who must not be in them."""

import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consents import ledger, subjects
from consents.models import Partner, Subject
from consents.vocabulary import Action, Kind
from downstream import arrivals, propagation, registry, tasks, versions
from downstream.connectors import memory
from downstream.connectors.base import ConnectorError, TellsKeys
from downstream.connectors.file_folder import FileFolder
from downstream.models import Dataset, DatasetVersion, Propagation, RemovalReceipt, Unit
from downstream.propagation_states import Status
from downstream.versions import Origin
from tests.conftest import AT, BY, dataset_of, sequenced, write_parquet
from tests.downstream.acting import LATER, authors, carry_out, removed, run_all, say
from tests.downstream.copies import copy_at

pytestmark = pytest.mark.django_db(transaction=True)

AFTERWARDS = LATER + timedelta(hours=1)


def come_in(dataset: Dataset, *people: str, name: str = "part-9.parquet") -> None:
    """A file of one row of each."""
    write_parquet(Path(dataset.location), {"author": list(people), "text": ["new"] * len(people)}, name=name)


def noticed() -> list[tuple[int, bool, int]]:
    """Number, whether it holds what nobody looked through, and position of each version that a look makes."""
    return [(one.number, one.has_arrivals, one.position) for one in arrivals.look_around(at=AFTERWARDS)]


@pytest.fixture
def cleaned(posts: Dataset, alice: Subject) -> Dataset:
    """Alice said no a while ago, and left."""
    say(alice, Action.DENY)
    run_all()
    posts.refresh_from_db()
    assert "m_alice" not in authors(posts)
    return posts


def test_a_look_around_finds_nothing_where_nobody_changed_anything(cleaned: Dataset) -> None:
    assert noticed() == []


def test_a_person_who_left_before_leaves_a_file_that_comes_in_later(cleaned: Dataset, alice: Subject) -> None:
    come_in(cleaned, "m_alice", "m_charlie", "m_nobody")
    assert noticed() == [(3, True, 0)]
    position = cleaned.position
    (run,) = propagation.plan(at=AFTERWARDS)
    cleaned.refresh_from_db()
    assert (run.is_full, run.from_position, run.to_position, cleaned.position) == (True, position, position, position)
    assert carry_out(run, at=AFTERWARDS)
    assert "m_alice" not in authors(cleaned)
    assert sorted(filter(None, authors(cleaned))) == ["m_charlie", "m_charlie", "m_nobody", "m_nobody"]
    cleaned.refresh_from_db()
    assert cleaned.position == position
    newest = versions.newest(cleaned)
    assert newest is not None
    assert (newest.number, newest.origin, newest.has_arrivals, newest.position) == (
        4,
        Origin.PROPAGATED,
        False,
        position,
    )
    assert sorted(removed(alice)) == [1, 2]
    # only who was found there is a target, not everybody who ever said no
    assert list(run.targets.values_list("subject_id", flat=True)) == [alice.pk]
    assert noticed() == []
    assert propagation.plan(at=AFTERWARDS) == []


def test_a_file_that_others_rewrote_is_looked_through_too(cleaned: Dataset) -> None:
    come_in(cleaned, "m_alice", name="part-0.parquet")
    assert noticed() == [(3, True, 0)]
    assert run_all(at=AFTERWARDS) == [True]
    assert authors(cleaned) == []


def test_where_files_only_went_what_is_left_stays_verified(cleaned: Dataset) -> None:
    come_in(cleaned, "m_charlie")
    arrivals.look_around(at=AFTERWARDS)
    run_all(at=AFTERWARDS)
    Path(cleaned.location, "part-9.parquet").unlink()
    assert noticed() == [(5, False, cleaned.position)]
    assert propagation.plan(at=AFTERWARDS) == []


def test_a_look_leaves_datasets_alone_whose_run_is_open(cleaned: Dataset, charlie: Subject) -> None:
    say(charlie, Action.DENY)
    propagation.plan(at=LATER)
    come_in(cleaned, "m_alice")
    assert noticed() == []


def test_a_file_that_came_in_while_a_run_went_on_is_not_taken_for_looked_through(
    cleaned: Dataset, charlie: Subject
) -> None:
    say(charlie, Action.DENY)
    (run,) = propagation.plan(at=LATER)
    come_in(cleaned, "m_alice")
    assert carry_out(run)
    # Charlie went, but nobody looked for Alice
    assert "m_alice" in authors(cleaned)
    newest = versions.newest(cleaned)
    assert newest is not None
    assert (newest.has_arrivals, newest.position) == (True, 0)
    assert run_all(at=AFTERWARDS) == [True]
    assert "m_alice" not in authors(cleaned)
    assert Propagation.objects.filter(is_full=True).count() == 1


def test_a_file_that_comes_in_during_a_full_run_is_left_to_the_next(
    cleaned: Dataset, alice: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    come_in(cleaned, "m_charlie")
    arrivals.look_around(at=AFTERWARDS)
    look = arrivals.look_through

    def and_then_a_file_comes_in(*given: Any, **named: Any) -> arrivals.Looked:
        looked = look(*given, **named)
        come_in(cleaned, "m_alice", name="part-10.parquet")
        return looked

    monkeypatch.setattr(arrivals, "look_through", and_then_a_file_comes_in)
    assert run_all(at=AFTERWARDS) == [True]
    monkeypatch.undo()
    newest = versions.newest(cleaned)
    assert newest is not None
    assert newest.has_arrivals
    assert run_all(at=AFTERWARDS) == [True]
    assert "m_alice" not in authors(cleaned)


def test_a_full_run_takes_what_the_log_brought_with_it(cleaned: Dataset, alice: Subject, charlie: Subject) -> None:
    come_in(cleaned, "m_alice")
    arrivals.look_around(at=AFTERWARDS)
    head = say(charlie, Action.DENY, at=AFTERWARDS)
    assert run_all(at=AFTERWARDS) == [True]
    assert sorted(filter(None, authors(cleaned))) == ["m_nobody"]
    cleaned.refresh_from_db()
    assert cleaned.position == head


def test_whose_erasure_is_under_way_is_found_as_well(cleaned: Dataset, charlie: Subject) -> None:
    ledger.append(kind=Kind.ERASURE, by=BY, at=LATER, details={}, subject=charlie)
    sequenced()
    run_all()
    come_in(cleaned, "m_charlie")
    arrivals.look_around(at=AFTERWARDS)
    assert run_all(at=AFTERWARDS) == [True]
    assert "m_charlie" not in authors(cleaned)


def test_an_erasure_waits_for_files_that_nobody_has_looked_through(cleaned: Dataset, alice: Subject) -> None:
    head = cleaned.position
    assert propagation.arrived(subject_id=alice.pk, position=head)
    come_in(cleaned, "m_alice")
    arrivals.look_around(at=AFTERWARDS)
    assert not propagation.arrived(subject_id=alice.pk, position=head)
    run_all(at=AFTERWARDS)
    assert propagation.arrived(subject_id=alice.pk, position=head)


def test_somebody_who_was_erased_is_known_by_their_fingerprint(
    cleaned: Dataset, charlie: Subject, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.append(kind=Kind.ERASURE, by=BY, at=LATER, details={}, subject=charlie)
    sequenced()
    run_all()
    subjects.forget(subject=charlie, by=BY, at=LATER)
    sequenced()
    run_all()
    come_in(cleaned, "m_charlie", "m_nobody", "m_charlie")
    arrivals.look_around(at=AFTERWARDS)
    with caplog.at_level(logging.DEBUG):
        assert run_all(at=AFTERWARDS) == [True]
    assert "m_charlie" not in authors(cleaned)
    assert "m_nobody" in authors(cleaned)
    newest = versions.newest(cleaned)
    assert newest is not None
    unit = Unit.objects.get(propagation_id=newest.propagation_id)
    assert unit.rows == {Unit.ERASED: 2}
    # their name is nowhere: not in what is kept of the run, nor in the log
    kept = json.dumps([unit.rows, unit.record, list(RemovalReceipt.objects.values_list("files", flat=True))])
    assert "m_charlie" not in kept + caplog.text


def test_a_dataset_that_is_taken_in_is_looked_through_for_people_erased_before(
    alice: Subject, charlie: Subject, tmp_path: Path
) -> None:
    subjects.forget(subject=charlie, by=BY, at=AT)
    sequenced()
    rows = {"author": ["m_alice", "m_charlie"], "text": ["a", "c"]}
    dataset = dataset_of(write_parquet(tmp_path / "posts", rows))
    assert run_all() == [True]
    assert authors(dataset) == ["m_alice"]
    assert Propagation.objects.get().is_full


def test_a_corrupt_file_keeps_no_other_from_being_cleaned_and_the_run_from_being_verified(cleaned: Dataset) -> None:
    come_in(cleaned, "m_alice", "m_charlie")
    Path(cleaned.location, "part-8.parquet").write_bytes(b"PAR1 this is no longer Parquet PAR1")
    assert noticed() == [(3, True, 0)]
    assert run_all(at=AFTERWARDS) == [False]
    assert "m_alice" not in pq.read_table(Path(cleaned.location, "part-9.parquet"))["author"].to_pylist()
    assert Propagation.objects.open().get().status in {Status.FAILED, Status.STOPPED}
    Path(cleaned.location, "part-8.parquet").unlink()
    run = Propagation.objects.open().get()
    Propagation.objects.filter(pk=run.pk).update(status=Status.PLANNED, next_try_at=AT)
    assert carry_out(run, at=AFTERWARDS)
    newest = versions.newest(cleaned)
    assert newest is not None
    assert not newest.has_arrivals


def test_a_dataset_that_cannot_be_reached_keeps_no_other_from_being_looked_at(cleaned: Dataset, tmp_path: Path) -> None:
    other = dataset_of(write_parquet(tmp_path / "other", {"author": ["m_charlie"], "text": ["c"]}), slug="other")
    sequenced()
    run_all()
    Path(cleaned.location).rename(tmp_path / "moved")
    come_in(other, "m_charlie")
    assert [one.dataset.slug for one in arrivals.look_around(at=AFTERWARDS)] == ["other"]


def test_a_look_passes_over_what_others_hold(cleaned: Dataset, copy: Dataset, caplog: Any) -> None:
    with caplog.at_level(logging.WARNING):
        assert noticed() == []
    assert "arrivals.not_reached" not in caplog.text
    assert not copy.versions.exists()


def test_a_holder_is_not_asked_about_people_of_whom_no_name_is_left(northlight: Partner, charlie: Subject) -> None:
    sequenced()
    subjects.forget(subject=charlie, by=BY, at=AT)
    held = copy_at(northlight)
    assert not arrivals.is_first_look(held)
    assert run_all() == []
    assert not Propagation.objects.exists(), "a run that asks nobody would say that everybody was looked for"


def test_a_look_that_fails_keeps_no_other_from_its_own(
    cleaned: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = dataset_of(write_parquet(tmp_path / "other", {"author": ["m_charlie"], "text": ["c"]}), slug="other")
    sequenced()
    run_all()
    come_in(other, "m_charlie")
    honest = registry.connect

    def connect(dataset: Dataset) -> Any:
        if dataset.slug == "posts":
            raise RuntimeError("broken")
        return honest(dataset)

    monkeypatch.setattr(registry, "connect", connect)
    with pytest.raises(RuntimeError, match="broken"):
        arrivals.look_around(at=AFTERWARDS)
    assert DatasetVersion.objects.filter(dataset=other, origin=Origin.NOTICED).exists()


def test_a_store_that_tells_no_keys_is_searched_for_everybody(
    world: None, alice: Subject, charlie: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(memory.Memory, "keys")
    place = memory.PLACES["here"] = memory.Place()
    place.put("a", pa.table({"author": ["m_charlie"], "text": ["c"]}))
    dataset = Dataset.objects.create(
        slug="m",
        name="M",
        public_name="M",
        owner_id="linkwell",
        purposes=["ai-training"],
        kind="memory",
        location="here",
        key_column="author",
        key_scheme="account",
        registered_at=AT,
    )
    versions.begin(dataset=dataset, manifest=registry.connect(dataset).manifest(), at=AT)
    say(alice, Action.DENY)
    run_all()
    place.put("b", pa.table({"author": ["m_alice"], "text": ["a"]}))
    arrivals.look_around(at=AFTERWARDS)
    assert run_all(at=AFTERWARDS) == [True]
    assert place.units["b"].num_rows == 0
    del memory.PLACES["here"]


def test_the_folder_is_walked_once_however_many_files_came_in(posts: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        come_in(posts, f"m_{number}", name=f"late-{number}.parquet")
    Path(posts.location, "late-2.parquet").write_bytes(b"PAR1 damaged PAR1")
    walks: list[int] = []
    files = FileFolder._files

    def counted(self: FileFolder) -> Any:
        walks.append(1)
        return files(self)

    monkeypatch.setattr(FileFolder, "_files", counted)
    connector, failures = registry.connect(posts), list[ConnectorError]()
    assert isinstance(connector, TellsKeys)
    told = arrivals._keys(connector, [f"late-{number}.parquet" for number in range(5)], failures)
    assert [key for keys in told for key in keys] == ["m_0", "m_1", "m_3", "m_4"]
    assert (len(walks), len(failures)) == (1, 1)


def test_the_turn_looks_around_and_tolerates_words_of_another_version(cleaned: Dataset) -> None:
    come_in(cleaned, "m_alice")
    tasks.look_around(since="yesterday")
    assert DatasetVersion.objects.filter(origin=Origin.NOTICED).count() == 1
    tasks.look_around()
    assert DatasetVersion.objects.filter(origin=Origin.NOTICED).count() == 1
