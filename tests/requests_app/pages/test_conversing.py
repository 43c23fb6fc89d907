"""What passes between a person and staff: messages, files, proofs of identity, the answer package."""

import hashlib
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from consents.models import Subject
from portal import actors, clock, sealed_files
from portal.models import User
from requests_app import sealing, virus_scanner
from requests_app.models import Attachment, IdentityCheck, Message, Package, PackageDownload, Redaction, Request
from requests_app.pages import showing
from requests_app.states import CheckMethod, FileUse, Ground, PackageStatus, Status
from tests.conftest import BY, SignIn, lose_counts
from tests.requests_app.asking import SOON, received, withdrawn
from tests.requests_app.pages.walking import text

pytestmark = pytest.mark.django_db

WORDS = b"What I was sent in spring, word for word."


@pytest.fixture(autouse=True)
def own_files(settings: Any, tmp_path: Any) -> None:
    settings.FILES_DIR = tmp_path
    lose_counts(settings)


def page_of(request: Request) -> str:
    return f"/requests/{request.reference}/"


def said(request: Request, body: str, *, direction: str = Message.FROM_STAFF, minutes: int = 0) -> Message:
    sealed = sealing.seal(request, body, context=sealing.MESSAGE)
    at = SOON + timedelta(minutes=minutes)
    return Message.objects.create(request=request, direction=direction, author=BY, sent_at=at, sealed_body=sealed)


def attached(request: Request, *, use: str = FileUse.MESSAGE, message: Message | None = None) -> Attachment:
    key = sealed_files.new_key()
    found = Attachment(
        request=request,
        message=message,
        use=use,
        content_type="text/plain",
        size=len(WORDS),
        sha256=hashlib.sha256(WORDS).hexdigest(),
        uploaded_at=SOON,
        uploaded_by=BY,
        sealed_name=sealing.seal(request, "spring\n.txt", context=sealing.FILE_NAME),
    )
    wrapped = sealing.seal_json(request, key.hex(), context=sealing.FILE_KEY)
    found.sealed_key = wrapped
    found.save()
    return found


def package_of(request: Request, **changes: Any) -> Package:
    at = clock.now()
    ready = {
        "status": PackageStatus.READY,
        "asked_at": at,
        "asked_by": BY,
        "size": 2_000_000,
        "built_at": at,
        "released_at": at,
        "released_by": BY,
        "expires_at": at + timedelta(days=30),
    }
    return Package.objects.create(request=request, **(ready | changes))


def test_messages_are_shown_in_their_order_and_escaped(alice: Subject, signed_in: SignIn) -> None:
    request = received(alice)
    said(request, "Second <b>line</b>", minutes=2)
    said(request, "First", direction=Message.FROM_PERSON)
    request.messages.update(read_at=SOON)
    answer = signed_in(alice).get(page_of(request))
    assert [(one["is_own"], one["body"]) for one in answer.context["messages_shown"]] == [
        (True, "First"),
        (False, "Second <b>line</b>"),
    ]
    assert "Second &lt;b&gt;line&lt;/b&gt;" in text(answer)


