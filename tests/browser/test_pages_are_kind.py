"""People's pages serve everyone: no accessibility rule broken, no sideways scrolling, little to load."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Request, expect

from tests.browser import asking_members, places
from tests.browser.conftest import Visit

pytestmark = pytest.mark.browser
MANAGER = "petra@linkwell.example"
LIGHT_ENOUGH = 100_000
"""Bytes of a page with all it loads, headers too, as a try-out installation serves them: not compressed, no cache."""


def _pages(visit: Visit, **options: object) -> list[tuple[Page, list[str]]]:
    return [
        (visit(**options), places.before_signing_in()),
        (visit(places.MEMBER, **options), places.of_member()),
        (visit(asking_members.ADDRESS, **options), places.of_asking_member()),
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_breaks_a_rule_of_accessibility(visit: Visit, scheme: str) -> None:
    broken = []
    for page, addresses in _pages(visit, color_scheme=scheme):
        for address in addresses:
            page.goto(address)
            broken += _violations(page)
    assert broken == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_of_requests_breaks_a_rule_for_staff(visit: Visit, scheme: str) -> None:
    broken = []
    page = visit(MANAGER, color_scheme=scheme)
    for address in places.of_requests():
        page.goto(address)
        broken += _violations(page, within="#content")
    assert broken == []


def test_a_form_that_was_refused_breaks_no_rule_of_accessibility_either(visit: Visit) -> None:
    page = visit(places.MEMBER)
    page.goto("/requests/new/")
    page.get_by_label("Erase my data for good").check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".error-summary")).to_be_focused()
    assert _violations(page) == []
    page.get_by_role("link", name="Tick the box").click()
    expect(page.get_by_label("I understand that an erasure cannot be undone.")).to_be_focused()


def _violations(page: Page, within: str | None = None) -> list[str]:
    """What axe found, everywhere or within what is ours: around it is the theme's."""
    found = Axe().run(page, context=within).response["violations"]
    return [f"{page.url}: {one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


def test_no_page_scrolls_sideways(visit: Visit) -> None:
    wide = []
    for page, addresses in _pages(visit):
        for address in addresses:
            page.goto(address)
            page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
            for width in (320, 360, 1280):
                page.set_viewport_size({"width": width, "height": 800})
                over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                wide += [f"{address} at {width}: {over} px"] if over > 0 else []
    assert wide == []


def test_every_page_is_light(visit: Visit) -> None:
    heavy = {
        address: weight
        for page, addresses in _pages(visit)
        for address, weight in _weights(page, addresses).items()
        if weight >= LIGHT_ENOUGH
    }
    assert heavy == {}


def _weights(page: Page, addresses: list[str]) -> dict[str, int]:
    """What each page moves over the wire, with its style and scripts loaded anew."""
    protocol = page.context.new_cdp_session(page)
    protocol.send("Network.enable")
    protocol.send("Network.setCacheDisabled", {"cacheDisabled": True})
    asked: list[Request] = []
    page.on("requestfinished", lambda one: asked.append(one))
    weights = {}
    for address in addresses:
        asked.clear()
        page.goto(address, wait_until="networkidle")
        sizes = [one.sizes() for one in asked]
        assert len(sizes) >= 4, f"{address} came without its style and scripts"
        weights[address] = sum(one["responseBodySize"] + one["responseHeadersSize"] for one in sizes)
    return weights
