"""SIGKILL amid letters about requests: no letter is lost, and at most one comes twice, recognisable as the same."""

import email
import email.policy
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from consents import subjects
from consents.subjects import Newcomer
from portal import clock
from requests_app import letters
from requests_app.models import Letter
from tests.conftest import AT, BY
from tests.requests_app.asking import received
from tests.stack import Stack

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

PEOPLE = 40


@pytest.fixture
def waiting(world: None) -> None:
    newcomers = [Newcomer((subjects.name("email", f"p{number}@example.org"),), "US") for number in range(PEOPLE)]
    for subject in subjects.register_many(newcomers=newcomers, by=BY, at=AT):
        assert letters.write(request=received(subject), code="acknowledged", at=clock.now()) is not None


def postman(folder: Path, *, mood: str = "") -> "subprocess.Popen[str]":
    environment = {**Stack(folder, redis_number=13).environment, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    environment |= {"DYING_MAIL": mood, "HEED_LEASE_SECONDS": "2"}
    command = [sys.executable, "-m", "tests.requests_app.a_postman", "20"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def mailed(folder: Path) -> Counter[tuple[str, str]]:
    """To whom mail went under which Message-ID, and how often."""
    found: Counter[tuple[str, str]] = Counter()
    for path in (folder / "log" / "mail").glob("*.log"):
        for part in path.read_bytes().split(b"-" * 79 + b"\n"):
            if part.strip():
                message = email.message_from_bytes(part, policy=email.policy.default)
                found[str(message["To"]), str(message["Message-ID"])] += 1
    return found


def finish(folder: Path) -> None:
    """Turns of further processes, until the dead one's lease is over and everything is sent."""
    for _ in range(10):
        process = postman(folder)
        said, _nothing = process.communicate(timeout=60)
        assert process.returncode == 0, said
        if not Letter.objects.filter(state=Letter.WAITING).exists():
            return
        time.sleep(0.5)
    raise AssertionError(Counter(Letter.objects.values_list("state", flat=True)))


@pytest.mark.parametrize(
    ("mood", "taken", "twice"), [("before:1", 0, 0), ("before:4", 3, 0), ("after:1", 1, 1), ("after:25", 25, 1)]
)
def test_killed_while_the_server_takes_a_letter(
    waiting: None, tmp_path: Path, mood: str, taken: int, twice: int
) -> None:
    died = postman(tmp_path, mood=mood)
    died.communicate(timeout=60)
    assert died.returncode == -9
    assert sum(mailed(tmp_path).values()) == taken
    assert Letter.objects.filter(state=Letter.WAITING).count() == PEOPLE - max(taken - twice, 0)
    finish(tmp_path)
    counted = mailed(tmp_path)
    assert len(counted) == PEOPLE, "somebody got nothing, or the same letter under two ids"
    assert sum(counted.values()) == PEOPLE + twice
    assert set(Letter.objects.values_list("state", "sealed")) == {(Letter.SENT, None)}


def test_two_postmen_at_once_send_each_letter_once(waiting: None, tmp_path: Path) -> None:
    both = [postman(tmp_path / "one"), postman(tmp_path / "two")]
    for process in both:
        said, _nothing = process.communicate(timeout=60)
        assert process.returncode == 0, said
    counted = mailed(tmp_path / "one") + mailed(tmp_path / "two")
    assert (len(counted), sum(counted.values())) == (PEOPLE, PEOPLE)