def test_of_many_messages_the_newest_are_shown_and_all_on_demand(
    alice: Subject, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(showing, "SHOWN_MESSAGES", 2)
    request = received(alice)
    for number in range(4):
        said(request, f"Number {number}", minutes=number)
    request.messages.update(read_at=SOON)
    browser = signed_in(alice)
    shown = [one["body"] for one in browser.get(page_of(request)).context["messages_shown"]]
    assert shown == ["Number 2", "Number 3"]
    assert "messages=all" in text(browser.get(page_of(request)))
    assert len(browser.get(f"{page_of(request)}?messages=all").context["messages_shown"]) == 4


def test_a_message_is_written_with_a_file_and_read_by_the_next_look(alice: Subject, signed_in: SignIn) -> None:
    request = received(alice)
    browser = signed_in(alice)
    file = SimpleUploadedFile("letter.txt", WORDS)
    answer = browser.post(f"{page_of(request)}messages/", {"body": "Here it is.", "attached": [file]})
    assert answer["Location"] == f"{page_of(request)}#messages"
    message = request.messages.get()
    assert message.direction == Message.FROM_PERSON
    page = text(browser.get(page_of(request)))
    assert "Here it is." in page
    assert "letter.txt" in page
    saved = browser.get(f"{page_of(request)}files/{message.attachments.get().pk}/")
    assert b"".join(saved.streaming_content) == WORDS
    assert saved["Content-Disposition"].startswith('attachment; filename="letter.txt"')
    assert saved["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in saved["Content-Security-Policy"]


def test_what_staff_wrote_counts_as_read_once_it_was_shown(alice: Subject, signed_in: SignIn) -> None:
    request = received(alice)
    said(request, "Which address do you mean?")
    browser = signed_in(alice)
    assert browser.get(page_of(request)).context["messages_shown"][0]["is_new"]
    assert not browser.get(page_of(request)).context["messages_shown"][0]["is_new"]
    assert request.messages.get().read_at is not None


@pytest.mark.parametrize(
    ("given", "field"), [({"body": ""}, "body"), ({"body": "x" * 10_001}, "body"), ({"body": "a\0b"}, "body")]
)
def test_a_message_that_cannot_be_sent_is_refused_at_its_field(
    alice: Subject, signed_in: SignIn, given: dict[str, Any], field: str
) -> None:
    request = received(alice)
    answer = signed_in(alice).post(f"{page_of(request)}messages/", given)
    assert (answer.status_code, list(answer.context["form"].errors)) == (400, [field])
    assert f'href="#id_{field}"' in text(answer)
    assert not request.messages.exists()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("page.html", b"<!doctype html><script>alert(1)</script>", "files of that kind"),
        ("empty.txt", b"", "empty"),
        ("long.txt", b"x" * 2048, "too large"),
    ],
)
def test_a_file_that_is_not_taken_is_refused_in_words(
    alice: Subject, signed_in: SignIn, settings: Any, name: str, content: bytes, told: str
) -> None:
    settings.LARGEST_FILE = 1024
    request = received(alice)
    given = {"body": "Here.", "attached": [SimpleUploadedFile(name, content)]}
    answer = signed_in(alice).post(f"{page_of(request)}messages/", given)
    assert (answer.status_code, list(answer.context["form"].errors)) == (400, ["attached"])
    assert told in text(answer)
    assert "Here." in text(answer)
    assert not request.messages.exists()


def test_what_is_too_large_altogether_is_told(alice: Subject, signed_in: SignIn, settings: Any) -> None:
    settings.LARGEST_FILE = 16
    request = received(alice)
    large = SimpleUploadedFile("long.txt", b"x" * ((1 << 20) + 128))
    answer = signed_in(alice).post(f"{page_of(request)}messages/", {"body": "Here.", "attached": [large]})
    assert answer.status_code == 413
    assert "too large altogether" in text(answer)


def test_a_closed_request_takes_no_message(alice: Subject, bob: User, signed_in: SignIn) -> None:
    request = withdrawn(alice, bob)
    browser = signed_in(alice)
    assert "nothing more can be written here" in text(browser.get(page_of(request)))
    answer = browser.post(f"{page_of(request)}messages/", {"body": "Still there?"}, follow=True)
    assert "This request is closed." in text(answer)
    assert not request.messages.exists()


@pytest.mark.parametrize("use", [FileUse.TASK, FileUse.AUTHORITY, FileUse.ANSWER])
def test_what_is_staffs_or_not_given_yet_is_not_handed_out(alice: Subject, signed_in: SignIn, use: str) -> None:
    request = received(alice)
    file = attached(request, use=use)
    browser = signed_in(alice)
    assert browser.get(f"{page_of(request)}files/{file.pk}/").status_code == 404
    assert str(file.pk) not in text(browser.get(page_of(request)))


def test_a_file_that_is_not_there_or_not_yours_is_unknown(alice: Subject, charlie: Subject, signed_in: SignIn) -> None:
    request, other = received(alice), received(charlie)
    file = attached(request)
    for who, one, pk in ((alice, request, uuid.UUID(int=7)), (charlie, request, file.pk), (charlie, other, file.pk)):
        assert signed_in(who).get(f"{page_of(one)}files/{pk}/").status_code == 404


def test_a_deleted_file_is_named_as_such(alice: Subject, signed_in: SignIn) -> None:
    request = received(alice)
    file = attached(request, use=FileUse.IDENTITY)
    file.uploaded_by = actors.subject(alice.pk)
    file.deleted_at, file.sealed_key, file.sealed_name = SOON, None, None
    file.save()
    browser = signed_in(alice)
    assert "Evidence of identity: deleted" in text(browser.get(page_of(request)))
    assert browser.get(f"{page_of(request)}files/{file.pk}/").status_code == 404


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"status": PackageStatus.BUILDING, "expires_at": None}, "being put together"),
        ({"status": PackageStatus.REVIEW, "expires_at": None}, "about other people"),
        ({"status": PackageStatus.FAILED, "expires_at": None}, "did not work"),
        ({"status": PackageStatus.DELETED}, "its time was over"),
        ({"expires_at": SOON}, "its time was over"),
    ],
)
def test_a_package_that_cannot_be_had_says_why(
    alice: Subject, signed_in: SignIn, changes: dict[str, Any], told: str
) -> None:
    request = received(alice, right="access")
    package_of(request, **changes)
    page = text(signed_in(alice).get(page_of(request)))
    assert told in page
    assert "answer.zip" not in page


