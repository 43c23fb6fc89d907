"""Notices are there for everybody to read."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import translation

from consents import notices
from consents.notices import Draft
from tests.conftest import AT, BY

DRAFT = Draft("terms", {"en": ("Terms", "First.\n\n<b>Second</b>"), "de": ("Regeln", "Zuerst.")}, AT, AT)


@pytest.fixture(autouse=True)
def published(world: None) -> None:
    notices.publish(draft=DRAFT, by=BY, at=AT)


def test_the_list_has_each_version_once() -> None:
    notices.publish(draft=DRAFT, by=BY, at=AT + timedelta(days=1))
    page = Client().get("/notices/").content.decode()
    assert page.count('href="/notices/terms/') == 2
    assert "How we train AI" in page


def test_a_notice_is_shown_in_paragraphs_and_its_text_is_no_markup() -> None:
    page = Client().get("/notices/terms/1/").content.decode()
    assert "<p>First.</p>" in page
    assert "&lt;b&gt;Second" in page


@pytest.mark.parametrize(("language", "title"), [("de", "Regeln"), ("fr", "Terms")])
def test_a_notice_is_shown_in_the_readers_language_or_in_english(language: str, title: str) -> None:
    page = Client(headers={"accept-language": language}).get("/notices/terms/1/").content.decode()
    translation.activate("en")
    assert f"<h1>{title}</h1>" in page


@pytest.mark.parametrize(
    "path", ["/notices/terms/2/", "/notices/nothing/1/", "/notices/terms/0/", f"/notices/terms/{9**25}/"]
)
def test_what_was_never_published_is_not_found(path: str) -> None:
    assert Client().get(path).status_code == 404


def test_nothing_but_reading_is_allowed() -> None:
    assert Client().post("/notices/").status_code == 405
