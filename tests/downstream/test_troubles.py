"""What the world does to a run: files that change, break, may not be written, or do not fit."""

import logging
import os
import random
import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consents.models import Subject
from consents.vocabulary import Action
from downstream import leases, propagation, registry, retry
from downstream.models import Dataset, Propagation, RemovalReceipt, Unit
from downstream.propagation_states import Status
from portal.models import AuditEntry
from tests import small_disks
from tests.conftest import BY, dataset_of, write_parquet
from tests.downstream.acting import (
    LATER,
    authors,
    carry_out,
    expire_leases,
    held_at,
    leftovers,
    planned,
    removed,
    run_all,
    say,
    verified,
    worker,
)

pytestmark = pytest.mark.django_db(transaction=True)

REST = ["m_charlie", "m_nobody", None]


@pytest.fixture
def run(posts: Dataset, alice: Subject) -> Propagation:
    say(alice, Action.DENY)
    return planned()


def add(dataset: Dataset, *names: str, file: str) -> Path:
    rows: dict[str, list[object]] = {"author": list(names), "text": ["t" for _ in names]}
    write_parquet(Path(dataset.location), rows, name=file)
    return Path(dataset.location, file)


def outcome(run: Propagation) -> tuple[str, str]:
    run.refresh_from_db()
    return run.status, run.reason_code


