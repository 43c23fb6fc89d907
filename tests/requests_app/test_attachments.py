"""Files of requests: looked at before anything is kept, encrypted where they lie, and gone without a trace of whose."""

import io
import os
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from consents import subjects
from consents.models import Subject
from portal import actors, audit, clock, sealed_files
from portal.errors import Conflict, DomainError, NotFound, TooLarge
from portal.models import User
from requests_app import attachments, intake, workflow
from requests_app.file_kinds import FileRefused
from requests_app.models import Attachment, Request, TimelineEntry
from requests_app.states import FileUse, Scan
from requests_app.virus_scanner import Infected, ScannerAway
from tests.conftest import AT, BY
from tests.requests_app import clamd
from tests.requests_app.asking import LATER, SOON, received, withdrawn
from tests.requests_app.clamd import Scanner
from tests.requests_app.files import EICAR, GOOD, PDF, TEXT

pytestmark = pytest.mark.django_db

committed = pytest.mark.django_db(transaction=True)
"""Of tests in which a transaction has to end."""


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.FILES_DIR = tmp_path / "files"
    return tmp_path / "files" / attachments.FOLDER


@pytest.fixture
def scanner(settings: Any) -> Iterator[Scanner]:
    with clamd.running() as running:
        settings.CLAMAV = running.address
        yield running


