"""The secrets of hashed keys come under a new field key with everything else."""

import os
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from consents import key_rotation as rotations
from consents.models import Subject
from downstream import key_rotation, naming, registry
from downstream.models import Dataset, KeyHash
from portal.crypto import Ring
from portal.resealing import FIELD
from tests.conftest import AT, BY
from tests.downstream.test_naming import folder_of, hashed, registration

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def dataset(alice: Subject, tmp_path: Path) -> Dataset:
    folder = folder_of(tmp_path, KeyHash.HMAC, "m_alice")
    return registry.register(registration=registration(folder, KeyHash.HMAC), by=BY, at=AT)


def test_a_rotation_brings_the_secret_under_the_new_key(
    dataset: Dataset, alice: Subject, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (old,) = settings.FIELD_KEYS.keys
    settings.FIELD_KEYS = Ring({"new": os.urandom(32), **settings.FIELD_KEYS.keys})
    state = next(one for one in rotations.states() if (one.ring, one.key) == (FIELD, old))
    assert state.protects[key_rotation.STORE.name] == 1
    assert not state.may_go
    call_command("rotate_keys", "--field")
    assert f"{key_rotation.STORE.name}: 1 brought under new" in capsys.readouterr().out
    settings.FIELD_KEYS = Ring({"new": settings.FIELD_KEYS.keys["new"]})
    fresh = Dataset.objects.get()
    assert list(naming.keys([alice.pk], dataset=fresh)) == [hashed("m_alice", KeyHash.HMAC)]


def test_a_secret_whose_key_is_lost_is_counted_and_left(dataset: Dataset, settings: Any) -> None:
    settings.FIELD_KEYS = Ring({"other": os.urandom(32)})
    (turn,) = rotations.rotate(key_rotation.STORE, batch=5)
    assert (turn.done, turn.failed) == (0, 1)
