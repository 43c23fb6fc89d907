"""Downloading one's own receipt, and checking any without an account."""

import json
import re
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from consents import ledger, sequencer
from consents.models import Subject
from consents.receipts import issuing, reading, verifying
from consents.vocabulary import Action
from portal import references
from tests.conftest import SignIn, sequenced
from tests.consents.asking import say
from tests.consents.receipts.issued import issue, sealed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_cache")]


def path(event_id: uuid.UUID, form: str = "") -> str:
    return f"/receipts/{ledger.reference(event_id)}/" + (f"{form}/" if form else "")


def brought(data: bytes | str, browser: Client | None = None) -> HttpResponse:
    """What the page answers to a file (bytes) or a text."""
    sent = {"file": SimpleUploadedFile("receipt", data)} if isinstance(data, bytes) else {"text": data}
    return (browser or Client()).post("/verify/", sent)  # type: ignore[return-value]


def text_of(response: HttpResponse) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


@pytest.mark.parametrize("form", issuing.Format.values)
def test_each_format_downloads_as_a_signed_file(alice: Subject, signed_in: SignIn, form: str) -> None:
    event = say(alice, Action.DENY)
    response = signed_in(alice).get(path(event.pk, form))
    assert response.status_code == 200
    assert response["Content-Type"] == issuing.MEDIA_TYPES[issuing.Format(form)]
    assert f'attachment; filename="{ledger.reference(event.pk)}.' in response["Content-Disposition"]
    assert "no-store" in response["Cache-Control"]
    verdict = verifying.verify(response.content)
    assert verdict.valid
    assert verdict.event["id"] == str(event.pk)


def test_a_download_speaks_the_readers_language(alice: Subject, signed_in: SignIn) -> None:
    address = path(say(alice, Action.DENY).pk, "jsonld")
    found = json.loads(signed_in(alice).get(address, headers={"Accept-Language": "de"}).content)
    assert found["dct:language"] == "de"


def test_a_download_names_this_sites_own_addresses(alice: Subject, signed_in: SignIn) -> None:
    found = json.loads(signed_in(alice).get(path(say(alice, Action.DENY).pk, "kantara")).content)
    assert found["services"][0]["purposes"][0]["termination"] == "http://testserver/choices/"


@pytest.mark.parametrize("form", [*issuing.Format.values, "xml"])
def test_somebody_elses_download_is_as_unknown_as_none(
    alice: Subject, charlie: Subject, signed_in: SignIn, form: str
) -> None:
    browser = signed_in(charlie)
    assert browser.get(path(say(alice, Action.DENY).pk, form)).status_code == 404
    assert browser.get(f"/receipts/{references.encode('R', uuid.uuid4())}/{form}/").status_code == 404
    assert browser.get(f"/receipts/R-1/{form}/").status_code == 404


def test_an_unknown_format_is_not_found(alice: Subject, signed_in: SignIn) -> None:
    assert signed_in(alice).get(path(say(alice, Action.DENY).pk, "xml")).status_code == 404


def test_a_download_needs_a_sign_in_and_only_reads(alice: Subject, signed_in: SignIn) -> None:
    address = path(say(alice, Action.DENY).pk, "pdf")
    assert Client().get(address).status_code == 302
    assert signed_in(alice).post(address).status_code == 405


def test_the_receipts_are_the_history(alice: Subject, signed_in: SignIn) -> None:
    assert signed_in(alice).get("/receipts/")["Location"] == "/history/"


@pytest.mark.django_db(transaction=True)
def test_the_page_says_how_far_the_proof_is(alice: Subject, signed_in: SignIn) -> None:
    browser, event = signed_in(alice), say(alice, Action.DENY)
    assert "Its place in the log is being assigned" in browser.get(path(event.pk)).content.decode()
    sequenced()
    waiting = browser.get(path(event.pk)).content.decode()
    assert "Waiting for the next checkpoint" in waiting
    assert f"has place {sequencer.position_of(event.pk)} in the log" in waiting
    sealed(alice, Action.GRANT)
    assert "Sealed in the log" in browser.get(path(event.pk)).content.decode()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("form", issuing.Format.values)
def test_anybody_can_check_a_receipt_as_a_file(alice: Subject, form: str) -> None:
    event = sealed(alice)
    said = text_of(brought(issue(event, form)))
    assert "This receipt is genuine" in said
    assert ledger.reference(event.pk) in said
    assert "does not hold" not in said
    assert f"at place {sequencer.position_of(event.pk)} of" in said


