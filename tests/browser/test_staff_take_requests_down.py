"""Privacy staff at the telephone: corrections in rows that come and go, by keyboard and without a script."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from portal import clock
from requests_app.models import Request
from requests_app.rights import rectification
from tests.browser.conftest import Visit
from tests.requests_app.pages.walking import KEY

pytestmark = pytest.mark.browser
MANAGER = "petra@linkwell.example"
ADD = "/admin/requests_app/request/add/"


def _call(page: Page) -> None:
    page.goto(ADD)
    page.get_by_label("Address, number or reference").fill("somebody@example.org")
    page.get_by_label("Lives in").fill("GB")


def _take_down(page: Page) -> Request:
    page.get_by_role("button", name="Look first").last.click()
    expect(page.get_by_role("heading", name="Take this down?")).to_be_visible()
    page.get_by_role("button", name="Take it down").click()
    page.wait_for_url("**/change/**")
    reference = KEY.search(page.content())
    assert reference
    return next(one for one in Request.objects.order_by("-pk")[:5] if one.reference == reference[0])


def _corrected(request: Request) -> list[str]:
    return [rectification.in_words(one) for one in rectification.corrections(Request.objects.get(pk=request.pk))]


@pytest.mark.parametrize("options", [{}, {"java_script_enabled": False}], ids=["scripts", "no scripts"])
def test_corrections_are_added_and_taken_away_by_keyboard(visit: Visit, options: dict[str, Any]) -> None:
    page = visit(MANAGER, **options)
    _call(page)
    expect(page.get_by_label("What has to be corrected?")).to_be_hidden()
    page.get_by_label("Correct my data").press("Space")
    page.get_by_label("What has to be corrected?").press_sequentially("Surname")
    for text in ("Dough", "Doe"):
        page.keyboard.press("Tab")
        page.keyboard.type(text)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Take correction 1 away")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    # the cursor stands in what was added, and nothing is lost
    second = page.get_by_role("group", name="Correction 2")
    expect(second.get_by_label("What has to be corrected?")).to_be_focused()
    page.keyboard.type("Town")
    second.get_by_label("What should it say instead?").fill("Cork")
    page.get_by_role("button", name="Take correction 1 away").press("Enter")
    only = page.get_by_role("group", name="Correction 1")
    expect(only.get_by_label("What has to be corrected?")).to_have_value("Town")
    expect(page.get_by_role("group", name="Correction 2")).to_have_count(0)
    assert _corrected(_take_down(page)) == ["Town: → Cork"]


def test_what_a_letter_said_is_written_down_afterwards(visit: Visit) -> None:
    page = visit(MANAGER)
    _call(page)
    page.get_by_label("Correct my data").check()
    page.get_by_label("What they said").fill("My name is wrong, and my town.")
    request = _take_down(page)
    page.get_by_role("link", name="Write down what is to be corrected, so that").click()
    page.get_by_label("What has to be corrected?").fill("Surname")
    page.get_by_role("button", name="Write it down").last.click()
    page.get_by_role("alert").get_by_role("link", name="Correction 1: What should it say").click()
    page.keyboard.type("Do")
    page.get_by_label("What should it say instead?").fill("Doe")
    page.get_by_role("button", name="Write it down").last.click()
    expect(page.get_by_text("It is written down.")).to_be_visible()
    expect(page.get_by_text("Surname: → Doe").first).to_be_visible()
    assert _corrected(request) == ["Surname: → Doe"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_break_no_rule_of_accessibility(visit: Visit, scheme: str) -> None:
    page, found = visit(MANAGER, color_scheme=scheme), list[str]()
    _call(page)
    for right in ("Correct my data", "Object to a use of my data"):
        page.get_by_label(right).check()
    page.get_by_label("What does it say now?").fill("Dough")
    page.get_by_role("button", name="Look first").last.click()
    expect(page.get_by_role("alert").get_by_role("link")).to_have_count(3)
    found += _violations(page)
    page.goto("/admin/requests_app/requestimport/add/")
    page.set_input_files("[type=file]", {"name": "t.csv", "mimeType": "text/csv", "buffer": _file()})
    page.get_by_role("button", name="Look it through").click()
    page.get_by_role("link", name="See how they are read").click()
    expect(page.get_by_text("Surname: Dough → Doe")).to_be_visible()
    assert found + _violations(page) == []


def _file() -> bytes:
    """As a spreadsheet saves it where the comma is used for fractions."""
    header = "reference;received_on;rights;scheme;identifier;jurisdiction;correct_what;correct_wrong;correct_right"
    said = f"T-9;{clock.now().date()};rectification;email;a@example.org;GB;Surname;Dough;Doe"
    return f"{header}\r\n{said}\r\n".encode()


def _violations(page: Page) -> list[str]:
    """What axe found within what is ours: around it is the theme's."""
    found = Axe().run(page, context="#content").response["violations"]
    return [f"{page.url} {one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]
