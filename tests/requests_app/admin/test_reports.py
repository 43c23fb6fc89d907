"""The staff's page of reports: who may read it, what it refuses, and its files."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from portal import roles
from portal.models import User
from requests_app.models import Request
from tests.conftest import SignIn, staff_member
from tests.requests_app.legal_clock.running import unsaved

PAGE = "/admin/reports/"
MARCH = "?first=2026-03-01&last=2026-03-31"


@pytest.fixture
def asked(db: None) -> None:
    Request.objects.bulk_create(
        [unsaved(place, "erasure", datetime(2026, 3, 9, tzinfo=UTC)) for place in ("DE", "US-CA")]
    )


@pytest.mark.parametrize("address", [PAGE, f"{PAGE}all.xlsx", f"{PAGE}rights.csv"])
@pytest.mark.parametrize(
    ("role", "status"),
    [(roles.MANAGER, 200), (roles.AUDITOR, 200), (roles.AGENT, 403), (roles.ADMINISTRATOR, 403), (None, 403)],
)
def test_managers_and_auditors_read_reports(
    asked: None, signed_in: SignIn, address: str, role: str | None, status: int
) -> None:
    assert signed_in(staff_member("reader", role)).get(address + MARCH).status_code == status


def test_nobody_reads_them_without_a_second_factor(petra: User, signed_in: SignIn) -> None:
    assert signed_in(petra, second_factor=False).get(PAGE).status_code == 302
    assert Client().get(PAGE).status_code == 302


def test_the_page_shows_each_table_of_the_period_with_its_file(asked: None, petra: User, signed_in: SignIn) -> None:
    shown = signed_in(petra).get(PAGE + MARCH).content.decode()
    assert "CCPA § 7102: California" in shown
    assert "Germany" in shown
    assert "/admin/reports/places.csv?first=2026-03-01&amp;last=2026-03-31" in shown
    assert "/admin/reports/all.xlsx?first=2026-03-01&amp;last=2026-03-31" in shown


def test_without_a_period_it_is_this_year(petra: User, signed_in: SignIn) -> None:
    assert signed_in(petra).get(PAGE).status_code == 200


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("?first=2026-03-31&last=2026-03-01", "A period ends after it begins."),
        ("?first=never", "Enter a valid date."),
        ("?first=", "This field is required."),
        ("?first=2999-01-01&last=2999-02-01", "That period has not begun."),
    ],
)
def test_a_period_that_cannot_be_is_refused_in_words(
    petra: User, signed_in: SignIn, db: None, query: str, says: str
) -> None:
    for address in (PAGE, f"{PAGE}all.xlsx", f"{PAGE}rights.csv"):
        answer = signed_in(petra).get(address + query)
        assert (answer.status_code, says in answer.content.decode()) == (400, True)


@pytest.mark.parametrize("name", ["nothing.csv", "rights", "rights.xlsx", "..%2Fsecret"])
def test_a_file_that_there_is_not_is_not_found(petra: User, signed_in: SignIn, name: str) -> None:
    assert signed_in(petra).get(f"{PAGE}{name}").status_code == 404


def test_nothing_is_posted_to_it(petra: User, signed_in: SignIn) -> None:
    assert signed_in(petra).post(PAGE).status_code == 405
    assert signed_in(petra).post(f"{PAGE}all.xlsx").status_code == 405


def test_files_are_downloads_named_by_their_period(asked: None, petra: User, signed_in: SignIn) -> None:
    browser = signed_in(petra)
    places: Any = browser.get(f"{PAGE}places.csv{MARCH}")
    assert places["Content-Disposition"] == 'attachment; filename="places-2026-03-01-2026-03-31.csv"'
    assert "DE,Germany,1," in places.content.decode("utf-8-sig")
    book: Any = browser.get(f"{PAGE}all.xlsx{MARCH}")
    assert book["Content-Type"] == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    assert book.content.startswith(b"PK")


def test_the_side_menu_offers_reports_to_who_may_read_them(petra: User, bob: User, signed_in: SignIn) -> None:
    offered = [b'href="/admin/reports/"' in signed_in(who).get("/admin/").content for who in (petra, bob)]
    assert offered == [True, False]


def test_figures_stand_flush_right_and_words_do_not(asked: None, petra: User, signed_in: SignIn) -> None:
    laid_out = signed_in(petra).get(PAGE + MARCH).context["laid_out"]
    places = next(one for one in laid_out if one["table"].slug == "places")
    assert places["headers"][:3] == [("Code", False), ("Place", False), ("Received", True)]
    assert [is_figure for _cell, is_figure in places["rows"][0]][:3] == [False, False, True]
