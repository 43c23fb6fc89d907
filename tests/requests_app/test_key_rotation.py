"""What the ring sealed about requests comes under a new field key, and opens afterwards."""

import io
import os
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import connection

from consents import key_rotation as rotations
from consents import subjects
from consents.models import Subject
from portal.crypto import Ring
from portal.resealing import FIELD, Store
from requests_app import attachments, intake, key_rotation, letters, messages, sealing
from requests_app.models import Letter, Message, Request
from requests_app.states import FileUse
from tests.conftest import AT, BY
from tests.requests_app.asking import LATER, SOON, received
from tests.requests_app.files import PDF

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> None:
    settings.FILES_DIR = tmp_path / "files"


@pytest.fixture
def stranger(world: None) -> Request:
    """Asked, wrote and sent a file, and nobody knows who they are."""
    wish = intake.Asked(rights=("access",), jurisdiction="US", note="7 Acacia Road")
    contact = subjects.name("email", "new@example.org")
    (request,) = intake.receive_unproven(asked=wish, contact=contact, by=BY, at=AT)
    messages.send(request=request, body="Who are you?", by=BY, at=SOON)
    attachments.add(request=request, use=FileUse.IDENTITY, name="id.pdf", stream=io.BytesIO(PDF), by=BY, at=SOON)
    return request


def turned(settings: Any) -> str:
    """Put a new key first; answers the id of the old one."""
    (old,) = settings.FIELD_KEYS.keys
    settings.FIELD_KEYS = Ring({"new": os.urandom(32), **settings.FIELD_KEYS.keys})
    return str(old)


def walk(store: Store, *, batch: int) -> tuple[int, int]:
    turns = list(rotations.rotate(store, batch=batch))
    return sum(one.done for one in turns), sum(one.failed for one in turns)


def test_everything_of_a_stranger_opens_under_the_new_key_alone(
    stranger: Request, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    old = turned(settings)
    state = next(one for one in rotations.states() if (one.ring, one.key) == (FIELD, old))
    # the note, the contact, a message, a file's name and key
    assert state.protects[key_rotation.UNKNOWN.name] == 5
    assert state.protects[key_rotation.LETTERS.name] == 1
    assert not state.may_go
    call_command("rotate_keys", "--field")
    said = capsys.readouterr().out
    assert f"{key_rotation.UNKNOWN.name}: 5 brought under new" in said
    settings.FIELD_KEYS = Ring({"new": settings.FIELD_KEYS.keys["new"]})
    request = Request.objects.get()
    assert sealing.unseal(request, request.sealed_note, context=sealing.NOTE) == "7 Acacia Road"
    (message,) = messages.read(request=request, by_person=False, at=LATER)
    assert message.body == "Who are you?"
    assert b"".join(attachments.open_file(request.attachments.get())) == PDF
    assert letters.send_due(at=LATER) == 1
    assert mail.outbox[0].to == ["new@example.org"]


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_a_walk_reaches_every_field_whatever_the_batch(stranger: Request, settings: Any, batch: int) -> None:
    turned(settings)
    assert walk(key_rotation.UNKNOWN, batch=batch) == (5, 0)
    assert walk(key_rotation.UNKNOWN, batch=batch) == (0, 0)
    assert key_rotation.UNKNOWN.held() == {"new": 5}


def test_what_is_under_a_persons_own_key_is_left_alone(alice: Subject, settings: Any) -> None:
    request = received(alice, note="mine")
    messages.send(request=request, body="hello", by=BY, at=SOON)
    before = bytes(Message.objects.get().sealed_body)
    turned(settings)
    assert key_rotation.UNKNOWN.held() == {}
    assert walk(key_rotation.UNKNOWN, batch=5) == (0, 0)
    assert bytes(Message.objects.get().sealed_body) == before


def test_what_was_sent_holds_nothing_any_more(alice: Subject, settings: Any) -> None:
    letters.write(request=received(alice), code="acknowledged", at=SOON)
    assert sum(key_rotation.LETTERS.held().values()) == 1
    letters.send_due(at=LATER)
    assert key_rotation.LETTERS.held() == {}


def test_what_cannot_be_opened_is_counted_and_left(stranger: Request, settings: Any) -> None:
    settings.FIELD_KEYS = Ring({"other": os.urandom(32)})
    assert walk(key_rotation.UNKNOWN, batch=100) == (0, 5)
    assert walk(key_rotation.LETTERS, batch=100) == (0, 1)


def test_a_letter_that_is_being_sent_is_left_to_the_next_walk(stranger: Request, settings: Any) -> None:
    turned(settings)
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SELECT id FROM requests_app_letter FOR UPDATE")
        assert walk(key_rotation.LETTERS, batch=100) == (0, 0)
    finally:
        other.rollback()
        other.close()
    assert walk(key_rotation.LETTERS, batch=100) == (1, 0)
    assert Letter.objects.get().state == Letter.WAITING