def lying(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*/*") if path.is_file())


def added(
    request: Request, content: bytes = PDF, *, name: str = "letter.pdf", use: str = FileUse.MESSAGE
) -> Attachment:
    by = actors.subject(request.subject_id or "nobody")
    return attachments.add(request=request, use=use, name=name, stream=io.BytesIO(content), by=by, at=SOON)


@pytest.mark.parametrize("name", GOOD)
def test_a_file_comes_back_as_it_was_sent(alice: Subject, folder: Path, name: str) -> None:
    content, kind = GOOD[name]
    kept = added(received(alice), content, name=f"../{name}")
    assert b"".join(attachments.open_file(kept)) == content
    stem = name.partition(".")[0]
    assert (attachments.name_of(kept) or "").startswith(f"{stem}.")
    assert (kept.content_type, kept.size, kept.scan) == (kind, len(content), Scan.NONE)
    (lies,) = lying(folder)
    assert content[:20] not in lies.read_bytes()
    assert stem not in str(lies)


def test_it_is_told_without_its_name(alice: Subject) -> None:
    request = received(alice)
    kept = added(request, name="my divorce.pdf")
    told = request.timeline.get(code="file_added")
    assert told.details == {"file": str(kept.pk), "use": "message", "type": "application/pdf", "size": len(PDF)}
    assert told.actor == actors.subject(alice.pk)


def test_what_is_known_of_a_stranger_is_sealed_and_comes_along(world: None, alice: Subject) -> None:
    asked = intake.Asked(rights=("access",), jurisdiction="US")
    contact = subjects.name("email", "alice@example.org")
    (request,) = intake.receive_unproven(asked=asked, contact=contact, by=BY, at=AT)
    kept = attachments.add(
        request=request, use=FileUse.IDENTITY, name="id.pdf", stream=io.BytesIO(PDF), by="visitor:x", at=SOON
    )
    with transaction.atomic():
        locked = Request.objects.select_for_update().get(pk=request.pk)
        attachments.sealing.adopt(locked, alice)
        locked.save()
    kept = Attachment.objects.get(pk=kept.pk)
    assert b"".join(attachments.open_file(kept)) == PDF
    subjects.forget(subject=alice, by=BY, at=LATER)
    kept = Attachment.objects.get(pk=kept.pk)
    assert attachments.name_of(kept) is None
    with pytest.raises(NotFound):
        attachments.open_file(kept)


class Endless(io.RawIOBase):
    """More than anybody could send; counts what was read of it."""

    taken = 0

    def read(self, size: int = -1, /) -> bytes:
        self.taken += size
        return b"a" * size


def test_an_oversized_file_is_read_no_further_than_needed(alice: Subject, folder: Path, settings: Any) -> None:
    settings.LARGEST_FILE = 1024 * 1024
    stream = Endless()
    with pytest.raises(TooLarge) as refused:
        attachments.add(request=received(alice), use=FileUse.MESSAGE, name="a.txt", stream=stream, by=BY, at=SOON)
    assert refused.value.code == "file_too_large"
    assert stream.taken < 2 * 1024 * 1024
    assert not lying(folder)


def test_a_file_of_exactly_the_limit_is_taken(alice: Subject, settings: Any) -> None:
    settings.LARGEST_FILE = len(TEXT)
    assert added(received(alice), TEXT, name="a.txt").size == len(TEXT)


def test_all_files_together_have_a_limit_and_deleted_ones_do_not_count(
    alice: Subject, folder: Path, settings: Any
) -> None:
    settings.LARGEST_FILES_OF_REQUEST = 2 * len(PDF)
    request = received(alice)
    first = added(request)
    added(request)
    with pytest.raises(TooLarge) as refused:
        added(request)
    assert refused.value.code == "files_too_large"
    assert len(lying(folder)) == 2
    attachments.delete(attachment=first, by=BY, at=LATER)
    added(request)


@committed
def test_two_uploads_at_once_are_both_counted(alice: Subject, folder: Path, settings: Any) -> None:
    settings.LARGEST_FILES_OF_REQUEST = len(PDF)
    request = received(alice)
    together = threading.Barrier(2)

    def upload() -> str:
        try:
            together.wait(timeout=30)
            added(request)
        except TooLarge as refused:
            return refused.code
        finally:
            connection.close()
        return "kept"

    with ThreadPoolExecutor(2) as pool:
        outcomes = [one.result() for one in [pool.submit(upload), pool.submit(upload)]]
    assert sorted(outcomes) == ["files_too_large", "kept"]
    assert len(lying(folder)) == 1


def test_of_somebody_who_was_erased_nothing_is_kept(alice: Subject, folder: Path) -> None:
    request = received(alice)
    subjects.forget(subject=alice, by=BY, at=SOON)
    with pytest.raises(Conflict) as refused:
        added(request)
    assert refused.value.code == "erased"
    assert not lying(folder)


def test_there_are_only_so_many_files(alice: Subject, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "MOST_OF_REQUEST", 2)
    request = received(alice)
    added(request)
    added(request)
    with pytest.raises(TooLarge) as refused:
        added(request)
    assert refused.value.code == "too_many_files"
    assert len(lying(folder)) == 2


@pytest.mark.parametrize(("content", "name"), [(PDF, "a.exe"), (b"MZ" + bytes(400), "a.pdf"), (b"", "a.txt")])
def test_nothing_is_kept_of_a_file_that_is_refused(alice: Subject, folder: Path, content: bytes, name: str) -> None:
    request = received(alice)
    with pytest.raises(FileRefused):
        added(request, content, name=name)
    assert not lying(folder)
    assert not Attachment.objects.exists()
    assert request.timeline.count() == 1


def test_a_closed_request_takes_no_files(alice: Subject, bob: User, folder: Path) -> None:
    request = withdrawn(alice, bob)
    with pytest.raises(Conflict) as refused:
        added(request)
    assert refused.value.code == "request_closed"
    assert not lying(folder)


def test_a_request_that_is_closed_meanwhile_takes_no_files(alice: Subject, folder: Path) -> None:
    request = received(alice)
    workflow.withdraw(request=Request.objects.get(pk=request.pk), by=BY, at=SOON)
    with pytest.raises(Conflict):
        added(request)
    assert not lying(folder)


def test_nothing_is_kept_where_the_trail_fails(alice: Subject, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = received(alice)

    def fail(**_: Any) -> None:
        raise DatabaseError

    monkeypatch.setattr(audit, "record", fail)
    with pytest.raises(DatabaseError):
        added(request)
    assert not Attachment.objects.exists()
    assert not lying(folder)


# --- deleting


@committed
def test_deleting_leaves_only_that_there_was_a_file(alice: Subject, folder: Path) -> None:
    request = received(alice)
    kept = added(request, use=FileUse.IDENTITY)
    attachments.delete(attachment=kept, by=BY, at=LATER)
    kept.refresh_from_db()
    assert (kept.deleted_at, kept.sealed_name, kept.sealed_key, kept.sha256) == (LATER, None, None, "")
    assert not lying(folder)
    assert attachments.name_of(kept) is None
    with pytest.raises(NotFound):
        attachments.open_file(kept)
    assert request.timeline.get(code="file_deleted").details == {"file": str(kept.pk), "use": "identity"}
    # once more changes nothing
    attachments.delete(attachment=kept, by=BY, at=LATER + timedelta(days=1))
    assert request.timeline.filter(code="file_deleted").count() == 1


@committed
def test_a_deletion_that_is_rolled_back_loses_nothing(alice: Subject) -> None:
    kept = added(received(alice))
    with transaction.atomic():
        attachments.delete(attachment=kept, by=BY, at=LATER)
        transaction.set_rollback(True)
    kept.refresh_from_db()
    assert b"".join(attachments.open_file(kept)) == PDF


# --- what is left between a file and its row


def _aged(paths: list[Path]) -> None:
    long_ago = (clock.now() - timedelta(days=2)).timestamp()
    for path in paths:
        os.utime(path, (long_ago, long_ago))


@committed
def test_a_file_whose_transaction_was_rolled_back_is_swept_and_no_other(alice: Subject, folder: Path) -> None:
    request = received(alice)
    kept = added(request)
    with transaction.atomic():
        added(request)
        transaction.set_rollback(True)
    (folder / "ab").mkdir(exist_ok=True)
    (folder / "ab" / f"{uuid.uuid4().hex}.part").write_bytes(b"half")
    assert len(lying(folder)) == 3
    assert attachments.sweep(at=clock.now()) == 0, "its transaction may still be open"
    _aged(lying(folder))
    assert attachments.sweep(at=clock.now()) == 2
    assert b"".join(attachments.open_file(kept)) == PDF


@committed
def test_files_of_the_erased_are_swept(alice: Subject, folder: Path) -> None:
    kept = added(received(alice))
    subjects.forget(subject=alice, by=BY, at=LATER)
    attachments.sweep(at=clock.now())
    kept.refresh_from_db()
    assert kept.deleted_at is not None
    assert not lying(folder)


@committed
def test_files_of_somebody_who_never_showed_who_they_are_are_swept_once_it_is_closed(world: None, folder: Path) -> None:
    asked = intake.Asked(rights=("access",), jurisdiction="US")
    contact = subjects.name("email", "nobody@example.org")
    (request,) = intake.receive_unproven(asked=asked, contact=contact, by=BY, at=AT)
    kept = attachments.add(request=request, use=FileUse.IDENTITY, name="a", stream=io.BytesIO(PDF), by=BY, at=SOON)
    attachments.sweep(at=clock.now())
    kept.refresh_from_db()
    assert kept.deleted_at is None
    workflow.withdraw(request=request, by=BY, at=LATER)
    attachments.sweep(at=clock.now())
    kept.refresh_from_db()
    assert kept.deleted_at is not None
    assert not lying(folder)


def test_an_altered_file_is_told(alice: Subject, folder: Path) -> None:
    kept = added(received(alice))
    (lies,) = lying(folder)
    whole = lies.read_bytes()
    lies.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(sealed_files.SealedFileError) as altered:
        b"".join(attachments.open_file(kept))
    assert altered.value.code == "file_altered"


# --- the virus scanner


def test_a_scanned_file_says_so(alice: Subject, scanner: Scanner) -> None:
    assert added(received(alice)).scan == Scan.CLEAN
    assert scanner.seen == [PDF]


def test_an_infected_file_is_refused_and_on_the_timeline(alice: Subject, scanner: Scanner, folder: Path) -> None:
    request = received(alice)
    with pytest.raises(Infected):
        added(request, EICAR, name="eicar.txt")
    assert TimelineEntry.objects.get(code="file_infected").details == {"found": "Win.Test.EICAR_HDB-1"}
    assert not lying(folder)
    assert not Attachment.objects.exists()


def test_while_the_scanner_is_away_nothing_is_taken(alice: Subject, folder: Path, settings: Any) -> None:
    settings.CLAMAV = "unix:///nowhere/clamd.ctl"
    request = received(alice)
    with pytest.raises(ScannerAway):
        added(request)
    assert not lying(folder)
    assert request.timeline.count() == 1
    settings.CLAMAV = ""
    added(request)


def test_of_several_files_none_is_left_where_one_is_refused(alice: Subject, folder: Path) -> None:
    files = [("a.pdf", io.BytesIO(PDF)), ("b.exe", io.BytesIO(PDF))]
    with (
        pytest.raises(DomainError),
        attachments.taken(request=received(alice), use=FileUse.MESSAGE, files=files, by=BY, at=SOON),
    ):
        raise AssertionError("the second was taken")
    assert not lying(folder)
