"""People ask: a stranger on a phone objects and wants their data, a member asks for two rights."""

import re
import uuid

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from requests_app.models import Request
from requests_app.states import Status
from tests.browser.conftest import PHONE, Visit
from tests.stack import Stack, wait_for

pytestmark = pytest.mark.browser
MEMBER = "m_gb002@linkwell.example"
_CODE = re.compile(r"\b([A-Z0-9]{4}-[A-Z0-9]{4})\b")
NARROW = {**PHONE, "viewport": {"width": 390, "height": 844}, "device_scale_factor": 1}


def _violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{page.url}: {one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


def _next(page: Page) -> None:
    expect(page.get_by_role("button", name="Continue")).to_be_visible()
    assert _violations(page) == []
    over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert over <= 0, f"{page.url} scrolls sideways by {over} px"
    page.get_by_role("button", name="Continue").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_member_asks_for_two_rights_and_finds_both(visit: Visit, scheme: str) -> None:
    page = visit(MEMBER, color_scheme=scheme, viewport={"width": 900, "height": 1000})
    page.goto("/")
    page.get_by_role("link", name="make a request").click()
    _next(page)
    expect(page.locator(".error-summary")).to_be_focused()
    page.get_by_role("link", name=re.compile("Tick at least one")).click()
    expect(page.locator("#id_rights")).to_be_focused()
    page.get_by_label("See my data").check()
    page.get_by_label("Put my data on hold").check()
    _next(page)
    page.get_by_label("Send me offers").check()
    page.get_by_label("Anything we should know").fill("My account is from 2019.")
    _next(page)
    expect(page.get_by_text("My account is from 2019.")).to_be_visible()
    assert _violations(page) == []
    page.get_by_role("button", name="Send").dblclick()
    expect(page.get_by_role("heading", name="We have your requests")).to_be_visible()
    assert len(page.locator("a.reference").all()) == 2
    assert _violations(page) == []
    page.locator("a.reference").first.click()
    expect(page.get_by_text("We received your request.")).to_be_visible()
    page.get_by_text("How this date was worked out").click()
    page.get_by_text("Write to our privacy staff").click()
    assert _violations(page) == []


def _code_of(house: Stack, email: str) -> str:
    """From the newest mail to this address."""

    def found() -> list[str]:
        texts = [path.read_text() for path in sorted(house.mail_dir.glob("*.log"), key=lambda one: one.stat().st_mtime)]
        return [code for text in texts if f"To: {email}" in text for code in _CODE.findall(text)]

    wait_for(found, within=60, what="a mail with a code")
    return found()[-1]


@pytest.mark.parametrize("scripts", [True, False])
def test_a_stranger_objects_and_asks_for_their_data_on_a_phone(house: Stack, visit: Visit, scripts: bool) -> None:
    # a new one each run: an address gets only so many mails an hour
    email = f"zoe-{uuid.uuid4().hex[:8]}@elsewhere.example"
    page = visit(**NARROW, java_script_enabled=scripts)
    page.goto("/requests/new/?country=DE")
    page.get_by_label("Object: stop using my data").check()
    page.get_by_label("See my data").check()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_label("Use my data to train AI")).to_be_checked()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_label("Where do you live?")).to_have_value("DE")
    page.get_by_role("textbox", name="Your mail address").fill(email)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Send").click()
    # a click does not wait for the page it leads to, and a page that is on its way out cannot be asked to go back
    expect(page.get_by_label("Code")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    page.go_forward()
    page.get_by_label("Code").fill(_code_of(house, email).lower())
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="We have your requests")).to_be_visible()
    expect(page.get_by_text("It counts from now on.")).to_be_visible()
    references = page.locator("span.reference").all_inner_texts()
    assert len(references) == 2
    if scripts:
        assert _violations(page) == []
    objection = next(one for one in Request.objects.filter(right="objection") if one.reference in references)
    assert objection.carried_out_at is not None
    access = Request.objects.get(group=objection.group, right="access")
    assert access.status == Status.VERIFYING
