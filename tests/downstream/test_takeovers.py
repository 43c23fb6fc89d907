"""Several workers on one run: at once, one after another's lease ran out, and the one that wakes up again."""

from pathlib import Path
from typing import Any

import pytest

from consents.models import Subject
from consents.vocabulary import Action
from downstream import carrying, leases, propagation, registry
from downstream.connectors import open_connector
from downstream.connectors.base import WHOLE, Spans, StagedUnit, UnitFinding
from downstream.connectors.file_folder import FileFolder
from downstream.models import Dataset, Propagation, RemovalReceipt, Unit
from downstream.propagation_states import Status, UnitStatus
from portal import fault_points
from portal.leases import LeaseLost
from tests.conftest import write_parquet
from tests.downstream.acting import (
    LATER,
    Holder,
    authors,
    carry_out,
    expire_leases,
    held_at,
    leftovers,
    planned,
    removed,
    run_all,
    say,
)
from tests.stack import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

REST = ["m_charlie", "m_nobody", None]
POINTS = [
    "stage.before_write",
    "stage.after_write",
    "stage.after_fsync",
    "commit.before_rename",
    "commit.after_rename",
    "commit.after_dirsync",
    "settle.before",
]


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    return tmp_path / "gate"


@pytest.fixture
def run(posts: Dataset, alice: Subject) -> Propagation:
    """Alice's rows have to leave two files."""
    write_parquet(Path(posts.location), {"author": ["m_alice"], "text": ["d"]}, name="part-1.parquet")
    say(alice, Action.DENY)
    return planned()


def both_hands_rest(point: str) -> None:
    """Two files are staged side by side: held in one of them, the holder still puts the other in place."""
    if point.startswith("stage."):
        wait_for(Unit.objects.filter(status=UnitStatus.COMMITTED).exists, within=30, what="the other file")


def all_is_well(posts: Dataset, alice: Subject) -> None:
    assert authors(posts) == REST
    assert removed(alice) == [3]
    assert leftovers(posts) == []
    posts.refresh_from_db()
    assert (posts.row_count, posts.file_count) == (3, 2)
    assert Propagation.objects.latest("planned_at").status == Status.VERIFIED


@pytest.mark.parametrize("point", POINTS)
def test_the_next_holder_finishes_and_the_zombie_wakes_to_nothing(
    point: str, posts: Dataset, alice: Subject, run: Propagation, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held_at(point, lambda: carry_out(run, holder="zombie"), gate=gate, monkeypatch=monkeypatch) as (_, wake):
        both_hands_rest(point)
        expire_leases()
        assert carry_out(run, holder="next")
        all_is_well(posts, alice)
        assert wake() is False
    all_is_well(posts, alice)
    assert Unit.objects.filter(status=UnitStatus.STAGED).count() == 0


@pytest.mark.parametrize("point", POINTS)
def test_a_zombie_that_wakes_while_the_next_holder_works_changes_nothing(
    point: str, posts: Dataset, alice: Subject, run: Propagation, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next holder finds the files, and only then the zombie goes on."""
    with held_at(point, lambda: carry_out(run, holder="zombie"), gate=gate, monkeypatch=monkeypatch) as (_, wake):
        both_hands_rest(point)
        expire_leases()

        class Waking(FileFolder):
            def stage(self, finding: UnitFinding, keys: Any, spans: Spans = WHOLE, *, token: str) -> StagedUnit:
                staged = super().stage(finding, keys, spans, token=token)
                wake()
                return staged

        monkeypatch.setattr(registry, "connect", lambda one, **_: _as(Waking, one))
        carry_out(run, holder="next")
    monkeypatch.undo()
    while Propagation.objects.get(pk=run.pk).status != Status.VERIFIED:
        carry_out(run, holder="last")
    all_is_well(posts, alice)


def test_a_zombie_that_renames_while_the_next_holder_begins_is_counted(
    posts: Dataset, alice: Subject, run: Propagation, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It passed its fence before the lease ran out: what it puts in place before the sweep counts, after it nothing."""
    zombie = held_at(
        "commit.before_rename", lambda: carry_out(run, holder="zombie"), gate=gate, monkeypatch=monkeypatch
    )
    with zombie as (_, wake):
        expire_leases()

        class Waking(FileFolder):
            def sweep(self) -> list[str]:
                assert wake() is False
                return super().sweep()

        monkeypatch.setattr(registry, "connect", lambda one, **_: _as(Waking, one))
        assert carry_out(run, holder="next")
    all_is_well(posts, alice)


def test_a_zombie_can_write_no_unit_down(run: Propagation) -> None:
    zombie = leases.claim(propagation_id=run.pk, holder="zombie")
    assert zombie is not None
    expire_leases()
    leases.claim(propagation_id=run.pk, holder="next")
    staged = StagedUnit("part-0.parquet", "t", "f", "a", "b", 1, 1, 5, 3, 2, "d", 1)
    with pytest.raises(LeaseLost):
        carrying._write_down(zombie, staged, {}, at=LATER)
    assert not Unit.objects.exists()


def test_of_many_workers_at_once_one_does_the_work(posts: Dataset, alice: Subject, run: Propagation) -> None:
    workers = [Holder(lambda: carry_out(run)) for _ in range(6)]
    assert sorted(worker.ended() for worker in workers) == [False] * 5 + [True]
    all_is_well(posts, alice)


def test_a_message_that_is_delivered_again_changes_nothing(posts: Dataset, alice: Subject, run: Propagation) -> None:
    assert carry_out(run)
    before = {path.name: path.stat().st_ino for path in Path(posts.location).iterdir()}
    assert not carry_out(run)
    assert {path.name: path.stat().st_ino for path in Path(posts.location).iterdir()} == before
    all_is_well(posts, alice)


def test_of_many_plans_at_once_one_is_made(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY)
    planners = [Holder(lambda: propagation.plan(at=LATER)) for _ in range(6)]
    assert sum(len(planner.ended()) for planner in planners) == 1
    assert Propagation.objects.open().count() == 1


def test_of_many_hand_overs_at_once_each_run_is_handed_over_once(run: Propagation) -> None:
    turns = [Holder(lambda: propagation.hand_over(at=LATER)) for _ in range(6)]
    assert [one for turn in turns for one in turn.ended()] == [run.pk]


def test_a_no_during_a_run_gets_a_run_of_its_own(
    posts: Dataset, alice: Subject, charlie: Subject, run: Propagation, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held_at("commit.before_rename", lambda: carry_out(run), gate=gate, monkeypatch=monkeypatch) as (_, wake):
        head = say(charlie, Action.DENY)
        assert propagation.plan(at=LATER) == []
        assert wake() is True
    assert "m_charlie" in authors(posts)
    assert run_all() == [True]
    assert authors(posts) == ["m_nobody", None]
    assert (removed(alice), removed(charlie)) == ([3], [1])
    posts.refresh_from_db()
    assert posts.position == head
    assert RemovalReceipt.objects.values("propagation_id").distinct().count() == 2


def test_faults_are_off_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEED_FAULT_POINT", "commit.before_rename")
    fault_points.reach("commit.before_rename")


def _as(kind: type[FileFolder], dataset: Dataset) -> FileFolder:
    """The dataset's own connector, which does one thing more."""
    connector = open_connector(dataset.kind, dataset.location, dataset.key_column, dataset.options)
    assert isinstance(connector, FileFolder)
    return kind(
        connector._kind,
        connector._store,
        connector._engine,
        connector._key_column,
        created_column=connector._created_column,
        statements=connector._statements,
    )
