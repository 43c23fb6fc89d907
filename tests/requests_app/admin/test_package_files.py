"""Files that nobody can look into for words to leave out, on staff's page of the answer."""

import json
from typing import Any

import pytest
from django.test import Client

from consents.models import Subject
from portal.models import User
from portal.roles import AUDITOR
from requests_app import packages
from requests_app.models import Clearance, Package, Request
from requests_app.packages import unseen
from requests_app.states import Ground, PackageStatus
from tests.conftest import SignIn, staff_member
from tests.requests_app.admin.test_packages import UNKNOWN, do, page, shown
from tests.requests_app.file_contents import making
from tests.requests_app.file_contents.making import SECRET
from tests.requests_app.files import PNG
from tests.requests_app.packages.packing import access, built
from tests.requests_app.packages.test_redaction import leave_out, with_files

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def files(settings: Any, tmp_path: Any) -> None:
    settings.FILES_DIR = tmp_path / "files"


@pytest.fixture
def package(alice: Subject) -> Package:
    request = access(alice, note=SECRET)
    with_files(request, ("holds.pdf", making.text()), ("scan.pdf", making.scanned()), ("photo.png", PNG))
    leave_out(request, part="*", words=SECRET)
    return built(request)


def said(package: Package, *names: str) -> dict[str, Any]:
    """What the form sends when these are ticked."""
    chosen = [json.dumps(unseen.name_of(one)) for one in unseen.undecided(package) if one.name in names]
    return {"package": str(package.pk), "file": chosen, "reason": "It is hers alone.", "ground": "rights_of_others"}


@pytest.fixture
def browser(bob: User, signed_in: SignIn) -> Client:
    return signed_in(bob)


def request_of(package: Package) -> Request:
    return package.request


def test_they_are_listed_by_name_with_the_reason(package: Package, browser: Client) -> None:
    text = shown(browser, request_of(package))
    assert "2 files may hold words to leave out" in text
    assert "scan.pdf" in text
    assert "files/0003.png" in text
    assert "a picture, or something with pictures in it" in text
    assert "2 files could not be looked into for words. Decide about each." in text
    assert "Release it to the person" not in text


def test_the_preview_says_what_is_left_out_and_where_it_stands(package: Package, browser: Client) -> None:
    text = shown(browser, request_of(package), part="files")
    assert "“holds.pdf” is left out whole: words to leave out stand in it (page 1)." in text
    assert "“photo.png” cannot be looked into: a picture, or something with pictures in it." in text


def test_each_is_decided_and_then_the_answer_is_released(package: Package, browser: Client) -> None:
    one = request_of(package)
    answer = do(browser, one, "clear", **said(package, "photo.png")).content.decode()
    assert "1 file goes out as it is." in answer
    assert "1 is decided." in answer
    assert "It is hers alone." in answer
    answer = do(browser, one, "leave_file_out", **said(package, "scan.pdf")).content.decode()
    assert "left out of the next build" in answer
    again = built(one)
    assert "Release it to the person" in shown(browser, one)
    do(browser, one, "release", package=str(again.pk))
    again.refresh_from_db()
    assert again.status == PackageStatus.READY


def test_all_that_wait_are_decided_at_once(package: Package, browser: Client) -> None:
    answer = do(browser, request_of(package), "clear", **{**said(package), "all": "1"}).content.decode()
    assert "2 files go out as they are." in answer
    assert "Release it to the person" in answer
    clearance = Clearance.objects.get()
    answer = do(browser, request_of(package), "undo_clearance", clearance=str(clearance.pk)).content.decode()
    assert "have to be decided again" in answer
    assert "Release it to the person" not in answer


@pytest.mark.parametrize("act", ["clear", "leave_file_out"])
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"reason": ""}, "Say why"),
        ({"file": []}, "Tick the files"),
        ({"file": ["{"]}, "Tick the files"),
        ({"file": ["5"]}, "Tick the files"),
        ({"file": ['["files", "0", "file"]']}, "does not wait for a decision"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_decided(
    package: Package, browser: Client, act: str, wrong: dict[str, Any], words: str
) -> None:
    sent = {**said(package, "photo.png"), **wrong}
    assert words in do(browser, request_of(package), act, **sent).content.decode()
    assert len(unseen.undecided(package)) == 2


@pytest.mark.parametrize("act", ["clear", "leave_file_out", "undo_clearance"])
def test_of_what_is_unknown_nothing_is_decided(package: Package, browser: Client, act: str) -> None:
    ids = {"package": UNKNOWN, "clearance": UNKNOWN}
    assert do(browser, request_of(package), act, **{**said(package, "photo.png"), **ids}).status_code == 404


@pytest.mark.parametrize("act", ["clear", "leave_file_out", "undo_clearance"])
def test_who_carries_nothing_out_decides_nothing(package: Package, signed_in: SignIn, act: str) -> None:
    auditor = signed_in(staff_member("ada", AUDITOR))
    answer = auditor.post(page(request_of(package)), {"act": act, **said(package, "photo.png")})
    assert answer.status_code == 403
    assert not Clearance.objects.exists()


def test_a_released_answer_asks_nothing_any_more(package: Package, browser: Client) -> None:
    do(browser, request_of(package), "clear", **{**said(package), "all": "1"})
    packages.release(package=Package.objects.get(), by="staff:1", at=package.built_at)  # type: ignore[arg-type]
    text = shown(browser, request_of(package))
    assert "Hand out as they are" not in text
    assert "2 are decided." in text


def test_how_much_is_left_out_of_each_part_is_said_in_words(package: Package, browser: Client) -> None:
    text = shown(browser, request_of(package))
    assert f"1 value: {Ground.RIGHTS_OF_OTHERS.label}" in text
    assert f"Everywhere · “{SECRET}”" in text
    assert "1* rights_of_others" not in text
