"""Packages are built by whoever is free, one at a time, and whoever dies is followed; nothing of theirs stays."""

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from consents import subjects
from consents.models import Subject
from portal import audit, sealed_files
from portal.errors import Conflict
from portal.leases import LeaseLost
from portal.models import AuditEntry, User
from requests_app import intake, packages, tasks, workflow
from requests_app.models import Package, Request
from requests_app.packages import archive, building, leases, spooling
from requests_app.packages.parts import Unreadable
from requests_app.states import PackageStatus
from tests.conftest import BY
from tests.requests_app.asking import asked, received
from tests.requests_app.packages import packing
from tests.requests_app.packages.packing import LATER, SOON, access, built, file_of, opened, post

pytestmark = pytest.mark.django_db


def build(holder: str = "test") -> bool:
    return packages.build_next(holder=holder, clock=lambda: SOON)


def forget_lease() -> None:
    """As if its time were over."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE requests_app_package SET lease_until = clock_timestamp() - interval '1 second'")


def left_behind(files: Path) -> list[str]:
    return [path.name for path in files.rglob("*") if path.is_file()]


def ask(request: Request) -> Package:
    return packages.ask(request=request, by=BY, at=SOON)


def test_a_package_waits_until_it_is_built_and_then_for_staff(alice: Subject, files: Path) -> None:
    request = access(alice)
    package = ask(request)
    assert (package.status, left_behind(files)) == (PackageStatus.WAITING, [])
    assert build()
    package.refresh_from_db()
    assert (package.status, package.attempts, package.holder, package.lease_until) == ("review", 1, "", None)
    assert package.built_at == SOON
    assert left_behind(files) == [file_of(package).name]
    assert not build()
    codes = [entry.code for entry in request.timeline.all()]
    assert codes == ["received", "package_asked", "package_built"]
    assert AuditEntry.objects.filter(action="request.package_built", object_id=str(request.pk)).exists()


def test_size_and_digest_are_those_of_the_file(alice: Subject) -> None:
    package = built(access(alice))
    key = building.key_of(package)
    assert key is not None
    content = b"".join(sealed_files.read(file_of(package), key=key))
    assert (package.size, package.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_what_lies_on_the_disk_says_nothing(alice: Subject, tmp_path: Path, files: Path) -> None:
    packing.posts(tmp_path / "posts", post("alice", 1, "a sentence that is mine alone"))
    package = built(access(alice))
    content = file_of(package).read_bytes()
    assert not [plain for plain in (b"alice", b"sentence", b"index.html", b"posts", b"PK\x01\x02") if plain in content]
    package.refresh_from_db()
    key = building.key_of(package)
    assert key is not None
    assert key not in bytes(package.sealed_key or b"")
    assert key.hex().encode() not in bytes(package.sealed_key or b"")
    assert oct(file_of(package).stat().st_mode & 0o777) == "0o600"


def test_the_rows_on_their_way_are_not_readable_either(
    alice: Subject, tmp_path: Path, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packing.posts(tmp_path / "posts", post("alice", 1, "a sentence that is mine alone" * 100))
    seen: list[bytes] = []
    rows = spooling.Spooled.rows

    def spied(read: spooling.Spooled) -> Any:
        assert read.file is not None
        read.file.seek(0)
        seen.append(read.file.read())
        return rows(read)

    monkeypatch.setattr(spooling.Spooled, "rows", spied)
    built(access(alice))
    assert seen
    assert not [content for content in seen if b"sentence" in content]


def test_one_at_a_time_for_each_request(alice: Subject) -> None:
    request = access(alice)
    ask(request)
    with pytest.raises(Conflict) as refused:
        ask(request)
    assert refused.value.code == "package_waits"
    assert build()
    assert ask(request).status == PackageStatus.WAITING


def test_a_builder_that_breaks_off_half_way_leaves_nothing_and_the_next_one_finishes(
    alice: Subject, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = ask(access(alice))
    tell, told = building._progress, list[str]()

    def dies(lease: leases.Lease, name: str) -> None:
        told.append(name)
        if name == "history":
            raise OSError("no room")
        tell(lease, name)

    monkeypatch.setattr(building, "_progress", dies)
    assert build()
    package.refresh_from_db()
    assert (package.status, package.last_reason, package.attempts) == (PackageStatus.WAITING, "OSError in choices", 1)
    assert left_behind(files) == []
    # it waits for a while, and then the next one takes it
    assert not build()
    forget_lease()
    monkeypatch.setattr(building, "_progress", tell)
    assert build("other")
    package.refresh_from_db()
    assert (package.status, package.last_reason, package.attempts) == (PackageStatus.REVIEW, "", 2)
    assert opened(package).parts[0] == "about"


def test_who_lost_the_lease_puts_nothing_in_place(alice: Subject, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A builder that slept too long: another one has finished when it wakes up."""
    package = ask(access(alice))
    write, slept = archive.write, list[bool]()

    def sleeps(*args: Any, **kwargs: Any) -> archive.Summary:
        summary = write(*args, **kwargs)
        if not slept:
            slept.append(True)
            forget_lease()
            assert build("other")
        return summary

    monkeypatch.setattr(archive, "write", sleeps)
    assert build()
    package.refresh_from_db()
    assert (package.status, package.attempts) == (PackageStatus.REVIEW, 2)
    assert left_behind(files) == [file_of(package).name]
    assert opened(package).parts


