"""Fetching an answer: the person's own, as a file to keep, and clear words where there is none."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.http import StreamingHttpResponse
from django.test import Client
from django.urls import reverse

from consents.models import Subject
from portal import clock
from portal.models import User
from requests_app import packages, workflow
from requests_app.models import Package, PackageDownload, Request
from requests_app.states import PackageStatus
from tests.conftest import BY, SignIn
from tests.requests_app.asking import asked
from tests.requests_app.packages.packing import access, built, file_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def files(settings: Any, tmp_path: Path) -> None:
    settings.FILES_DIR = tmp_path / "files"


def address(request: Request) -> str:
    return reverse("request-answer", args=[request.reference])


def ready(subject: Subject) -> Package:
    return packages.release(package=built(access(subject)), by=BY, at=clock.now())


def test_the_person_gets_the_file(alice: Subject, signed_in: SignIn) -> None:
    package = ready(alice)
    answer = signed_in(alice).get(address(package.request))
    assert isinstance(answer, StreamingHttpResponse)
    content = b"".join(answer.streaming_content)  # type: ignore[arg-type]  # not asynchronous here
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
    assert answer["Content-Disposition"] == f'attachment; filename="{package.request.reference}.zip"'
    assert int(answer["Content-Length"]) == len(content) == package.size
    assert "no-store" in answer["Cache-Control"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert content[:2] == b"PK"
    assert [one.actor for one in package.downloads.all()] == [f"subject:{alice.pk}"]


@pytest.mark.parametrize("who", ["charlie", "bob", "nobody"])
def test_it_is_nobody_elses(alice: Subject, charlie: Subject, bob: User, signed_in: SignIn, who: str) -> None:
    package = ready(alice)
    browser = {"charlie": lambda: signed_in(charlie), "bob": lambda: signed_in(bob), "nobody": Client}[who]()
    answer = browser.get(address(package.request))
    assert answer.status_code == {"charlie": 404, "bob": 403, "nobody": 302}[who]
    assert not PackageDownload.objects.exists()


@pytest.mark.parametrize("reference", ["Q-NONSENSE", "nonsense", "Q-" + "0" * 26, "R-" + "0" * 26])
def test_an_unknown_reference_is_unknown(alice: Subject, signed_in: SignIn, reference: str) -> None:
    assert signed_in(alice).get(f"/requests/{reference}/answer.zip").status_code == 404


@pytest.mark.parametrize("method", ["post", "put", "delete", "head"])
def test_it_is_only_got(alice: Subject, signed_in: SignIn, method: str) -> None:
    package = ready(alice)
    assert getattr(signed_in(alice), method)(address(package.request)).status_code == 405
    assert not PackageDownload.objects.exists()


@pytest.mark.parametrize(
    ("state", "status", "words"),
    [
        ("none", 409, "not ready yet"),
        ("waiting", 409, "not ready yet"),
        ("review", 409, "not ready yet"),
        ("failed", 409, "not ready yet"),
        ("expired", 410, "The time to fetch this answer is over"),
        ("deleted", 410, "was deleted"),
        ("gone", 410, "no longer there"),
    ],
)
def test_where_there_is_none_the_page_says_why(
    alice: Subject, signed_in: SignIn, state: str, status: int, words: str, tmp_path: Path
) -> None:
    request = access(alice)
    if state != "none":
        package = built(request)
        in_state(package, state)
    answer = signed_in(alice).get(address(request))
    assert answer.status_code == status
    assert words in answer.content.decode()
    assert not PackageDownload.objects.exists()


def in_state(package: Package, state: str) -> None:
    if state in {"expired", "gone", "deleted"}:
        packages.release(package=package, by=BY, at=clock.now())
    rows = Package.objects.filter(pk=package.pk)
    if state == "expired":
        rows.update(expires_at=clock.now() - timedelta(seconds=1))
    elif state == "gone":
        file_of(package).unlink()
    elif state == "deleted":
        rows.update(status=PackageStatus.DELETED, deleted_at=clock.now(), sealed_key=None)
    else:
        rows.update(status=state)


def test_who_is_doubted_is_offered_nothing(alice: Subject, signed_in: SignIn) -> None:
    package, browser = ready(alice), signed_in(alice)
    page = f"/requests/{package.request.reference}/"
    assert "answer.zip" in browser.get(page).content.decode()
    workflow.doubt(request=package.request, by=BY, at=clock.now())
    assert "answer.zip" not in browser.get(page).content.decode()
    assert browser.get(address(package.request)).status_code == 409
    assert not PackageDownload.objects.exists()


def erasing(subject: Subject) -> Request:
    return asked(subject, "erasure", at=clock.now())[0]


def delete_address(request: Request) -> str:
    return reverse("request-answer-delete", args=[request.reference])


def page_of(browser: Client, request: Request) -> str:
    return browser.get(reverse("request-detail", args=[request.reference])).content.decode()


def test_who_asked_for_both_reads_on_both_pages_until_when_the_erasure_waits(alice: Subject, signed_in: SignIn) -> None:
    browser, package = signed_in(alice), ready(alice)
    assert "You also asked us" not in page_of(browser, package.request)
    erasure = erasing(alice)
    wait = packages.wait_of(erasure, at=clock.now())
    assert wait is not None
    day = f'<time datetime="{wait.ends_on.isoformat()}">'
    about_copy, about_erasure = page_of(browser, package.request), page_of(browser, erasure)
    said = about_copy[about_copy.index("You also asked us") :]
    assert reverse("request-detail", args=[erasure.reference]) in said
    assert day in said[:600]
    said = about_erasure[about_erasure.index('id="unfetched"') :]
    assert f"{reverse('request-detail', args=[package.request.reference])}#package" in said
    assert day in said[:1_200]
    assert "Fetch the copy of your data first" in page_of(browser, erasure)
    browser.get(address(package.request))
    assert "You have the copy of your data" in page_of(browser, erasure)
    Request.objects.filter(pk=erasure.pk).update(due_on=clock.now().date() - timedelta(days=1))
    assert "That can be any time now." in page_of(browser, package.request)
    Request.objects.filter(pk=erasure.pk).update(due_on=erasure.due_on)
    packages.let_go(request=package.request, by=BY, at=clock.now())
    assert 'id="unfetched"' not in page_of(browser, erasure)


@pytest.mark.parametrize("of", ["the copy", "the erasure"])
def test_the_person_deletes_what_they_need_no_longer(alice: Subject, signed_in: SignIn, of: str) -> None:
    browser, package = signed_in(alice), ready(alice)
    request = package.request if of == "the copy" else erasing(alice)
    answer = browser.post(delete_address(request), follow=True)
    assert "The download is deleted." in answer.content.decode()
    package.refresh_from_db()
    assert package.status == PackageStatus.DELETED
    assert not file_of(package).exists()
    again = browser.post(delete_address(request), follow=True)
    assert "There is no download to delete any more." in again.content.decode()
    assert browser.get(address(package.request)).status_code == 410


def test_nobody_else_deletes_it_and_a_link_does_not(alice: Subject, charlie: Subject, signed_in: SignIn) -> None:
    package = ready(alice)
    assert signed_in(charlie).post(delete_address(package.request)).status_code == 404
    assert Client().post(delete_address(package.request)).status_code == 302
    assert signed_in(alice).get(delete_address(package.request)).status_code == 405
    assert signed_in(alice).post("/requests/nonsense/answer/delete/").status_code == 404
    package.refresh_from_db()
    assert package.status == PackageStatus.READY


def test_the_list_says_that_an_answer_waits_while_it_can_be_fetched(alice: Subject, signed_in: SignIn) -> None:
    package, browser = ready(alice), signed_in(alice)
    link = f'href="/requests/{package.request.reference}/#package"'
    assert link in browser.get("/requests/").content.decode()
    Package.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    assert link not in browser.get("/requests/").content.decode()


def test_while_it_is_doubted_who_asks_the_list_says_nothing_of_it(alice: Subject, signed_in: SignIn) -> None:
    package = ready(alice)
    workflow.doubt(request=package.request, by=BY, at=clock.now())
    assert "#package" not in signed_in(alice).get("/requests/").content.decode()


def test_nobody_is_told_of_another_persons_answer(alice: Subject, charlie: Subject, signed_in: SignIn) -> None:
    ready(alice)
    access(charlie)
    assert "#package" not in signed_in(charlie).get("/requests/").content.decode()
