"""SIGKILL amid a rotation of keys, again and again; the next one goes on and everything opens."""

import base64
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured

from consents import key_rotation, subjects
from consents.models import Identifier, Subject
from portal.crypto import Ring
from tests.conftest import person
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

PEOPLE = 60


def test_killed_amid_batches(world: None, tmp_path: Path, settings: Any) -> None:
    for number in range(PEOPLE):
        person(f"p{number}")
    keys = {"HEED_FIELD_KEYS": os.urandom(32), "HEED_INDEX_KEYS": os.urandom(32)}
    settings.FIELD_KEYS = Ring({"new": keys["HEED_FIELD_KEYS"], **configured.FIELD_KEYS.keys})
    settings.INDEX_KEYS = Ring({"new": keys["HEED_INDEX_KEYS"], **configured.INDEX_KEYS.keys})
    environment = Stack(tmp_path, redis_number=13).environment | {
        "HEED_FIELD_KEYS": as_text(settings.FIELD_KEYS),
        "HEED_INDEX_KEYS": as_text(settings.INDEX_KEYS),
        "HEED_SIGNING_KEYS": f"s:{base64.b64encode(bytes(32)).decode()}",
    }
    # killed while people's keys are wrapped, and again while fingerprints are made
    for enough in (lambda: moved() >= 10, lambda: indexed() >= 10):
        rotation = start(environment)
        wait_for(enough, within=60, what="the rotation to begin")
        rotation.kill()
        rotation.wait()
        assert moved() < PEOPLE or indexed() < 2 * PEOPLE
        assert everybody_is_found_and_opened()
    assert start(environment, "--batch", "50", "--pause", "0").wait(timeout=60) == 0
    assert (moved(), indexed()) == (PEOPLE, 2 * PEOPLE)
    settings.FIELD_KEYS = Ring({"new": keys["HEED_FIELD_KEYS"]})
    settings.INDEX_KEYS = Ring({"new": keys["HEED_INDEX_KEYS"]})
    assert everybody_is_found_and_opened()


def start(environment: dict[str, str], *options: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "manage.py", "rotate_keys", *(options or ("--batch", "1", "--pause", "0.02"))]
    return subprocess.Popen(command, cwd=configured.BASE_DIR, env=environment, stdout=subprocess.DEVNULL)


def moved() -> int:
    time.sleep(0.01)
    state = {one.key: one.protects for one in key_rotation.states() if one.ring == "field"}
    return state["new"].get(key_rotation.PEOPLE, 0)


def indexed() -> int:
    return Identifier.objects.filter(index_key="new").count()


def everybody_is_found_and_opened() -> bool:
    for number in range(PEOPLE):
        found = subjects.find(subjects.name("email", f"p{number}@example.org"))
        assert found is not None
        assert subjects.contact(found) == f"p{number}@example.org"
    return Subject.objects.count() == PEOPLE


def as_text(ring: Ring) -> str:
    return ",".join(f"{key_id}:{base64.b64encode(key).decode()}" for key_id, key in ring.keys.items())
