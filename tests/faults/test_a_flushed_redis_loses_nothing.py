"""Redis forgets everything midway; the tables still know what is due."""

from pathlib import Path

import pytest
import redis

from consents import sequencer
from downstream import propagation
from downstream.models import RemovalReceipt
from portal import clock
from tests.faults.conftest import WITHOUT_ALICE, Scene
from tests.stack import wait_for

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]


def test_work_that_was_handed_over_and_forgotten_is_handed_over_again(scene: Scene) -> None:
    scene.say_no()
    sequencer.advance(at=clock.now())
    propagation.plan(at=clock.now())
    assert len(propagation.hand_over(at=clock.now())) == 1
    assert propagation.hand_over(at=clock.now()) == []
    _flush(scene)
    scene.stack.start("worker")
    _finishes(scene)


def test_a_flush_in_the_middle_of_a_rewrite_changes_nothing(scene: Scene, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    scene.say_no()
    scene.stack.start(
        "worker", HEED_FAULTS_ALLOWED="1", HEED_FAULT_POINT="commit.before_rename", HEED_FAULT_WAIT=str(gate)
    )
    wait_for(gate.with_name("gate.reached").exists, within=60, what=lambda: scene.stack.log("worker")[-2000:])
    _flush(scene)
    gate.touch()
    _finishes(scene)


def test_messages_lost_before_any_worker_came_are_not_needed(scene: Scene) -> None:
    scene.say_no()
    broker = redis.Redis.from_url(scene.stack.redis_url)
    wait_for(lambda: broker.dbsize() > 0, within=60, what="beat to send a turn")
    _flush(scene)
    scene.stack.start("worker")
    _finishes(scene)


def _finishes(scene: Scene) -> None:
    wait_for(scene.verified, within=60, what=lambda: scene.stack.log("worker")[-3000:])
    assert scene.rows() == WITHOUT_ALICE
    assert RemovalReceipt.objects.get(subject_id=scene.subject.pk).rows_removed == 14


def _flush(scene: Scene) -> None:
    redis.Redis.from_url(scene.stack.redis_url).flushdb()
