"""A disk that is full, or may not be written: said plainly, nothing kept, nothing half-written; then all is well."""

import io
import logging
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from uuid_utils.compat import uuid7

from consents.models import Subject
from portal import clock, problems, sealed_files
from portal.errors import NoRoom
from portal.models import User
from requests_app import packages
from requests_app.models import Attachment, IdentityCheck, Message, Package, Request, RequestImport
from requests_app.packages import building
from requests_app.states import CheckMethod, FileUse, PackageStatus
from tests import small_disks
from tests.conftest import BY, SignIn, lose_counts
from tests.requests_app.admin import test_imports as imports
from tests.requests_app.admin.test_packages import shown
from tests.requests_app.asking import received
from tests.requests_app.packages import packing
from tests.requests_app.packages.packing import SOON, access, file_of, opened, post
from tests.requests_app.packages.test_building import forget_lease
from tests.requests_app.pages.test_asking import CHECK, FOR_A_CHILD, WHO, choose, send

pytestmark = pytest.mark.django_db

SMALL, LARGE = b"word for word " * 20_000, b"a page of it " * 300_000
"""One that is kept in memory on its way, and one that is not."""


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Path]:
    with small_disks.mounted(tmp_path / "small", mebibytes=12) as place:
        yield place


class Disk:
    """Where files are kept."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def fill(self, *, free: int = 100_000) -> None:
        (self.place / "ballast").write_bytes(os.urandom(shutil.disk_usage(self.place).free - free))

    def lock(self) -> None:
        """Nobody may write, not even the tests' own user."""
        subprocess.run(["mount", "-o", "remount,ro", str(self.place)], check=True)

    def mend(self) -> None:
        subprocess.run(["mount", "-o", "remount,rw", str(self.place)], check=True)
        (self.place / "ballast").unlink(missing_ok=True)

    def files(self) -> list[str]:
        return [one.name for one in self.place.rglob("*") if one.is_file() and one.name != "ballast"]


@pytest.fixture
def disk(mount: Path, settings: Any) -> Disk:
    settings.FILES_DIR = mount / "files"
    lose_counts(settings)
    return Disk(mount)


@pytest.fixture(params=["full", "locked"])
def broken(request: Any, disk: Disk) -> Disk:
    if request.param == "full":
        disk.fill()
    else:
        disk.lock()
    return disk


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


def is_said(answer: Any, log: pytest.LogCaptureFixture) -> bool:
    """To who sent it, and to the operators; to these nothing of what was sent."""
    assert answer.status_code == 507, answer.status_code
    told = answer.content.decode()
    assert "It is not your fault. Nothing of what you just sent was kept" in told
    assert answer["Retry-After"]
    (line,) = [one for one in log.records if "files.no_room" in one.getMessage()]
    assert line.levelno == logging.ERROR
    return not [word for word in ("word for word", "my-divorce", "Here it is") if word in log.text]


def file(content: bytes, name: str = "my-divorce.txt") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
def test_a_message_with_a_file_finds_no_room(
    broken: Disk, alice: Subject, signed_in: SignIn, log: pytest.LogCaptureFixture, content: bytes
) -> None:
    request, browser = received(alice), signed_in(alice)
    page = f"/requests/{request.reference}/messages/"
    assert is_said(browser.post(page, {"body": "Here it is.", "attached": [file(content)]}), log)
    assert not Message.objects.exists()
    assert not Attachment.objects.exists()
    assert broken.files() == []
    broken.mend()
    assert browser.post(page, {"body": "Here it is.", "attached": [file(content)]}).status_code == 302
    assert Attachment.objects.get().size == len(content)


def test_of_several_files_none_is_kept(
    disk: Disk, alice: Subject, signed_in: SignIn, log: pytest.LogCaptureFixture
) -> None:
    disk.fill(free=400_000)
    request, browser = received(alice), signed_in(alice)
    sent = {"body": "Here it is.", "attached": [file(SMALL), file(SMALL, "b.txt")]}
    assert is_said(browser.post(f"/requests/{request.reference}/messages/", sent), log)
    assert (Attachment.objects.count(), disk.files()) == (0, [])


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
def test_a_document_that_staff_asked_for(
    broken: Disk, alice: Subject, signed_in: SignIn, log: pytest.LogCaptureFixture, content: bytes
) -> None:
    request, at = received(alice), clock.now()
    said = {"asked_by": BY, "asked_at": at, "expires_at": at + timedelta(days=14)}
    IdentityCheck.objects.create(request=request, method=CheckMethod.DOCUMENT, **said)
    answer = signed_in(alice).post(f"/requests/{request.reference}/proof/", {"document": [file(content)]})
    assert is_said(answer, log)
    assert (Attachment.objects.count(), broken.files()) == (0, [])


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
def test_a_request_is_not_taken_in_without_its_evidence(
    broken: Disk, world: None, log: pytest.LogCaptureFixture, content: bytes
) -> None:
    stranger = Client()
    choose(stranger, "access")
    stranger.post(WHO, FOR_A_CHILD)
    assert is_said(send(stranger, evidence=[file(content)]), log)
    assert (Request.objects.count(), Attachment.objects.count(), broken.files()) == (0, 0, [])
    broken.mend()
    send(stranger, evidence=[file(content)])
    assert [one.use for one in Request.objects.get().attachments.all()] == [FileUse.AUTHORITY]


