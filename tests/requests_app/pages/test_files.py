"""Files as people get them: their own alone, as a download that no browser shows."""

import io
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from consents import subjects
from consents.models import Subject
from portal import actors
from portal.models import User
from requests_app import attachments, messages, workflow
from requests_app.models import Attachment, Request
from requests_app.states import FileUse
from tests.conftest import BY, SignIn
from tests.requests_app.asking import LATER, SOON, received
from tests.requests_app.files import GOOD, PDF, upload

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.FILES_DIR = tmp_path / "files"
    return tmp_path / "files" / attachments.FOLDER


def path_of(file: Attachment, request: Request | None = None) -> str:
    return f"/requests/{(request or file.request).reference}/files/{file.pk}/"


def sent(request: Request, name: str = "letter.pdf", content: bytes = PDF) -> Attachment:
    message = messages.send(request=request, body="See here", by=BY, at=SOON, files=[upload(name, content)])
    return message.attachments.get()


def added(request: Request, use: str, *, by: str = BY) -> Attachment:
    return attachments.add(request=request, use=use, name="a.pdf", stream=io.BytesIO(PDF), by=by, at=SOON)


def body_of(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


@pytest.mark.parametrize("name", GOOD)
def test_a_person_gets_what_was_sent_to_them(alice: Subject, signed_in: SignIn, name: str) -> None:
    content, kind = GOOD[name]
    answer = signed_in(alice).get(path_of(sent(received(alice), name, content)))
    assert (answer.status_code, body_of(answer)) == (200, content)
    shown = kind if kind in {"application/pdf", "image/jpeg", "image/png"} else "application/octet-stream"
    assert answer["Content-Type"] == shown
    assert answer["Content-Length"] == str(len(content))


def test_no_browser_shows_runs_or_keeps_it(alice: Subject, signed_in: SignIn) -> None:
    answer = signed_in(alice).get(path_of(sent(received(alice), "Bescheid „neu“.pdf")))
    assert answer["Content-Disposition"] == (
        "attachment; filename=\"Bescheid _neu_.pdf\"; filename*=UTF-8''Bescheid%20%E2%80%9Eneu%E2%80%9C.pdf"
    )
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in answer["Cache-Control"]


def test_a_file_is_nobody_elses(alice: Subject, charlie: Subject, signed_in: SignIn) -> None:
    file, own = sent(received(alice)), received(charlie)
    browser = signed_in(charlie)
    assert browser.get(path_of(file)).status_code == 404
    # nor by way of a request of one's own
    assert browser.get(path_of(file, own)).status_code == 404


def test_a_part_of_the_answer_is_not_given_where_there_was_none(alice: Subject, signed_in: SignIn) -> None:
    request = received(alice)
    part = added(request, FileUse.ANSWER)
    workflow.withdraw(request=request, by=actors.subject(alice.pk), at=LATER)
    assert signed_in(alice).get(path_of(part)).status_code == 404


def test_it_asks_to_sign_in_first(alice: Subject) -> None:
    answer = Client().get(path_of(sent(received(alice))))
    assert answer["Location"].startswith("/account/login/")


def test_staff_do_not_come_in_here(alice: Subject, petra: User, signed_in: SignIn) -> None:
    assert signed_in(petra).get(path_of(sent(received(alice)))).status_code == 403


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_it_is_only_fetched(alice: Subject, signed_in: SignIn, method: str) -> None:
    assert getattr(signed_in(alice), method)(path_of(sent(received(alice)))).status_code == 405


def test_an_unknown_file_is_not_found(alice: Subject, signed_in: SignIn) -> None:
    request = received(alice)
    browser = signed_in(alice)
    for address in (f"/requests/{request.reference}/files/{uuid.UUID(int=7)}/", "/requests/Q-1/files/x/"):
        assert browser.get(address).status_code == 404
    assert browser.get(f"/requests/nonsense/files/{sent(request).pk}/").status_code == 404


@pytest.mark.parametrize("gone", ["deleted", "lost", "erased"])
def test_a_file_that_is_gone_is_not_found(alice: Subject, signed_in: SignIn, folder: Path, gone: str) -> None:
    file = sent(received(alice))
    browser = signed_in(alice)
    if gone == "deleted":
        attachments.delete(attachment=file, by=BY, at=LATER)
    if gone == "lost":
        next(path for path in folder.glob("*/*") if path.is_file()).unlink()
    if gone == "erased":
        subjects.forget(subject=alice, by=BY, at=LATER)
    assert browser.get(path_of(file)).status_code in {302, 403, 404}


@pytest.mark.parametrize(
    ("use", "by_person", "status"),
    [
        (FileUse.IDENTITY, True, 200),
        (FileUse.AUTHORITY, False, 404),
        (FileUse.TASK, False, 404),
        (FileUse.ANSWER, False, 404),
    ],
)
def test_what_staff_keep_for_themselves_is_not_theirs(
    alice: Subject, signed_in: SignIn, use: str, by_person: bool, status: int
) -> None:
    file = added(received(alice), use, by=actors.subject(alice.pk) if by_person else BY)
    assert signed_in(alice).get(path_of(file)).status_code == status
