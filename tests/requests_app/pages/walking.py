"""Walking through the steps of asking, as a browser does."""

import re
from typing import Any

from django.http import HttpResponse
from django.test import Client

STRANGER: dict[str, Any] = {"country": "US", "email": "zoe@example.org", "capacity": "self"}
FOR_A_CHILD: dict[str, Any] = STRANGER | {
    "capacity": "parent",
    "name": "Yan Doe",
    "contact": "yan@example.org",
    "relation": "I am her father.",
}
_DRAFT = re.compile(r'name="draft" value="([^"]+)"')
KEY = re.compile(r"Q-[0-9A-Z]{26}")


def choose(browser: Client, *rights: str, **details: Any) -> HttpResponse:
    """The first two steps; answers where the second one led."""
    browser.post("/requests/new/", {"rights": rights})
    return browser.post("/requests/new/details/", {"note": "", **details})  # type: ignore[return-value]


def draft_of(browser: Client) -> str:
    """The draft that the page of answers is about to send."""
    found = _DRAFT.search(text(browser.get("/requests/new/check/")))
    assert found
    return found[1]


def send(browser: Client, **files: Any) -> HttpResponse:
    return browser.post("/requests/new/check/", {"draft": draft_of(browser), **files})  # type: ignore[return-value]


def text(answer: Any) -> str:
    return str(answer.content.decode())