def test_a_file_that_changed_since_it_was_found_is_tried_again_by_itself(
    posts: Dataset, alice: Subject, run: Propagation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = held_at("stage.before_write", lambda: carry_out(run), gate=tmp_path / "gate", monkeypatch=monkeypatch)
    with point as (_, wake):
        add(posts, "m_alice", "m_charlie", "m_dave", file="part-0.parquet")
        assert wake() is False
    assert outcome(run) == (Status.FAILED, "source_changed")
    assert authors(posts) == ["m_alice", "m_charlie", "m_dave"]
    assert run_all(at=LATER + timedelta(minutes=1)) == [True]
    assert authors(posts) == ["m_charlie", "m_dave"]
    assert removed(alice) == [1]


def test_of_two_files_side_by_side_the_changed_one_alone_is_tried_again(
    posts: Dataset, alice: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner replaces it while it lies staged; of both, the row groups without Alice would be carried over."""
    others = [f"m_{number}" for number in range(40)]
    for number in range(2):
        add(posts, "m_alice", *others, file=f"part-{number}.parquet")
    say(alice, Action.DENY)
    run = planned()
    point = held_at("commit.before_rename", lambda: carry_out(run), gate=tmp_path / "gate", monkeypatch=monkeypatch)
    with point as (_, wake):
        first = Unit.objects.get().name
        (second,) = {"part-0.parquet", "part-1.parquet"} - {first}
        # at once, as an owner does who minds the readers: half a file would be another trouble
        replaced = write_parquet(tmp_path / "new", {"author": ["m_alice", "m_owner"], "text": ["t", "t"]}, name=second)
        (replaced / second).rename(Path(posts.location, second))
        assert wake() is False
    assert outcome(run) == (Status.FAILED, "source_changed")
    assert second in run.reason
    assert pq.read_table(Path(posts.location, first))["author"].to_pylist() == others
    assert pq.read_table(Path(posts.location, second))["author"].to_pylist() == ["m_alice", "m_owner"]
    assert leftovers(posts) == []
    inode = Path(posts.location, first).stat().st_ino
    assert run_all(at=LATER + timedelta(minutes=1)) == [True]
    assert Path(posts.location, first).stat().st_ino == inode
    assert sorted(authors(posts)) == sorted([*others, "m_owner"])  # type: ignore[type-var]
    assert removed(alice) == [2]


def test_a_file_that_is_deleted_meanwhile_is_done_with(
    posts: Dataset, alice: Subject, run: Propagation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(posts, "m_eve", file="part-1.parquet")
    point = held_at("stage.before_write", lambda: carry_out(run), gate=tmp_path / "gate", monkeypatch=monkeypatch)
    with point as (_, wake):
        Path(posts.location, "part-0.parquet").unlink()
        assert wake() is False
    assert outcome(run) == (Status.FAILED, "source_changed")
    assert run_all(at=LATER + timedelta(minutes=1)) == [True]
    assert authors(posts) == ["m_eve"]
    assert removed(alice) == [0]


def test_a_file_that_arrives_meanwhile_with_the_persons_rows_is_found_by_the_last_look(
    posts: Dataset, alice: Subject, run: Propagation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = held_at("commit.after_dirsync", lambda: carry_out(run), gate=tmp_path / "gate", monkeypatch=monkeypatch)
    with point as (_, wake):
        add(posts, "m_alice", "m_fred", file="part-1.parquet")
        assert wake() is False
    assert outcome(run) == (Status.FAILED, "rows_came_back")
    assert not RemovalReceipt.objects.filter(subject_id=alice.pk).exists()
    assert run_all(at=LATER + timedelta(minutes=1)) == [True]
    assert authors(posts) == [*REST, "m_fred"]
    assert removed(alice) == [3]


def test_a_damaged_file_is_told_by_name_once_the_good_ones_are_done(
    posts: Dataset, alice: Subject, run: Propagation
) -> None:
    good = add(posts, "m_alice", "m_gina", file="part-2.parquet")
    bad = Path(posts.location, "part-1.parquet")
    bad.write_bytes(b"PAR1 no longer PAR1")
    assert not carry_out(run)
    assert outcome(run) == (Status.FAILED, "dataset_unreadable")
    assert "part-1.parquet" in run.reason
    for file, names in ((good, ["m_gina"]), (good.with_name("part-0.parquet"), REST)):
        assert pq.read_table(file)["author"].to_pylist() == names
    bad.unlink()
    propagation.retry_now(propagation=run, by=BY, at=LATER)
    assert run_all() == [True]
    # also what was removed before it stopped
    assert removed(alice) == [3]


def test_a_folder_that_may_not_be_written_stops_the_run(posts: Dataset, run: Propagation, tmp_path: Path) -> None:
    Path(posts.location).chmod(0o555)
    try:
        assert not verified(worker(run, "forbid", folder=tmp_path))
    finally:
        Path(posts.location).chmod(0o755)
    assert outcome(run) == (Status.STOPPED, "not_writable")
    assert "allow it" in run.reason
    assert authors(posts).count("m_alice") == 2


def test_a_full_disk_leaves_everything_as_it_was_and_is_tried_again(
    posts: Dataset, run: Propagation, tmp_path: Path
) -> None:
    assert not verified(worker(run, "full", folder=tmp_path))
    assert outcome(run) == (Status.FAILED, "disk_full")
    assert authors(posts).count("m_alice") == 2
    assert leftovers(posts) == []
    assert run_all(at=LATER + timedelta(minutes=1)) == [True]
    assert authors(posts) == REST


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Path]:
    with small_disks.mounted(tmp_path / "small", mebibytes=2) as place:
        yield place


def test_a_file_system_without_room_leaves_everything_as_it_was_and_is_tried_again(alice: Subject, mount: Path) -> None:
    noise: list[object] = [os.urandom(4_000) for _ in range(100)]
    write_parquet(mount / "posts", {"author": ["m_alice", *["m_bob"] * 99], "noise": noise})
    ballast = shutil.disk_usage(mount).free - (mount / "posts" / "part-0.parquet").stat().st_size // 2
    (mount / "ballast").write_bytes(os.urandom(ballast))
    dataset = dataset_of(mount / "posts", slug="small")
    say(alice, Action.DENY)
    run = planned()
    before = (mount / "posts" / "part-0.parquet").read_bytes()
    assert not carry_out(run)
    assert outcome(run) == (Status.FAILED, "disk_full")
    assert (mount / "posts" / "part-0.parquet").read_bytes() == before
    assert leftovers(dataset) == []
    (mount / "ballast").unlink()
    assert run_all(at=LATER + timedelta(minutes=1)) == [True]
    assert authors(dataset) == ["m_bob"] * 99


@pytest.mark.fault
def test_a_worker_out_of_memory_leaves_everything_as_it_was_and_is_tried_again(
    posts: Dataset, alice: Subject, tmp_path: Path
) -> None:
    # one long text again and again: little on disk, 800 MB when it is read
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 200, pa.int32()), pa.array(["t" * 4_000_000]))
    names = ["m_alice", *["m_bob"] * 199]
    large = Path(posts.location, "part-1.parquet")
    pq.write_table(pa.table({"author": names, "text": texts}), large, store_schema=False)
    before = large.read_bytes()
    say(alice, Action.DENY)
    run = planned()
    # the allocators take no more than they need, so that threads can begin
    thrifty = {"MALLOC_ARENA_MAX": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
    assert not verified(worker(run, "hungry", folder=tmp_path, **thrifty))
    assert outcome(run) == (Status.FAILED, "out_of_memory")
    assert "memory" in run.reason
    assert large.read_bytes() == before
    assert leftovers(posts) == []
    assert run_all(at=LATER + timedelta(minutes=1)) == [True]
    assert authors(posts) == [*REST, *["m_bob"] * 199]
    assert removed(alice) == [3]


def test_two_processes_that_start_at_once_do_the_work_once(
    posts: Dataset, alice: Subject, run: Propagation, tmp_path: Path
) -> None:
    workers = [worker(run, folder=tmp_path) for _ in range(2)]
    assert sorted(verified(one) for one in workers) == [False, True]
    assert authors(posts) == REST
    assert removed(alice) == [2]


def test_attempts_that_fail_for_long_are_used_up_and_wait_for_a_person(posts: Dataset, run: Propagation) -> None:
    at = LATER
    for attempt in range(1, retry.BUDGET + 1):
        _break_the_look(run, at=at)
        at += timedelta(hours=1)
        expected = Status.STOPPED if attempt == retry.BUDGET else Status.FAILED
        assert outcome(run) == (expected, "unexpected")
        assert run.attempts == attempt
    assert run_all(at=at) == []
    propagation.retry_now(propagation=run, by=BY, at=at)
    assert run_all(at=at) == [True]
    run.refresh_from_db()
    assert run.attempts == 1
    assert AuditEntry.objects.filter(action="propagation.retry", actor=BY).count() == 1


def _break_the_look(run: Propagation, *, at: Any) -> None:
    """An option that makes the connector fail in a way that nobody thought of."""
    Dataset.objects.update(options={"engine": ["m_alice", "alice@example.org"]})
    assert not carry_out(run, at=at)
    Dataset.objects.update(options={})


def test_what_is_said_of_an_unexpected_error_holds_nothing_personal(
    run: Propagation, alice: Subject, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    names = ["m_alice", "alice@example.org"]

    def explode(dataset: Dataset, **_: Any) -> Any:
        raise pa.ArrowInvalid(f"could not parse {' '.join(names)}")

    monkeypatch.setattr(registry, "connect", explode)
    with caplog.at_level(logging.INFO):
        assert not carry_out(run)
    assert outcome(run) == (Status.FAILED, "unexpected")
    assert run.reason == "Unexpected ArrowInvalid; the worker's log has the place."
    # the place is there, what the error quotes is not
    assert "explode" in caplog.text
    assert "ArrowInvalid" in caplog.text
    for personal in names:
        assert personal not in caplog.text
        assert personal not in str(Propagation.objects.values())


def test_a_want_of_memory_that_nobody_caught_is_told_as_such(run: Propagation, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(dataset: Dataset, **_: Any) -> Any:
        raise pa.ArrowMemoryError("malloc of size 1 failed")

    monkeypatch.setattr(registry, "connect", explode)
    assert not carry_out(run)
    assert outcome(run) == (Status.FAILED, "out_of_memory")


def test_a_worker_that_dies_again_and_again_waits_for_a_person(run: Propagation) -> None:
    for _ in range(retry.BUDGET):
        assert leases.claim(propagation_id=run.pk, holder="dies")
        expire_leases()
    assert not carry_out(run)
    assert outcome(run) == (Status.STOPPED, "attempts_used_up")
    propagation.retry_now(propagation=run, by=BY, at=LATER)
    assert run_all() == [True]


def test_nothing_personal_is_stored_of_a_run_at_all(
    posts: Dataset, alice: Subject, charlie: Subject, caplog: pytest.LogCaptureFixture
) -> None:
    Path(posts.location, "part-1.parquet").write_bytes(b"PAR1 m_alice PAR1")
    say(alice, Action.DENY)
    with caplog.at_level(logging.INFO):
        assert run_all() == [False]
    run = Propagation.objects.open().get()
    rows = [Propagation.objects.values(), run.units.values(), run.targets.values(), AuditEntry.objects.values()]
    stored = "".join(str(list(one)) for one in rows) + caplog.text
    assert run.reason
    assert "m_alice" not in stored
    assert "example.org" not in stored


def test_a_holder_that_lost_its_lease_does_not_say_that_the_run_failed(run: Propagation) -> None:
    lease = leases.claim(propagation_id=run.pk, holder="old")
    assert lease is not None
    Propagation.objects.update(fencing_token=lease.token + 1)
    propagation._fail(lease, code="late", message="too late", permanent=True, at=LATER)
    assert outcome(run) == (Status.WORKING, "")


def test_a_heartbeat_keeps_a_lease_alive(run: Propagation, settings: Any) -> None:
    settings.LEASE = timedelta(seconds=0.3)
    lease = leases.claim(propagation_id=run.pk, holder="one")
    assert lease is not None
    with leases.heartbeat(lease):
        for _ in range(10):
            time.sleep(0.1)
            assert leases.claim(propagation_id=run.pk, holder="two") is None
    time.sleep(0.5)
    assert leases.claim(propagation_id=run.pk, holder="two") is not None


_SECONDS = [(1, 2), (2, 4), (3, 8), (4, 16), (5, 32), (6, 64), (7, 128)]


@pytest.mark.parametrize(("attempts", "longest"), _SECONDS)
def test_waits_double_and_vary_over_their_upper_half(attempts: int, longest: int) -> None:
    chance = random.Random(attempts)
    for jitter in (0.0, *(chance.random() for _ in range(50)), 1 - 2**-53):
        wait = retry.delay(attempts=attempts, permanent=False, jitter=jitter)
        assert wait is not None
        assert timedelta(seconds=longest / 2) <= wait <= timedelta(seconds=longest)
    assert retry.delay(attempts=attempts, permanent=False, jitter=0) == timedelta(seconds=longest / 2)


@pytest.mark.parametrize(
    ("attempts", "permanent"), [(1, True), (7, True), (retry.BUDGET, False), (retry.BUDGET + 5, False)]
)
def test_no_wait_helps_what_is_permanent_or_used_up(attempts: int, permanent: bool) -> None:
    assert retry.delay(attempts=attempts, permanent=permanent, jitter=0.5) is None
