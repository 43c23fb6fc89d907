"""The staff's page of an answer: who may, what it shows, what its buttons do, and nothing from a wrong state."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from consents.models import Subject
from portal.models import AuditEntry, User
from portal.roles import AUDITOR
from requests_app import evidence, packages
from requests_app.models import Package, Redaction, Request
from requests_app.states import PackageStatus
from tests.conftest import SignIn, staff_member
from tests.requests_app.asking import received
from tests.requests_app.packages import packing
from tests.requests_app.packages.packing import SOON, access, built, post, released

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert(1)</script> Mallory"
UNKNOWN = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(autouse=True)
def files(settings: Any, tmp_path: Path) -> None:
    settings.FILES_DIR = tmp_path / "files"


@pytest.fixture
def request_(alice: Subject, tmp_path: Path) -> Request:
    packing.posts(tmp_path / "posts", post("alice", 1, HOSTILE), post("alice", 2, "harmless"))
    return access(alice)


def page(request: Request, **said: str) -> str:
    query = "&".join(f"{name}={value}" for name, value in said.items())
    return reverse("admin:requests_app_package_answer", args=[request.pk]) + (f"?{query}" if query else "")


def shown(browser: Client, request: Request, **said: str) -> str:
    answer = browser.get(page(request, **said))
    assert answer.status_code == 200
    return str(answer.content.decode())


def do(browser: Client, request: Request, act: str, part: str = "", **said: Any) -> Any:
    return browser.post(page(request, part=part), {"act": act, **said}, follow=True)


def test_from_building_to_release(request_: Request, bob: User, signed_in: SignIn) -> None:
    browser = signed_in(bob)
    assert "Not built yet." in shown(browser, request_)
    assert "is being built" in do(browser, request_, "build").content.decode()
    assert packages.build_next(holder="test", clock=lambda: SOON)
    text = shown(browser, request_)
    assert "waits for staff" in text
    assert "Release it to the person" in text
    package = Package.objects.get()
    assert "can fetch it now" in do(browser, request_, "release", package=str(package.pk)).content.decode()
    package.refresh_from_db()
    assert (package.status, package.released_by) == (PackageStatus.READY, f"staff:{bob.pk}")


def test_each_look_at_what_is_left_out_is_audited(request_: Request, bob: User, signed_in: SignIn) -> None:
    what = packages.What("*", words="Mallory")
    packages.redact(request=request_, what=what, ground="rights_of_others", reason="Hers.", by="staff:1", at=SOON)
    assert "Mallory" in shown(signed_in(bob), request_)
    entry = AuditEntry.objects.get(action="request.look_at_answer")
    assert (entry.actor, entry.object_id) == (f"staff:{bob.pk}", str(request_.pk))


def test_rows_of_a_part_are_shown_escaped_and_audited(request_: Request, bob: User, signed_in: SignIn) -> None:
    text = shown(signed_in(bob), request_, part="dataset-posts")
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text
    entry = AuditEntry.objects.get(action="request.package_previewed")
    assert (entry.actor, entry.details) == (f"staff:{bob.pk}", {"part": "dataset-posts"})


def test_only_rows_that_hold_what_is_searched_for(request_: Request, bob: User, signed_in: SignIn) -> None:
    # sent, because what is searched for names people, and addresses are kept by browsers and proxies
    answer = do(signed_in(bob), request_, "find", "dataset-posts", find="HARMLESS")
    assert "HARMLESS" not in answer.wsgi_request.get_full_path()
    text = answer.content.decode()
    assert 'method="get"' not in text.partition("Only rows that hold")[0].rpartition("<form")[2]
    assert "harmless" in text
    assert "alert(1)" not in text
    assert "1 of them fit" in text


def test_words_are_left_out_shown_and_taken_back(request_: Request, bob: User, signed_in: SignIn) -> None:
    browser = signed_in(bob)
    said = {"where": "part", "words": "Mallory", "ground": "rights_of_others", "reason": "Somebody else"}
    assert "left out of the next build" in do(browser, request_, "redact", "dataset-posts", **said).content.decode()
    one = Redaction.objects.get()
    assert one.made_by == f"staff:{bob.pk}"
    text = shown(browser, request_, part="dataset-posts")
    assert "<ins>&lt;script&gt;alert(1)&lt;/script&gt; [left out]</ins>" in text
    assert "Somebody else" in text
    assert "Taken back" in do(browser, request_, "undo", redaction=str(one.pk)).content.decode()
    assert "<ins>" not in shown(browser, request_, part="dataset-posts")


def test_ticked_rows_are_left_out(request_: Request, bob: User, signed_in: SignIn) -> None:
    browser = signed_in(bob)
    seen = packages.look(request=request_, part="dataset-posts", by="staff:x", at=SOON)
    said = {"where": "part", "row": [seen.rows[0].mark], "ground": "rights_of_others", "reason": "Somebody else"}
    do(browser, request_, "redact", "dataset-posts", **said)
    assert [row["number"] for row in packing.opened(built(request_)).rows("dataset-posts")] == [2]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"where": "part", "ground": "rights_of_others", "reason": ""}, "This field is required"),
        ({"where": "everywhere", "ground": "rights_of_others", "reason": "why"}, "Everywhere only words"),
        ({"where": "part", "words": "x", "ground": "rights_of_others", "reason": "why"}, "One letter would"),
        ({"where": "part", "ground": "mood", "reason": "why"}, "Select a valid choice"),
        ({"where": "part", "row": ["1"], "ground": "rights_of_others", "reason": "why"}, "by their marks"),
    ],
)
def test_what_cannot_be_left_out_is_said_at_the_form(
    request_: Request, bob: User, signed_in: SignIn, said: dict[str, Any], words: str
) -> None:
    answer = do(signed_in(bob), request_, "redact", "dataset-posts", **said)
    assert words in answer.content.decode()
    assert not Redaction.objects.exists()


@pytest.mark.parametrize("act", ["build", "release", "undo", "redact", "look", "evidence", "page"])
def test_who_carries_nothing_out_gets_nothing(request_: Request, signed_in: SignIn, act: str) -> None:
    package = built(request_)
    auditor = signed_in(staff_member("ada", AUDITOR))
    before = list(Package.objects.values()), AuditEntry.objects.count()
    answers = {
        "look": lambda: auditor.get(reverse("admin:requests_app_package_file", args=[package.pk])),
        "evidence": lambda: auditor.get(reverse("admin:requests_app_request_evidence", args=[request_.pk])),
        "page": lambda: auditor.get(page(request_)),
    }
    answer = answers.get(act, lambda: auditor.post(page(request_), {"act": act, "package": str(package.pk)}))()
    assert answer.status_code == 403
    assert (list(Package.objects.values()), AuditEntry.objects.count()) == before


def test_nobody_without_a_role_gets_in(request_: Request, alice: Subject, signed_in: SignIn) -> None:
    assert Client().get(page(request_)).status_code == 302
    assert signed_in(alice).get(page(request_)).status_code in {302, 403}


def test_unknown_ids_and_buttons_are_unknown(request_: Request, bob: User, signed_in: SignIn) -> None:
    browser = signed_in(bob)
    for name in ("requests_app_package_answer", "requests_app_request_evidence", "requests_app_package_file"):
        assert browser.get(reverse(f"admin:{name}", args=[UNKNOWN])).status_code == 404
    for said in ({"act": "dance"}, {}, {"act": "release", "package": UNKNOWN}, {"act": "undo", "redaction": "x"}):
        assert browser.post(page(request_), said).status_code == 404
    assert browser.put(page(request_)).status_code == 405
    assert "Rows of" not in shown(browser, request_, part="nonsense")


def test_another_requests_package_is_not_released_here(
    request_: Request, charlie: Subject, bob: User, signed_in: SignIn
) -> None:
    other = built(access(charlie))
    assert signed_in(bob).post(page(request_), {"act": "release", "package": str(other.pk)}).status_code == 404
    other.refresh_from_db()
    assert other.status == PackageStatus.REVIEW


def test_a_button_that_the_state_forbids_says_why(request_: Request, bob: User, signed_in: SignIn) -> None:
    browser = signed_in(bob)
    package = released(request_)
    text = do(browser, request_, "release", package=str(package.pk)).content.decode()
    assert "Only an answer that waits for your look" in text
    packages.ask(request=request_, by="staff:x", at=SOON)
    assert "being built already" in do(browser, request_, "build").content.decode()


def test_an_erasure_has_no_answer(alice: Subject, bob: User, signed_in: SignIn) -> None:
    request = received(alice)
    text = shown(signed_in(bob), request)
    assert "Only access and portability" in text
    assert "Build the answer" not in text


def test_staff_look_into_the_file(request_: Request, bob: User, signed_in: SignIn) -> None:
    package = built(request_)
    browser = signed_in(bob)
    answer = browser.get(reverse("admin:requests_app_package_file", args=[package.pk]))
    content = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    assert (answer["Content-Length"], content[:2]) == (str(package.size), b"PK")
    assert "attachment" in answer["Content-Disposition"]
    assert AuditEntry.objects.filter(action="request.package_looked_into", actor=f"staff:{bob.pk}").exists()
    assert package.downloads.count() == 0


def test_a_file_that_is_not_there_leads_back_to_the_page(request_: Request, bob: User, signed_in: SignIn) -> None:
    package = packages.ask(request=request_, by="staff:x", at=SOON)
    answer = signed_in(bob).get(reverse("admin:requests_app_package_file", args=[package.pk]), follow=True)
    assert "not built yet" in answer.content.decode()


def test_evidence_is_one_file_that_can_be_checked(request_: Request, bob: User, signed_in: SignIn) -> None:
    answer = signed_in(bob).get(reverse("admin:requests_app_request_evidence", args=[request_.pk]))
    content = io.BytesIO(b"".join(answer.streaming_content))  # type: ignore[attr-defined]
    assert evidence.check(content).reference == request_.reference
    assert f"evidence-{request_.reference}.zip" in answer["Content-Disposition"]
    with zipfile.ZipFile(content) as archive:
        assert str(bob.pk) in archive.read("manifest.json").decode()
    assert AuditEntry.objects.filter(action="request.evidence_exported", actor=f"staff:{bob.pk}").count() == 1


def test_the_list_of_packages(request_: Request, bob: User, signed_in: SignIn) -> None:
    package = built(request_)
    browser = signed_in(bob)
    assert request_.reference in browser.get("/admin/requests_app/package/").content.decode()
    detail = browser.get(reverse("admin:requests_app_package_change", args=[package.pk]))
    assert package.sha256 in detail.content.decode()