def test_what_was_begun_and_left_is_thrown_away_by_the_next(alice: Subject, files: Path) -> None:
    package = ask(access(alice))
    part = file_of(package).with_name(f"{file_of(package).name}.abc.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half")
    Package.objects.filter(pk=package.pk).update(status=PackageStatus.BUILDING, attempts=1, holder="dead")
    forget_lease()
    assert build()
    assert not part.exists()
    package.refresh_from_db()
    assert package.status == PackageStatus.REVIEW


def test_after_so_many_attempts_staff_have_to_look(
    alice: Subject, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = ask(access(alice))

    def fails(*_args: object, **_kwargs: object) -> None:
        raise Unreadable("odd", "m_alice is not readable")

    monkeypatch.setattr(archive, "write", fails)
    for attempt in range(1, building.BUDGET + 1):
        assert build()
        package.refresh_from_db()
        assert package.attempts == attempt
        forget_lease()
    assert (package.status, package.last_reason) == (PackageStatus.FAILED, "odd")
    assert not build()
    entry = package.request.timeline.get(code="package_failed")
    assert entry.details == {"reason": "odd"}
    # and it can be asked for again
    monkeypatch.undo()
    assert ask(package.request).status == PackageStatus.WAITING


def test_one_that_killed_every_builder_is_not_tried_for_ever(alice: Subject) -> None:
    package = ask(access(alice))
    Package.objects.update(status=PackageStatus.BUILDING, attempts=building.BUDGET, holder="dead")
    forget_lease()
    assert build()
    package.refresh_from_db()
    assert (package.status, package.last_reason) == (PackageStatus.FAILED, "attempts_used_up")


def test_no_more_are_built_at_once_than_may_be(alice: Subject, charlie: Subject, settings: Any) -> None:
    ask(access(alice))
    ask(access(charlie))
    assert leases.claim(holder="one") is not None
    assert leases.claim(holder="two") is None
    settings.PACKAGE_BUILDERS = 2
    assert leases.claim(holder="two") is not None
    assert leases.claim(holder="three") is None


def test_a_lease_that_somebody_else_has_is_not_extended(alice: Subject) -> None:
    ask(access(alice))
    first = leases.claim(holder="one")
    assert first is not None
    forget_lease()
    second = leases.claim(holder="two")
    assert second is not None
    leases.extend(second)
    with pytest.raises(LeaseLost):
        leases.extend(first)
    leases.put_off(first, wait=timedelta(), reason="late")
    assert Package.objects.get().last_reason == ""


def test_a_person_who_was_erased_meanwhile_gets_none(alice: Subject, files: Path) -> None:
    package = ask(access(alice))
    subjects.forget(subject=alice, by=BY, at=SOON)
    assert build()
    package.refresh_from_db()
    assert (package.status, package.last_reason) == (PackageStatus.FAILED, "erased")
    assert left_behind(files) == []


def test_it_is_refused_where_a_package_is_no_answer(alice: Subject) -> None:
    with pytest.raises(Conflict) as refused:
        ask(received(alice))
    assert refused.value.code == "no_package"
    assert packages.can_ask(received(alice, right="portability"))
    assert not packages.can_ask(received(alice, right="rectification"))


def test_it_is_refused_from_a_wrong_state(alice: Subject, charlie: Subject, grace: Subject) -> None:
    withdrawn = access(alice)
    workflow.withdraw(request=withdrawn, by=BY, at=SOON)
    unproven = asked_unproven(charlie)
    first = access(grace)
    second = asked(grace, "access")[0]
    assert second.duplicate_of == first
    codes = []
    for request in (withdrawn, unproven, second):
        with pytest.raises(Conflict) as refused:
            ask(request)
        codes.append(refused.value.code)
    assert codes == ["closed", "not_proven", "duplicate"]
    subjects.forget(subject=grace, by=BY, at=SOON)
    with pytest.raises(Conflict) as refused:
        ask(first)
    assert refused.value.code == "erased"


def asked_unproven(subject: Subject) -> Request:
    wish = intake.Asked(rights=("access",))
    return intake.receive(asked=wish, subject=subject, is_proven=False, by=BY, at=SOON)[0]


def test_where_the_trail_fails_nothing_is_asked_for(alice: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    request = access(alice)

    def fails(**_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(audit, "record", fails)
    with pytest.raises(RuntimeError):
        ask(request)
    assert not Package.objects.exists()


def test_the_worker_builds_and_deletes(alice: Subject, bob: User) -> None:
    package = ask(access(alice))
    tasks.build_packages(unknown="keyword")
    package.refresh_from_db()
    assert package.status == PackageStatus.REVIEW
    Package.objects.update(expires_at=LATER)
    tasks.delete_expired_packages()
    package.refresh_from_db()
    assert package.status == PackageStatus.DELETED
