"""A request from asking to proof through the real web server and workers: an answer with every row, then an erasure."""

import io
import json
import re
import zipfile

import pytest
import requests

from consents.models import Subject
from downstream.models import RemovalReceipt
from portal import clock, roles, sealed_files
from portal.demo import browsing
from requests_app import packages
from requests_app.models import Letter, Package, Request
from requests_app.states import PackageStatus, Right, Status
from tests.conftest import staff_member
from tests.journeys.conftest import Corpus, staff_browser
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]


def test_somebody_sees_their_data_and_then_has_it_erased(house: Stack, registered: Corpus) -> None:
    author, rows = registered.authors()[len(registered.authors()) // 10]
    member = browsing.sign_in(base=house.base, email=f"{author}@example.org", mail_dir=house.mail_dir)
    staff = staff_browser(house, staff_member("petra", roles.MANAGER))

    access = _ask(house, member, Right.ACCESS)
    _do(house, staff, access, "start")
    _do(house, staff, access, "carry_out")
    package = _built(house, access)
    answer = f"{house.base}/admin/requests_app/package/of/{access.pk}/"
    browsing.post(staff, answer, staff.get(answer, timeout=30).text, act="release", package=str(package.pk))
    _is(house, access, Status.FULFILLED, staff)
    content = member.get(f"{house.base}/requests/{access.reference}/answer.zip", timeout=60)
    assert content.headers["Cache-Control"].startswith("no-store") or "no-store" in content.headers["Cache-Control"]
    assert _rows_in(content.content, author) == rows
    assert package.downloads.count() == 1

    erasure = _ask(house, member, Right.ERASURE)
    _do(house, staff, erasure, "start")
    _do(house, staff, erasure, "carry_out")
    _needs_the_copy_no_longer(house, member, erasure)
    _is(house, erasure, Status.FULFILLED, staff)
    assert registered.differences(without={author}) == (0, 0)
    subject = Subject.objects.get(pk=str(erasure.subject_id))
    assert (subject.wrapped_key, subject.identifiers.count()) == (None, 0)
    assert RemovalReceipt.objects.get(subject_id=subject.pk, rows_found__gt=0).rows_removed == rows
    wait_for(lambda: not sealed_files.path_of("packages", package.pk).exists(), within=60, what="the file goes")
    _told_without_a_word_of_them(house, erasure, author)


def _ask(house: Stack, member: requests.Session, right: str) -> Request:
    """The steps of the pages; answers the request that is there then."""
    at = f"{house.base}/requests/new/"
    step = browsing.post(member, at, member.get(at, timeout=30).text, rights=right)
    said = {"note": "", "understood": "on"} if right == Right.ERASURE else {"note": ""}
    step = browsing.post(member, step.url, step.text, **said)
    draft = browsing.field(step.text, "draft")
    sent = browsing.post(member, step.url, step.text, draft=draft)
    reference = re.search(r"Q-[0-9A-Z]{26}", sent.text)
    assert reference is not None, sent.text[-3000:]
    found = Request.objects.get(right=right)
    assert found.reference == reference.group()
    return found


def _do(house: Stack, staff: requests.Session, request: Request, deed: str) -> None:
    address = f"{house.base}/admin/requests_app/request/{request.pk}/do/{deed}/"
    answer = browsing.post(staff, address, staff.get(address, timeout=30).text)
    assert answer.url.endswith("/change/"), re.sub(r"\s+", " ", answer.text)[-3000:]


def _built(house: Stack, request: Request) -> Package:
    def is_built() -> bool:
        return Package.objects.filter(request=request, status=PackageStatus.REVIEW).exists()

    wait_for(is_built, within=120, what=lambda: house.log("worker")[-3000:])
    return Package.objects.get(request=request)


def _is(house: Stack, request: Request, status: str, staff: requests.Session) -> None:
    """Closed by itself, or by staff where nothing is left to do but to say so."""

    def closed() -> bool:
        request.refresh_from_db()
        if (
            request.right == Right.ACCESS
            and request.status == Status.IN_PROGRESS
            and not request.tasks.filter(status="open")
        ):
            _do(house, staff, request, "fulfil")
        request.refresh_from_db()
        return request.status == status

    wait_for(closed, within=120, what=lambda: f"{request.status}\n{house.log('worker')[-3000:]}")


def _needs_the_copy_no_longer(house: Stack, member: requests.Session, erasure: Request) -> None:
    """It was fetched, and could be fetched again for a day; the erasure waits for that, and for nothing else."""
    page = f"{house.base}/requests/{erasure.reference}/"
    shown = member.get(page, timeout=30).text
    assert 'id="unfetched"' in shown
    browsing.post(member, f"{page}answer/delete/", shown)
    assert not packages.wait_of(erasure, at=clock.now())


def _rows_in(content: bytes, author: str) -> int:
    """How many rows of the corpus the answer holds, each the author's."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith("dataset-corpus.json")]
        entries = json.loads(archive.read(name))
    entries = entries["rows"] if isinstance(entries, dict) else entries
    assert {one["author_id"] for one in entries} == {author}
    return len(entries)


def _told_without_a_word_of_them(house: Stack, erasure: Request, author: str) -> None:
    def is_told() -> bool:
        return not Letter.objects.filter(request=erasure, state=Letter.WAITING).exists()

    wait_for(is_told, within=60, what="the last letter")
    letter = Letter.objects.get(request=erasure, code="erased")
    assert (letter.state, letter.sealed) == (Letter.SENT, None)
    (mail,) = [one.read_text() for one in house.mail_dir.glob("*.log") if "done in full" in one.read_text()]
    body = mail.partition("\n\n")[2]
    assert author not in body
    assert erasure.reference in mail
