"""Released to the person alone, counted, and deleted when its time is over; the row says that there was one."""

import io
import os
import time
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consents import subjects
from consents.models import Subject
from portal import actors, audit
from portal.errors import Conflict, NotFound
from portal.models import AuditEntry
from requests_app import packages, workflow
from requests_app.models import Letter, Package, PackageDownload, Request
from requests_app.packages import releasing
from requests_app.states import FileUse, PackageStatus
from tests.conftest import BY
from tests.requests_app.packages import packing
from tests.requests_app.packages.packing import LATER, SOON, access, built, file_of, opened, post, released

pytestmark = pytest.mark.django_db


def fetch(package: Package, subject: Subject, at: Any = LATER) -> bytes:
    return b"".join(packages.download(package=package, by=actors.subject(subject.pk), at=at))


def test_it_is_released_for_a_time_and_the_person_is_written_to(
    alice: Subject, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[object] = []
    monkeypatch.setattr(releasing, "_write", lambda request, at: written.append((request.pk, at)))
    package = released(access(alice))
    assert (package.status, package.released_by) == (PackageStatus.READY, BY)
    assert package.expires_at == SOON + settings.PACKAGE_KEPT
    assert written == [(package.request_id, SOON)]
    assert package.request.timeline.filter(code="package_released").exists()


def test_each_download_is_counted_and_told(alice: Subject, tmp_path: Path) -> None:
    packing.posts(tmp_path / "posts", post("alice", 1))
    package = released(access(alice))
    content = fetch(package, alice)
    assert len(content) == package.size
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert "json/dataset-posts.json" in archive.namelist()
    fetch(package, alice)
    assert [one.actor for one in package.downloads.all()] == [f"subject:{alice.pk}"] * 2
    assert package.request.timeline.filter(code="package_downloaded").count() == 2


def test_staff_look_into_it_before_release_which_is_audited_and_no_download(alice: Subject) -> None:
    package = built(access(alice))
    assert b"".join(packages.look_into(package=package, by=BY, at=SOON))[:2] == b"PK"
    assert not PackageDownload.objects.exists()
    assert AuditEntry.objects.filter(action="request.package_looked_into", actor=BY).count() == 1


def test_nothing_is_handed_out_while_it_is_doubted_who_asks(alice: Subject) -> None:
    ready, looked_at = released(access(alice)), built(access(alice, right="portability"))
    for package in (ready, looked_at):
        workflow.doubt(request=package.request, by=BY, at=SOON)
    with pytest.raises(Conflict) as refused:
        fetch(ready, alice)
    assert refused.value.code == "not_ready"
    with pytest.raises(Conflict) as refused:
        packages.release(package=looked_at, by=BY, at=LATER)
    assert refused.value.code == "not_proven"
    assert not PackageDownload.objects.exists()


def test_nothing_is_handed_out_once_it_was_taken_back(alice: Subject) -> None:
    package = released(access(alice))
    workflow.withdraw(request=package.request, by=actors.subject(alice.pk), at=SOON)
    with pytest.raises(Conflict) as refused:
        fetch(package, alice)
    assert refused.value.code == "package_deleted"


def test_what_is_not_ready_is_refused(alice: Subject) -> None:
    request = access(alice)
    package = packages.ask(request=request, by=BY, at=SOON)
    for act in (packages.download, packages.look_into):
        with pytest.raises(Conflict) as refused:
            act(package=package, by=BY, at=SOON)
        assert refused.value.code == "not_ready"
    assert packages.build_next(holder="test", clock=lambda: SOON)
    with pytest.raises(Conflict) as refused:
        packages.download(package=package, by=BY, at=SOON)
    assert refused.value.code == "not_ready"
    assert not PackageDownload.objects.exists()


def test_it_expires_to_the_second(alice: Subject, settings: Any) -> None:
    package = released(access(alice))
    fetch(package, alice, at=SOON + settings.PACKAGE_KEPT - timedelta(seconds=1))
    with pytest.raises(Conflict) as refused:
        fetch(package, alice, at=SOON + settings.PACKAGE_KEPT)
    assert refused.value.code == "package_expired"
    assert package.downloads.count() == 1


def test_what_expired_is_deleted_and_the_row_stays(alice: Subject, settings: Any) -> None:
    package = released(access(alice))
    assert packages.delete_expired(at=SOON + settings.PACKAGE_KEPT - timedelta(seconds=1)) == 0
    assert packages.delete_expired(at=SOON + settings.PACKAGE_KEPT) == 1
    assert not file_of(package).exists()
    package.refresh_from_db()
    assert (package.status, package.sealed_key) == (PackageStatus.DELETED, None)
    assert package.sha256
    assert package.request.timeline.get(code="package_deleted").details == {"reason": "expired"}
    assert packages.delete_expired(at=SOON + settings.PACKAGE_KEPT) == 0
    for act in (packages.download, packages.look_into):
        with pytest.raises(Conflict) as refused:
            act(package=package, by=BY, at=SOON)
        assert refused.value.code == "package_deleted"


def test_an_erased_persons_answer_cannot_be_read_at_once_and_is_deleted(alice: Subject) -> None:
    package = released(access(alice))
    subjects.forget(subject=alice, by=BY, at=LATER)
    package = Package.objects.select_related("request__subject").get(pk=package.pk)
    with pytest.raises(NotFound) as refused:
        packages.download(package=package, by=BY, at=LATER)
    assert refused.value.code == "package_gone"
    assert packages.delete_expired(at=LATER) == 1
    assert not file_of(package).exists()


def test_a_withdrawn_requests_answer_is_deleted(alice: Subject) -> None:
    request = access(alice)
    package = released(request)
    workflow.withdraw(request=request, by=BY, at=LATER)
    assert packages.delete_expired(at=LATER) == 1
    assert not file_of(package).exists()
    waiting = built(access(alice))
    workflow.withdraw(request=waiting.request, by=BY, at=LATER)
    with pytest.raises(Conflict) as refused:
        packages.release(package=waiting, by=BY, at=LATER)
    assert refused.value.code == "closed"


def test_a_file_that_is_gone_is_said_to_be(alice: Subject) -> None:
    package = released(access(alice))
    file_of(package).unlink()
    with pytest.raises(NotFound) as refused:
        fetch(package, alice)
    assert refused.value.code == "package_gone"
    assert not PackageDownload.objects.exists()


def test_a_newer_answer_takes_the_place_of_an_earlier_one_when_it_is_released(alice: Subject) -> None:
    request = access(alice)
    first = released(request)
    second = built(request)
    # until then the person can fetch the earlier one
    assert packages.current(request) == first
    assert packages.newest(request) == second
    packages.release(package=second, by=BY, at=LATER)
    first.refresh_from_db()
    assert (first.status, file_of(first).exists()) == (PackageStatus.DELETED, False)
    assert packages.current(request) == second
    assert opened(second).parts


@pytest.mark.parametrize("status", ["waiting", "building", "ready", "failed", "deleted"])
def test_only_what_waits_for_staff_is_released(alice: Subject, status: str) -> None:
    package = built(access(alice))
    Package.objects.filter(pk=package.pk).update(status=status, released_at=SOON, expires_at=LATER)
    package.refresh_from_db()
    assert not packages.can_release(package)
    with pytest.raises(Conflict) as refused:
        packages.release(package=package, by=BY, at=SOON)
    assert refused.value.code == "wrong_state"


def test_where_the_trail_fails_nothing_is_released(alice: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    package = built(access(alice))

    def fails(**_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(audit, "record", fails)
    with pytest.raises(RuntimeError):
        packages.release(package=package, by=BY, at=SOON)
    with pytest.raises(RuntimeError):
        packages.look_into(package=package, by=BY, at=SOON)
    package.refresh_from_db()
    assert package.status == PackageStatus.REVIEW


def test_what_dead_builders_left_is_swept_and_what_is_being_written_is_not(alice: Subject) -> None:
    package = built(access(alice))
    old, fresh = (file_of(package).with_name(f"x.{name}.part") for name in ("old", "fresh"))
    for part in (old, fresh):
        part.write_bytes(b"half")
    now = time.time()
    os.utime(old, (SOON.timestamp() - 3600, SOON.timestamp() - 3600))
    os.utime(fresh, (now, now))
    packages.delete_expired(at=SOON)
    assert (old.exists(), fresh.exists(), file_of(package).exists()) == (False, True, True)


def test_a_letter_waits_to_tell_of_it(alice: Subject) -> None:
    pytest.importorskip("requests_app.letters")
    package = released(access(alice))
    assert [letter.code for letter in Letter.objects.filter(request=package.request)] == ["package_ready"]


def test_what_staff_bring_from_other_systems_is_in_the_answer(alice: Subject) -> None:
    attachments = pytest.importorskip("requests_app.attachments")
    request = access(alice)
    for use, name, content in ((FileUse.ANSWER, "crm.txt", b"from the CRM"), (FileUse.TASK, "proof.txt", b"done")):
        attachments.add(request=request, use=use, name=name, stream=io.BytesIO(content), by=BY, at=SOON)
    found = opened(built(request))
    (row,) = found.rows("files")
    assert (row["name"], found.files[row["file"]]) == ("crm.txt", b"from the CRM")


def test_while_it_is_doubted_who_asks_nothing_is_released(alice: Subject) -> None:
    package = built(access(alice))
    Request.objects.update(status="received")
    workflow.doubt(request=package.request, by=BY, at=SOON)
    with pytest.raises(Conflict) as refused:
        packages.release(package=package, by=BY, at=LATER)
    assert refused.value.code == "not_proven"
