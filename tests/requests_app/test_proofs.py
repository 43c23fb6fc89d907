"""Evidence of who somebody is goes when the request ends, and nothing else does."""

from pathlib import Path
from typing import Any

import pytest

from portal import sealed_files
from requests_app import identity, proofs, sealing, tasks, workflow
from requests_app.models import Attachment, Request
from requests_app.states import CheckStatus, FileUse, Status
from tests.conftest import AT, BY
from tests.requests_app.proving import SOON, ask, typed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("world")]


@pytest.fixture(autouse=True)
def own_files(settings: Any, tmp_path: Path) -> None:
    settings.FILES_DIR = tmp_path


def attached(request: Request, use: str) -> Attachment:
    one = Attachment(request=request, use=use, content_type="image/png", size=3, sha256="", uploaded_at=AT)
    key = sealed_files.new_key()
    with sealed_files.create(sealed_files.path_of("attachments", one.pk), key=key) as file:
        file.write(b"png")
    one.sealed_name = sealing.seal(request, "passport.png", context=sealing.FILE_NAME)
    one.sealed_key = sealing.seal(request, key.hex(), context=sealing.FILE_KEY)
    one.save()
    return one


def is_there(one: Attachment) -> bool:
    one.refresh_from_db()
    on_disk = sealed_files.path_of("attachments", one.pk).exists()
    assert on_disk == (one.deleted_at is None) == (one.sealed_key is not None)
    return on_disk


@pytest.mark.django_db(transaction=True)
def test_evidence_is_deleted_and_codes_end_and_other_files_stay() -> None:
    request = typed("access")[0]
    ask(request)
    passport, letter = attached(request, FileUse.IDENTITY), attached(request, FileUse.AUTHORITY)
    message = attached(request, FileUse.MESSAGE)
    assert identity.delete_evidence(request=request, by=BY, at=SOON) == 2
    assert [is_there(one) for one in (passport, letter, message)] == [False, False, True]
    [check] = request.checks.all()
    assert (check.status, check.code_digest, check.sealed_target) == (CheckStatus.EXPIRED, None, None)
    told = request.timeline.get(code="evidence_deleted")
    assert (told.actor, told.details) == (BY, {"files": 2})
    # once more changes nothing
    assert identity.delete_evidence(request=request, by=BY, at=SOON) == 0
    assert request.timeline.filter(code="evidence_deleted").count() == 1


def test_evidence_of_others_stays() -> None:
    mine, theirs = typed("access")[0], typed("access", contact="mia@example.org")[0]
    passport = attached(theirs, FileUse.IDENTITY)
    ask(theirs)
    assert proofs.delete_evidence(request=mine, by=BY, at=SOON) == 0
    assert is_there(passport)
    assert theirs.checks.get().status == CheckStatus.PENDING


@pytest.mark.django_db(transaction=True)
def test_what_runs_out_loses_its_evidence_and_beat_sees_to_it() -> None:
    request = typed("access")[0]
    passport = attached(request, FileUse.IDENTITY)
    # by the wall clock, the two weeks after AT are long over
    tasks.expire_unproven()
    request.refresh_from_db()
    assert request.status == Status.EXPIRED
    assert not is_there(passport)


def test_what_one_shows_for_a_group_stays_while_another_waits() -> None:
    first, second = typed("access", "erasure")
    code, file = ask(first), attached(first, FileUse.IDENTITY)
    workflow.withdraw(request=first, by=BY, at=SOON)
    assert first.checks.get(pk=code.check_id).status == CheckStatus.PENDING
    file.refresh_from_db()
    assert file.deleted_at is None
    workflow.expire(request=second, by=BY, at=SOON)
    file.refresh_from_db()
    assert file.deleted_at == SOON
