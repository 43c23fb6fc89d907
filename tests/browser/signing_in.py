"""Signing in as people and staff do: address, code from the mail, and for staff the second factor."""

import re
from pathlib import Path

from playwright.sync_api import Page

from portal import demo_access
from tests.stack import Stack, wait_for

_CODE = re.compile(r"^\s*([A-Z0-9]{4}-[A-Z0-9]{4})\s*$", re.M)


def sign_in(page: Page, house: Stack, email: str) -> None:
    """From the sign-in page to the first page behind it."""
    page.goto("/account/login/")
    code = ask_for_code(page, house, email)
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Sign in").click()
    second = {one.email: one.totp_secret for one in demo_access.recall()}.get(email)
    if second:
        # the first page has a field of that name too
        page.wait_for_url("**/2fa/**")
        page.get_by_label("code").fill(demo_access.current_code(second))
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/admin/")
    else:
        page.wait_for_url("**/choices/")


def ask_for_code(page: Page, house: Stack, email: str) -> str:
    """Fill in the address on the page that is open; answers the code of the mail that came."""
    before = set(_mails(house))
    page.get_by_label("Mail address").fill(email)
    page.get_by_role("button", name="Send me a code").click()
    page.get_by_label("Code").wait_for()
    return _code(house, email, before)


def _code(house: Stack, email: str, before: set[Path]) -> str:
    def found() -> list[str]:
        texts = [path.read_text() for path in _mails(house) if path not in before]
        return [code for text in texts if f"To: {email}" in text for code in _CODE.findall(text)]

    wait_for(found, within=60, what="a mail with a code")
    return found()[0]


def _mails(house: Stack) -> list[Path]:
    return list(house.mail_dir.glob("*.log"))