def test_a_package_says_how_large_it_is_how_long_it_lasts_and_how_often_it_was_had(
    alice: Subject, signed_in: SignIn
) -> None:
    request = received(alice, right="access")
    ready = package_of(request)
    browser = signed_in(alice)
    page = text(browser.get(page_of(request)))
    assert "Download (1.9" in page
    assert "Not downloaded yet." in page
    for _ in range(2):
        PackageDownload.objects.create(package=ready, at=SOON, actor=BY)
    assert "Times downloaded so far: 2." in text(browser.get(page_of(request)))


def test_a_package_says_on_which_ground_something_was_left_out(alice: Subject, signed_in: SignIn) -> None:
    request = received(alice, right="access")
    package_of(request)
    for undone in ({}, {"undone_at": SOON, "undone_by": BY}):
        ground = Ground.LEGAL_CLAIMS if undone else Ground.RIGHTS_OF_OTHERS
        sealed = sealing.seal(request, "{}", context=sealing.REDACTION)
        said = {"sealed_what": sealed, "sealed_reason": sealed, "ground": ground, "made_at": SOON, "made_by": BY}
        Redaction.objects.create(request=request, **said, **undone)
    page = text(signed_in(alice).get(page_of(request)))
    assert "Left out: rights and freedoms of others" in page
    assert "legal claims" not in page


def waits_for_document(request: Request) -> IdentityCheck:
    at = clock.now()
    return IdentityCheck.objects.create(
        request=request,
        method=CheckMethod.DOCUMENT,
        asked_by=BY,
        asked_at=at,
        expires_at=at + timedelta(days=14),
    )


def test_a_document_is_sent_for_the_proof_that_staff_wait_for(alice: Subject, signed_in: SignIn) -> None:
    request = received(alice)
    check = waits_for_document(request)
    browser = signed_in(alice)
    assert "Show us that it is you" in text(browser.get(page_of(request)))
    given = {"document": [SimpleUploadedFile("card.txt", WORDS)]}
    assert browser.post(f"{page_of(request)}proof/", given)["Location"] == page_of(request)
    file = request.attachments.get()
    assert (file.use, file.check_of) == (FileUse.IDENTITY, check)


def test_what_the_scanner_found_stays_on_record(
    alice: Subject, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = received(alice)
    waits_for_document(request)
    scans = iter(["clean", ""])

    def scan(parts: Any) -> str:
        if next(scans):
            return "none"
        raise virus_scanner.Infected("Eicar")

    monkeypatch.setattr(virus_scanner, "scan", scan)
    given = {"document": [SimpleUploadedFile("card.txt", WORDS), SimpleUploadedFile("worm.txt", WORDS)]}
    assert signed_in(alice).post(f"{page_of(request)}proof/", given).status_code == 400
    assert not request.attachments.exists()
    assert request.timeline.get(code="file_infected").details == {"found": "Eicar"}


def test_no_document_is_a_refusal_at_its_field(alice: Subject, signed_in: SignIn) -> None:
    request = received(alice)
    waits_for_document(request)
    answer = signed_in(alice).post(f"{page_of(request)}proof/", {})
    assert (answer.status_code, list(answer.context["form"].errors)) == (400, ["document"])


@pytest.mark.parametrize(("part", "what"), [("proof/", "document"), ("code/", "code")])
def test_a_proof_that_nobody_waits_for_is_not_taken(alice: Subject, signed_in: SignIn, part: str, what: str) -> None:
    request = received(alice)
    answer = signed_in(alice).post(f"{page_of(request)}{part}", follow=True)
    assert f"We wait for no {what} from you at present." in text(answer)


def test_a_second_code_is_offered_while_staff_wait_for_it(alice: Subject, signed_in: SignIn) -> None:
    request = received(alice)
    Request.objects.filter(pk=request.pk).update(status=Status.VERIFYING)
    check = waits_for_document(request)
    IdentityCheck.objects.filter(pk=check.pk).update(method=CheckMethod.SECOND_CODE)
    page = text(signed_in(alice).get(page_of(request)))
    assert f'action="{page_of(request)}code/"' in page