def test_where_the_forms_token_is_looked_at_first(
    broken: Disk, alice: Subject, signed_in: SignIn, log: pytest.LogCaptureFixture
) -> None:
    """As every browser has it: the token is among what is sent, so all of that is read before any page is reached."""
    browser = signed_in(alice)
    browser.handler.enforce_csrf_checks = True
    browser.cookies["csrftoken"] = "a" * 32
    for page in (CHECK, f"/requests/{received(alice).reference}/messages/", imports.ADD):
        log.clear()
        assert is_said(browser.post(page, {"attached": file(LARGE)}), log)
    assert broken.files() == []


@pytest.mark.parametrize("more", [200_000, 3_000_000], ids=["small", "large"])
def test_staffs_file_of_requests(
    broken: Disk, world: None, bob: User, signed_in: SignIn, log: pytest.LogCaptureFixture, more: int
) -> None:
    browser = signed_in(bob)
    assert is_said(imports.upload(browser, imports.content() + b"," * more), log)
    assert (RequestImport.objects.count(), broken.files()) == (0, [])
    broken.mend()
    assert imports.upload(browser, imports.content()).status_code == 302


def test_the_command_says_so_too(broken: Disk, world: None, tmp_path: Path) -> None:
    (tmp_path / "tickets.csv").write_bytes(imports.content() + b"," * 200_000)
    with pytest.raises(CommandError, match="Files cannot be kept at present"):
        call_command("import_requests", str(tmp_path / "tickets.csv"), stdout=io.StringIO())
    assert broken.files() == []


def test_a_call_of_the_api_is_answered_with_a_problem() -> None:
    answer = problems.handle(NoRoom(), {})
    assert answer is not None
    assert (answer.status_code, answer.data["code"]) == (507, "no_room")
    assert "not your fault" in answer.data["detail"]


class TestPackages:
    @pytest.fixture
    def request_(self, disk: Disk, alice: Subject, tmp_path: Path) -> Request:
        noise = (os.urandom(150_000).hex() for _ in range(4))
        packing.posts(tmp_path / "posts", *(post("alice", number, text) for number, text in enumerate(noise)))
        return access(alice)

    def test_a_build_waits_and_says_why_and_then_is_done(
        self, disk: Disk, request_: Request, bob: User, signed_in: SignIn, log: pytest.LogCaptureFixture
    ) -> None:
        disk.fill()
        package = packages.ask(request=request_, by=BY, at=SOON)
        assert packages.build_next(holder="test", clock=lambda: SOON)
        package.refresh_from_db()
        assert (package.status, package.attempts, package.last_reason) == (PackageStatus.WAITING, 1, "no_room")
        assert disk.files() == []
        assert "there is no room left where files are kept" in shown(signed_in(bob), request_)
        assert [one for one in log.records if "files.no_room" in one.getMessage()]
        disk.mend()
        forget_lease()
        assert packages.build_next(holder="test", clock=lambda: SOON)
        package.refresh_from_db()
        assert (package.status, package.last_reason) == (PackageStatus.REVIEW, "")
        assert len(opened(package).rows("dataset-posts")) == 4

    def test_in_the_end_staff_are_told_and_may_begin_anew(
        self, broken: Disk, request_: Request, bob: User, signed_in: SignIn
    ) -> None:
        package = packages.ask(request=request_, by=BY, at=SOON)
        for _ in range(building.BUDGET):
            assert packages.build_next(holder="test", clock=lambda: SOON)
            forget_lease()
        package.refresh_from_db()
        assert (package.status, package.last_reason) == (PackageStatus.FAILED, "no_room")
        assert request_.timeline.get(code="package_failed").details == {"reason": "no_room"}
        assert "there is no room left where files are kept" in shown(signed_in(bob), request_)
        broken.mend()
        assert file_of(packing.built(request_)).exists()
        assert Package.objects.count() == 2


def test_what_is_there_already_is_read_all_the_same(disk: Disk) -> None:
    path, key = sealed_files.path_of("attachments", uuid7()), sealed_files.new_key()
    with sealed_files.create(path, key=key) as writer:
        writer.write(SMALL)
    disk.fill(free=0)
    assert b"".join(sealed_files.read(path, key=key)) == SMALL
    with pytest.raises(NoRoom), sealed_files.create(path, key=key) as writer:
        writer.write(SMALL)
    assert b"".join(sealed_files.read(path, key=key)) == SMALL
    assert disk.files() == [path.name]
