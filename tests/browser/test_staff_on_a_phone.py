"""Privacy staff away from their desk: what counts comes first, nothing scrolls sideways, the dark can be read."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from requests_app.models import Request
from tests.browser import asking_members, places
from tests.browser.conftest import PHONE, Visit

pytestmark = pytest.mark.browser
MANAGER = "petra@linkwell.example"
SCREEN = 740
"""The height of that phone's screen."""
SEEN_BESIDE = 3.0
"""The least contrast of a graphic with what is around it (WCAG 2.2, 1.4.11)."""


def _top(page: Page, selector: str) -> float:
    box = page.locator(selector).first.bounding_box()
    assert box is not None, selector
    return box["y"]


def _request(right: str) -> Request:
    return next(one for one in asking_members.requests() if one.right == right)


def test_a_request_begins_with_its_state_its_deeds_and_its_clock(visit: Visit) -> None:
    page = visit(MANAGER, **PHONE)
    page.goto(places.change_of(_request("portability")))
    parts = [".workspace__head h1", ".workspace__head .part__head", ".deeds", "#clock", "#facts", "#tasks", "#timeline"]
    tops = [_top(page, part) for part in parts]
    assert tops == sorted(tops)
    # state and deeds without a scroll, the clock after one at most
    assert _top(page, ".deeds") < SCREEN
    assert _top(page, "#clock") < 2 * SCREEN


def test_at_a_desk_the_clock_stands_beside_the_work(visit: Visit) -> None:
    page = visit(MANAGER)
    page.goto(places.change_of(_request("portability")))
    clock, tasks = (page.locator(one).bounding_box() for one in ("#clock", "#tasks"))
    assert clock is not None
    assert tasks is not None
    assert clock["x"] > tasks["x"] + tasks["width"]


def test_no_page_of_staff_scrolls_sideways(visit: Visit) -> None:
    page, wide = visit(MANAGER, **PHONE), []
    for address in dict.fromkeys([*places.of_requests(), *places.of_staff()]):
        page.goto(address)
        page.evaluate("document.querySelectorAll('#content details').forEach(one => { one.open = true })")
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        wide += [f"{address}: {over} px"] if over > 0 else []
    assert wide == []


def test_what_is_due_is_seen_before_what_is_not(visit: Visit) -> None:
    page = visit(MANAGER, **PHONE)
    page.goto("/admin/")
    groups = ["#group-due", "#group-decide", "#due-next", "#group-others", "#group-health", "#charts"]
    tops = [_top(page, one) for one in groups]
    assert tops == sorted(tops)
    alarms = page.locator("section[aria-labelledby=group-due] .tiles > li")
    expect(alarms.first).to_contain_text("needs a look")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_bars_of_the_last_days_can_be_seen(visit: Visit, scheme: str) -> None:
    page = visit(MANAGER, color_scheme=scheme)
    page.goto("/admin/")
    bar = page.locator(".bars__bar:not(.bars__bar--today)").first
    ground = page.locator("#main").first
    assert _contrast(_colour(bar, "fill"), _colour(ground, "background-color")) >= SEEN_BESIDE
    assert page.get_by_role("img", name=re.compile(r"Requests received: \d+ in 30 days")).count() == 1


def _colour(found: Locator, part: str) -> tuple[float, ...]:
    """As the browser paints it, on a canvas: style sheets may say it in any colour space."""
    return tuple(
        found.evaluate(
            """(one, part) => {
                const canvas = document.createElement("canvas");
                canvas.width = canvas.height = 1;
                const pen = canvas.getContext("2d");
                pen.fillStyle = getComputedStyle(one)[part];
                pen.fillRect(0, 0, 1, 1);
                return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
            }""",
            part,
        )
    )


def _contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """WCAG's contrast ratio of two colours."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: tuple[float, ...]) -> float:
    shares = [part / 255 for part in colour]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in shares]
    return sum(weight * one for weight, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
