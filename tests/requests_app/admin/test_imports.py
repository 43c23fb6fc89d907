"""Imports of requests in the admin: upload, look, decide, follow, download; and who may."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from consents.models import Subject
from portal import clock
from portal.models import AuditEntry, User
from portal.roles import AUDITOR
from requests_app import import_rows, importing
from requests_app.models import ImportState, Request, RequestImport
from requests_app.tasks import take_in_imports
from tests.conftest import BY, SignIn, staff_member
from tests.requests_app.import_files import csv_of, line

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]
ADD, LIST = "/admin/requests_app/requestimport/add/", "/admin/requests_app/requestimport/"


@pytest.fixture(autouse=True)
def own_files(settings: Any, tmp_path: Path) -> None:
    settings.FILES_DIR = tmp_path


def content() -> bytes:
    day = clock.now().date().isoformat()
    return csv_of(line(1, received_on=day), line(2, received_on=day, rights="oblivion"))


def upload(browser: Client, said: bytes) -> Any:
    return browser.post(ADD, {"file": SimpleUploadedFile("tickets.csv", said)})


def looked_through() -> RequestImport:
    return importing.check(name="tickets.csv", parts=[content()], by=BY, at=clock.now())


def page_of(one: RequestImport) -> str:
    return reverse("admin:requests_app_requestimport_change", args=[one.pk])


def read(one: RequestImport) -> str:
    return reverse("admin:requests_app_requestimport_read", args=[one.pk])


def do(browser: Client, action: str, pk: object) -> Any:
    address = reverse(f"admin:requests_app_requestimport_{action}", args=[pk])
    return browser.post(address, {"_form_submitted": "True"})


def test_a_file_is_looked_through_shown_and_taken_in(alice: Subject, bob: User, signed_in: SignIn) -> None:
    browser = signed_in(bob)
    answer = upload(browser, content())
    one = RequestImport.objects.get()
    assert answer["Location"] == page_of(one)
    page = browser.get(page_of(one)).content.decode()
    for said in ("line 3", "rights", "unknown_right", "Have the 1 row taken in"):
        assert said in page
    assert not Request.objects.exists()
    assert do(browser, "take_in", one.pk)["HX-Redirect"] == page_of(one)
    assert "waits to be taken in" in browser.get(page_of(one)).content.decode()
    take_in_imports()
    one.refresh_from_db()
    assert (one.state, one.accepted, one.refused) == (ImportState.DONE, 1, 1)
    assert Request.objects.get().timeline.earliest("at").actor == f"staff:{bob.pk}"


def test_how_it_is_read_is_shown_before_and_each_look_is_recorded(alice: Subject, bob: User, signed_in: SignIn) -> None:
    said = {"rights": "rectification; objection", "purposes_objection": "marketing", "note": "n"}
    said |= {"received_on": clock.now().date().isoformat(), "capacity": "heir", "requester_name": "R"}
    named = {"correct_what": "Surname", "correct_wrong": "Dough", "correct_right": "<b>Doe</b>"}
    browser = signed_in(bob)
    answer = upload(browser, csv_of(line(1, **said, **named)))
    one = RequestImport.objects.get()
    assert read(one) in browser.get(answer["Location"]).content.decode()
    page = browser.get(read(one))
    [shown] = page.context["lines"]
    assert shown["asks"] == [
        ("Correct my data", ["Surname: Dough → <b>Doe</b>"]),
        ("Object to a use of my data", ["Send me offers"]),
    ]
    assert "&lt;b&gt;Doe" in page.content.decode()
    assert (page.context["totals"], page.context["things"]) == (
        [("Object to a use of my data", 1), ("Correct my data", 1)],
        1,
    )
    assert AuditEntry.objects.filter(action="request_import.look_into").count() == 1
    assert not Request.objects.exists()


def test_many_lines_are_shown_page_by_page(alice: Subject, bob: User, signed_in: SignIn) -> None:
    day, browser = clock.now().date().isoformat(), signed_in(bob)
    upload(browser, csv_of(*(line(number, received_on=day, rights="rectification") for number in range(1, 61))))
    one = RequestImport.objects.get()
    first = browser.get(read(one))
    assert (first.context["first"], first.context["last"], first.context["earlier"]) == (1, 50, None)
    assert first.context["lines"][0]["asks"] == [("Correct my data", ["it does not say what"])]
    second = browser.get(f"{read(one)}?from={first.context['later']}").context
    assert (second["first"], second["last"], second["earlier"], second["later"]) == (51, 60, 0, None)
    assert browser.get(f"{read(one)}?from=-5x").status_code == 200


def test_what_is_gone_is_read_no_more(alice: Subject, bob: User, signed_in: SignIn) -> None:
    one = looked_through()
    importing.drop(one=one, by=BY, at=clock.now())
    browser = signed_in(bob)
    assert browser.get(read(one))["Location"] == page_of(one)
    assert read(one) not in browser.get(page_of(one)).content.decode()
    assert browser.get(f"{LIST}nonsense/read/").status_code == 404


def test_an_empty_file_to_fill_in_is_one_that_is_read(alice: Subject, bob: User, signed_in: SignIn) -> None:
    browser = signed_in(bob)
    empty = browser.get(f"{LIST}empty.csv")
    assert empty["Content-Disposition"] == 'attachment; filename="requests.csv"'
    names = empty.content.decode("utf-8-sig").strip().split(",")
    assert {"correct_what", "correct_right_3", "purposes_objection"} <= set(names) <= set(import_rows.COLUMNS)
    upload(browser, empty.content)
    assert RequestImport.objects.get().rows == 0


def test_a_file_is_given_up(alice: Subject, bob: User, signed_in: SignIn) -> None:
    one = looked_through()
    do(signed_in(bob), "give_up", one.pk)
    one.refresh_from_db()
    assert (one.state, one.sealed_key) == (ImportState.DROPPED, None)


def test_the_refused_lines_are_downloaded_and_that_is_recorded(alice: Subject, bob: User, signed_in: SignIn) -> None:
    one = looked_through()
    answer = signed_in(bob).get(reverse("admin:requests_app_requestimport_refusals", args=[one.pk]))
    assert b"".join(answer.streaming_content).startswith(b"line,column,code,message\r\n3,rights,unknown_right,")
    assert answer["Content-Disposition"].startswith("attachment")
    assert AuditEntry.objects.filter(action="request_import.download").count() == 1


@pytest.mark.parametrize("said", [b"", b"a,b\n", b"\xff\xfe"])
def test_what_cannot_be_read_is_said_beside_the_field(bob: User, signed_in: SignIn, said: bytes) -> None:
    answer = upload(signed_in(bob), said)
    assert answer.status_code == 400
    assert not RequestImport.objects.exists()


def test_a_form_without_a_file_is_refused(bob: User, signed_in: SignIn) -> None:
    assert signed_in(bob).post(ADD, {}).status_code == 400


@pytest.mark.parametrize("action", ["take_in", "give_up"])
def test_what_was_decided_offers_no_decision(alice: Subject, bob: User, signed_in: SignIn, action: str) -> None:
    one = importing.approve(one=looked_through(), by=BY, at=clock.now())
    browser = signed_in(bob)
    assert do(browser, action, one.pk).status_code == 403
    one.refresh_from_db()
    assert one.state == ImportState.WAITING


def test_an_auditor_looks_and_decides_nothing(alice: Subject, signed_in: SignIn) -> None:
    one = looked_through()
    browser = signed_in(staff_member("ada", AUDITOR))
    assert browser.get(LIST).status_code == 200
    assert browser.get(page_of(one)).status_code == 200
    for forbidden in (ADD, read(one), f"{LIST}empty.csv"):
        assert browser.get(forbidden).status_code == 403
    assert upload(browser, content()).status_code == 403
    assert do(browser, "take_in", one.pk).status_code == 403
    one.refresh_from_db()
    assert one.state == ImportState.CHECKED


@pytest.mark.parametrize("pk", ["nonsense", "00000000-0000-0000-0000-000000000000"])
def test_there_is_nothing_to_download_of_an_unknown_import(bob: User, signed_in: SignIn, pk: str) -> None:
    address = f"{LIST}{pk}/refusals.csv"
    assert signed_in(bob).get(address).status_code == 404


def test_who_may_not_see_imports_downloads_nothing(alice: Subject, signed_in: SignIn) -> None:
    one = looked_through()
    browser = signed_in(staff_member("nobody", None))
    assert browser.get(reverse("admin:requests_app_requestimport_refusals", args=[one.pk])).status_code == 403