@pytest.mark.parametrize("form", ["jsonld", "kantara", "jws"])
def test_anybody_can_check_a_receipt_as_text(alice: Subject, form: str) -> None:
    said = text_of(brought(issue(say(alice, Action.DENY), form).decode()))
    assert "This receipt is genuine; its proof is still to come" in said
    assert said.count("still to come") >= 3


def test_what_was_changed_is_said_with_its_place_and_nothing_else_of_it(alice: Subject) -> None:
    receipt = issue(say(alice, Action.DENY)).replace(b"Use my data to train AI", b"<b>Send me offers</b>")
    said = brought(receipt)
    assert "Do not rely on this receipt" in text_of(said)
    assert "/dpv:hasProcess/0/dpv:hasPurpose/0/skos:prefLabel" in text_of(said)
    assert b"Send me offers" not in said.content
    assert b"How it is today" not in said.content


def test_a_printed_page_that_was_changed_is_found(alice: Subject) -> None:
    receipt = issue(say(alice, Action.DENY), "pdf")
    said = text_of(brought(receipt.replace(b"/Title (", b"/Title )", 1) + b" "))
    assert "Do not rely on this receipt" in said


def test_the_state_of_today_is_told_to_the_holder_alone(alice: Subject, charlie: Subject, signed_in: SignIn) -> None:
    receipt = issue(say(alice, Action.DENY))
    assert "Off: your data is not used for this." in text_of(brought(receipt, signed_in(alice)))
    for browser in (signed_in(charlie), Client()):
        said = text_of(brought(receipt, browser))
        assert "This receipt is genuine" in said
        assert "How it is today" not in said


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{", "This is not complete."),
        (b"hello", "This reads like no receipt."),
        (b"%PDF-1.7", "This PDF has no signed receipt attached."),
        (" ", "There is nothing in it to check."),
        ("", "Choose a file, or paste the text of a receipt."),
        (b"x" * (reading.LARGEST + 1), "That is too large for a receipt"),
        ("x" * (reading.LARGEST + 1), "That is too large for a receipt"),
    ],
)
def test_what_is_no_receipt_is_refused_with_a_reason_beside_its_field(db: None, data: bytes | str, words: str) -> None:
    response = brought(data)
    assert response.status_code == 422
    assert text_of(response).count(words) == 2
    assert 'href="#id_' in response.content.decode()


def test_a_file_of_any_size_is_refused_before_it_is_taken_in(db: None) -> None:
    response = brought(b"x" * 4 * reading.LARGEST)
    assert response.status_code == 413
    assert "That is too large for a receipt" in text_of(response)


def test_a_form_without_anything_is_refused(db: None) -> None:
    assert Client().post("/verify/", b"", content_type="text/plain").status_code == 413
    assert Client().post("/verify/", b"x", content_type="text/plain").status_code == 422
    assert Client().post("/verify/", {"text": "x"}, CONTENT_LENGTH="many").status_code == 413
    assert Client().put("/verify/").status_code == 405


def test_checking_works_without_cookies_and_sets_none(alice: Subject) -> None:
    browser = Client(enforce_csrf_checks=True)
    assert brought(issue(say(alice, Action.DENY)), browser).status_code == 200
    assert "sessionid" not in browser.cookies


def test_who_checks_too_often_is_asked_to_wait(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.api_access.AddressThrottle.rate", "2/min", raising=False)
    answers = [brought(b"hello") for _ in range(3)]
    assert [one.status_code for one in answers] == [422, 422, 429]
    assert "Too many were checked from here." in text_of(answers[-1])
    elsewhere = Client(REMOTE_ADDR="192.0.2.7").post("/verify/", {"text": "hello"})
    assert elsewhere.status_code == 422


def test_the_pages_are_light_and_take_few_queries(alice: Subject, signed_in: SignIn) -> None:
    browser, event = signed_in(alice), say(alice, Action.DENY)
    for address in ("/verify/", path(event.pk)):
        with CaptureQueriesContext(connection) as asked:
            response = browser.get(address)
        assert len(asked) <= 8
        assert len(response.content) < 20_000
    with CaptureQueriesContext(connection) as asked:
        assert Client().get("/verify/").status_code == 200
    assert len(asked) == 0
