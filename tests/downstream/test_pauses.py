"""A worker whose whole process is paused for longer than its lease, as a machine that sleeps or swaps does it."""

import os
import signal
import time
from pathlib import Path

import pytest

from consents.models import Subject
from consents.vocabulary import Action
from downstream.models import Dataset, Propagation, RemovalReceipt, Unit
from downstream.propagation_states import Status, UnitStatus
from tests.conftest import write_parquet
from tests.downstream.acting import authors, carry_out, leftovers, planned, removed, say, verified, worker
from tests.stack import wait_for

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

REST = ["m_charlie", "m_nobody", None]
POINTS = ["stage.after_write", "commit.before_rename", "commit.after_rename", "settle.before"]


@pytest.fixture
def run(posts: Dataset, alice: Subject) -> Propagation:
    """Alice's rows have to leave two files."""
    write_parquet(Path(posts.location), {"author": ["m_alice"], "text": ["d"]}, name="part-1.parquet")
    say(alice, Action.DENY)
    return planned()


@pytest.mark.parametrize("point", POINTS)
def test_another_ends_its_work_and_the_one_that_wakes_changes_nothing(
    point: str, posts: Dataset, alice: Subject, run: Propagation, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    there = {"HEED_FAULTS_ALLOWED": "1", "HEED_FAULT_POINT": point, "HEED_FAULT_WAIT": str(gate)}
    paused = worker(run, folder=tmp_path, HEED_LEASE_SECONDS="1", **there)
    try:
        wait_for(gate.with_name("gate.reached").exists, within=60, what=f"the worker to reach {point}")
        # it holds its lease, heart beating, for as long as its process goes on
        time.sleep(1.5)
        assert not carry_out(run)
        os.kill(paused.pid, signal.SIGSTOP)
        wait_for(lambda: carry_out(run, holder="next"), within=30, what="the lease to run out")
        seen = _all_is_well(posts, alice)
        gate.touch()
        os.kill(paused.pid, signal.SIGCONT)
        assert not verified(paused)
    finally:
        paused.kill()
        paused.wait()
    assert _all_is_well(posts, alice) == seen
    assert leftovers(posts) == []
    assert not Unit.objects.filter(status=UnitStatus.STAGED).exists()


def _all_is_well(posts: Dataset, alice: Subject) -> list[object]:
    """What is there and what is told of it; the one must fit the other."""
    assert authors(posts) == REST
    assert removed(alice) == [3]
    run = Propagation.objects.latest("planned_at")
    assert (run.status, run.lease_holder, run.reason) == (Status.VERIFIED, "next", "")
    files = sorted((path.name, path.stat().st_ino) for path in Path(posts.location).glob("*.parquet"))
    return [files, run.fencing_token, list(RemovalReceipt.objects.values("rows_removed", "files"))]
