"""Using the pages as a person's browser does: signing in with a code from a mail, saying no."""

import re
import time
from pathlib import Path

import requests


class Failed(Exception):
    """Something on the way did not come; the message says where it stuck."""


def sign_in(*, base: str, email: str, mail_dir: Path) -> requests.Session:
    """A browser that is signed in as whoever has this address; reads the code from the mail folder. Raises Failed."""
    browser = requests.Session()
    page = browser.get(f"{base}/account/login/", timeout=10)
    before = {path.name for path in mail_dir.glob("*.log")}
    sent = post(browser, f"{base}/account/login/code/", page.text, email=email)
    code = _code_from_mail(mail_dir, before)
    answer = post(browser, f"{base}/account/login/code/confirm/", sent.text, code=code)
    if not answer.ok or answer.url.endswith("/account/login/code/confirm/"):
        raise Failed(f"Signing in ended at {answer.url} with {answer.status_code}.")
    return browser


def say_no(browser: requests.Session, *, base: str, purpose: str) -> str:
    """Press No on `/choices/`; answers the receipt's reference. Raises Failed."""
    page = browser.get(f"{base}/choices/", timeout=10)
    answer = post(
        browser, f"{base}/choices/choose/", page.text, headers={"HX-Request": "true"}, purpose=purpose, action="deny"
    )
    found = re.search(r"R-[0-9A-Z]{26}", answer.text)
    if answer.status_code != 200 or found is None:
        raise Failed(f"The page answered {answer.status_code} without a receipt.")
    return found.group()


def post(
    browser: requests.Session, url: str, page: str, *, headers: dict[str, str] | None = None, **fields: str
) -> requests.Response:
    """Send a form of `page` with its CSRF token."""
    data = {"csrfmiddlewaretoken": field(page, "csrfmiddlewaretoken"), **fields}
    return browser.post(url, data=data, headers={"Referer": url, **(headers or {})}, timeout=30)


def field(page: str, name: str) -> str:
    """The value of a hidden field. Raises Failed."""
    found = re.search(rf'name="{name}"[^>]*value="([^"]+)"', page)
    if found is None:
        raise Failed(f"A page came without its form ({name}).")
    return found.group(1)


def _code_from_mail(mail_dir: Path, before: set[str]) -> str:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for path in mail_dir.glob("*.log"):
            if path.name in before:
                continue
            found = re.search(r"^\s*([A-Z0-9]{4}-[A-Z0-9]{4})\s*$", path.read_text(), re.M)
            if found:
                return found.group(1)
        time.sleep(0.05)
    raise Failed("No mail with a code came within 10 s.")
