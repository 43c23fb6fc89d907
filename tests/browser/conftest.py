"""One house for every browser test: the sample network, the real processes around it, and a Chromium.

A flush after each test would take the sample network away under the running processes, so these tests ask for
`house` instead of pytest-django's `db`; it opens the database once and leaves it empty after the last of them.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.backends.base.creation import TEST_DATABASE_PREFIX
from django.test import override_settings
from django.test.utils import setup_databases, teardown_databases
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from pytest_django import DjangoDbBlocker

from consents import sequencer
from downstream.models import Dataset
from portal.demo import sample
from tests import stack
from tests.browser import signing_in, waiting_requests
from tests.browser.watching import Watch
from tests.stack import Stack, wait_for

PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
IMAGES = Path(__file__).parents[2] / "docs" / "images"
HEAVIEST_IMAGE = 150_000
_PATIENCE = 15_000
"""Milliseconds, for what a page shows and for what is done on it: not a promise, machines are busy at times."""

Visit = Callable[..., Page]
Picture = Callable[..., None]


@pytest.fixture(scope="package")
def database(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The test database, which pytest-django makes only where some test asks for `db`; empty before and after."""
    with django_db_blocker.unblock():
        if str(connection.settings_dict["NAME"]).startswith(TEST_DATABASE_PREFIX):
            yield
            call_command("flush", verbosity=0, interactive=False)
        else:
            made = setup_databases(verbosity=0, interactive=False, aliases={"default"}, serialized_aliases=set())
            yield
            teardown_databases(made, verbosity=0)


@pytest.fixture(scope="package")
def house(database: None) -> Iterator[Stack]:
    """Web, worker and beat, at work on the sample network with a queue of requests; every dataset is verified."""
    # reasons of failures name this folder, and one of them is in a picture
    with (
        TemporaryDirectory(prefix="linkwell-") as folder,
        override_settings(**_folders(folder)),
        _orm_beside_playwright(),
    ):
        sample.load()
        waiting_requests.take_in()
        with stack.running(Path(folder), redis_number=13) as running:
            wait_for(_verified_to_the_head, within=60, what=lambda: running.log("worker")[-3000:])
            yield running


def _folders(folder: str) -> dict[str, Any]:
    """Where these tests and the processes beside them keep their files."""
    return {"DATA_DIR": folder, "FILES_DIR": Path(folder) / "files"}


def _verified_to_the_head() -> bool:
    head = sequencer.head()
    return head > 0 and not Dataset.objects.living().filter(position__lt=head).exists()


@contextmanager
def _orm_beside_playwright() -> Iterator[None]:
    """Playwright's synchronous API keeps an event loop in this thread, which Django takes for asynchronous code."""
    name = "DJANGO_ALLOW_ASYNC_UNSAFE"
    before = os.environ.get(name)
    os.environ[name] = "true"
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The Chromium that HEED_CHROMIUM names, or Playwright's own; it calls nobody on its own account."""
    quiet = ["background-networking", "component-update", "sync", "quic"]
    arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run", *(f"--disable-{name}" for name in quiet)]
    with sync_playwright() as playwright:
        program = os.environ.get("HEED_CHROMIUM") or None
        expect.set_options(timeout=_PATIENCE)
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()
        # while Playwright's loop runs Django keeps a connection of its own for it, which nothing else would close
        connection.close()


@pytest.fixture(scope="package")
def sessions() -> dict[str, Any]:
    """Who signed in already, by address; a second factor's code counts only once."""
    return {}


@pytest.fixture
def visit(house: Stack, chromium: Browser, sessions: dict[str, Any]) -> Iterator[Visit]:
    """Opens a browser, signed in as `who` if told; in the end nothing may have left the house or gone amiss."""
    watch, opened = Watch(house.base), list[BrowserContext]()

    def open_one(who: str | None = None, **options: Any) -> Page:
        if who is not None and who not in sessions:
            sessions[who] = _sign_in(house, chromium, who, watch)
        chosen = {"locale": "en-GB", "timezone_id": "UTC", **DESKTOP, **options}
        context = chromium.new_context(base_url=house.base, storage_state=sessions.get(who or ""), **chosen)
        context.set_default_timeout(_PATIENCE)
        opened.append(context)
        watch.follow(context)
        return context.new_page()

    yield open_one
    for context in opened:
        context.close()
    assert watch.outside == []
    assert watch.complaints == []


def _sign_in(house: Stack, chromium: Browser, who: str, watch: Watch) -> Any:
    context = chromium.new_context(base_url=house.base, **DESKTOP)
    watch.follow(context)
    page = context.new_page()
    signing_in.sign_in(page, house, who)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    """Takes a screenshot; into the README's images only when HEED_SCREENSHOTS=1, so that a test run changes nothing."""
    folder = IMAGES if os.environ.get("HEED_SCREENSHOTS") == "1" else tmp_path

    def take(page: Page, name: str, **options: Any) -> None:
        path = folder / f"{name}.png"
        # waits for the admin's fonts and for dialogs that fade in
        page.evaluate("document.fonts.ready")
        page.screenshot(path=path, animations="disabled", caret="hide", **options)
        assert path.stat().st_size <= HEAVIEST_IMAGE, f"{path} has {path.stat().st_size} bytes"

    return take
