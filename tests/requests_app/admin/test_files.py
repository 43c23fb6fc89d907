"""Files as staff get them: by their role, one by one, each time in the trail."""

import io
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from consents.models import Subject
from portal.models import AuditEntry, User
from portal.roles import AUDITOR
from requests_app import attachments
from requests_app.models import Attachment
from requests_app.states import FileUse
from tests.conftest import BY, SignIn, staff_member
from tests.requests_app.asking import LATER, SOON, received
from tests.requests_app.files import PDF

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> None:
    settings.FILES_DIR = tmp_path / "files"


def added(alice: Subject, use: str = FileUse.MESSAGE) -> Attachment:
    stream = io.BytesIO(PDF)
    return attachments.add(request=received(alice), use=use, name="id.pdf", stream=stream, by=BY, at=SOON)


def path_of(pk: object) -> str:
    return reverse("admin:requests_app_attachment_download", args=[pk])


def test_an_agent_fetches_a_file_and_the_trail_knows(alice: Subject, bob: User, signed_in: SignIn) -> None:
    file = added(alice, FileUse.IDENTITY)
    answer = signed_in(bob).get(path_of(file.pk))
    assert b"".join(answer.streaming_content) == PDF  # type: ignore[attr-defined]
    assert answer["Content-Disposition"].startswith('attachment; filename="id.pdf"')
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    told = AuditEntry.objects.get(action="request.open_file")
    assert (told.actor, told.object_id) == (f"staff:{bob.pk}", str(file.request_id))
    assert told.details == {"file": str(file.pk), "use": "identity"}


def test_an_auditor_reads_messages_files_and_no_evidence_of_who_somebody_is(alice: Subject, signed_in: SignIn) -> None:
    message, identity = added(alice), added(alice, FileUse.IDENTITY)
    browser = signed_in(staff_member("ada", AUDITOR))
    assert browser.get(path_of(message.pk)).status_code == 200
    assert browser.get(path_of(identity.pk)).status_code == 403
    assert AuditEntry.objects.filter(action="request.open_file").count() == 1


def test_without_a_role_or_a_second_factor_nobody_gets_anything(alice: Subject, bob: User, signed_in: SignIn) -> None:
    file = added(alice)
    assert signed_in(staff_member("nemo", None)).get(path_of(file.pk)).status_code == 403
    assert signed_in(bob, second_factor=False).get(path_of(file.pk)).status_code == 302
    assert signed_in(alice).get(path_of(file.pk), follow=True).status_code == 403
    assert not AuditEntry.objects.filter(action="request.open_file").exists()


def test_what_is_unknown_or_deleted_is_not_found(alice: Subject, bob: User, signed_in: SignIn) -> None:
    file = added(alice)
    attachments.delete(attachment=file, by=BY, at=LATER)
    browser = signed_in(bob)
    assert browser.get(path_of(file.pk)).status_code == 404
    assert browser.get(path_of(uuid.UUID(int=7))).status_code == 404
    assert not AuditEntry.objects.filter(action="request.open_file").exists()


def test_there_is_no_list_of_files(alice: Subject, petra: User, signed_in: SignIn) -> None:
    added(alice)
    browser = signed_in(petra)
    assert browser.get("/admin/requests_app/attachment/").status_code == 404
    assert "requests_app/attachment" not in browser.get("/admin/").content.decode()
