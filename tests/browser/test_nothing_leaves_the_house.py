"""No page, staff's and the API's documentation included, asks anyone but this server.

What is asserted stands in `visit`: it fails a test whose pages asked anyone else, or broke their content policy.
"""

import pytest
from playwright.sync_api import expect

from tests.browser import places
from tests.browser.conftest import Picture, Visit

pytestmark = pytest.mark.browser
MANAGER = "petra@linkwell.example"


def test_people_s_pages_ask_nobody_else(visit: Visit) -> None:
    for page, addresses in (
        (visit(), places.before_signing_in()),
        (visit(places.MEMBER), places.of_member()),
    ):
        for address in addresses:
            answer = page.goto(address)
            assert answer is not None
            assert answer.status == 200, address
            assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_staff_s_pages_ask_nobody_else(visit: Visit) -> None:
    page = visit(MANAGER)
    for address in places.of_staff():
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 200, address


def test_the_documentation_of_the_api_is_drawn_without_anybody_else(visit: Visit, picture: Picture) -> None:
    page = visit()
    page.goto("/api/v1/docs/")
    expect(page.get_by_text("Record one choice of one person")).to_be_visible()
    picture(page, "api-docs")
