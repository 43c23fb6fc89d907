"""SIGKILL amid a batch of letters: nobody is told twice, and nobody who is still to be told is forgotten."""

from pathlib import Path

import pytest

from consents import subjects
from consents.models import Letter, NoticeDelivery
from consents.subjects import Newcomer
from tests.conftest import AT, BY
from tests.consents.telling import begin, mailed, postman, published, states
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

PEOPLE = 600


@pytest.fixture
def told(world: None) -> NoticeDelivery:
    newcomers = [Newcomer((subjects.name("email", f"p{number}@example.org"),), "US") for number in range(PEOPLE)]
    subjects.register_many(newcomers=newcomers, by=BY, at=AT)
    published()
    return begin()


@pytest.mark.parametrize(("mood", "taken"), [("before:1", 0), ("before:4", 3), ("after:1", 1), ("after:250", 250)])
def test_killed_while_the_server_takes_a_letter(told: NoticeDelivery, tmp_path: Path, mood: str, taken: int) -> None:
    died = postman(tmp_path, mood=mood)
    died.communicate(timeout=60)
    assert died.returncode == -9
    assert sum(mailed(tmp_path).values()) == taken
    _finish(tmp_path)
    assert states() == {"sent": PEOPLE - 1, "uncertain": 1}
    assert set(mailed(tmp_path).values()) == {1}
    assert len(mailed(tmp_path)) == (PEOPLE if mood.startswith("after") else PEOPLE - 1)


def _finish(folder: Path) -> None:
    """Turns of further processes, until the dead one's lease is over and the round is done."""
    for _ in range(10):
        process = postman(folder, seconds=10)
        said, _nothing = process.communicate(timeout=60)
        assert process.returncode == 0, said
        if NoticeDelivery.objects.get().state == NoticeDelivery.State.DONE:
            return
    raise AssertionError(states())


def test_a_worker_and_its_successor_with_beat_turning_the_crank(told: NoticeDelivery, tmp_path: Path) -> None:
    stack = Stack(tmp_path, redis_number=12)
    try:
        stack.start("beat")
        stack.start("worker")
        wait_for(lambda: _sent() > 20, within=60, what=lambda: stack.log("worker")[-2000:])
        stack.kill("worker")
        assert _sent() < PEOPLE, "it was done before it could be killed"
        stack.start("worker")
        wait_for(_done, within=90, what=lambda: f"{states()} {stack.log('worker')[-2000:]}")
    finally:
        stack.stop_all()
    found = states()
    assert found["sent"] + found.get("uncertain", 0) == PEOPLE
    assert found.get("uncertain", 0) <= 1
    assert set(mailed(tmp_path).values()) == {1}
    assert found["sent"] <= len(mailed(tmp_path)) <= PEOPLE


def _sent() -> int:
    return Letter.objects.filter(state="sent").count()


def _done() -> bool:
    return NoticeDelivery.objects.get().state == NoticeDelivery.State.DONE
