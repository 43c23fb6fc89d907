"""Notices are there for everybody to read."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import translation

from consents import notices
from consents.models import Letter, Subject
from consents.notices import Draft
from portal import clock
from tests.conftest import AT, BY, SignIn
from tests.consents.telling import begin

DRAFT = Draft("terms", {"en": ("Terms", "First.\n\n<b>Second</b>"), "de": ("Regeln", "Zuerst.")}, AT, AT)


@pytest.fixture(autouse=True)
def published(world: None) -> None:
    notices.publish(draft=DRAFT, by=BY, at=AT)


def test_the_list_has_each_version_once() -> None:
    notices.publish(draft=DRAFT, by=BY, at=AT + timedelta(days=1))
    page = Client().get("/notices/").content.decode()
    assert re.findall(r'href="(/notices/terms/\d+/)"', page) == ["/notices/terms/2/", "/notices/terms/1/"]
    assert "How we train AI" in page


def test_the_version_in_force_comes_first_and_one_to_come_after_it() -> None:
    coming = replace(DRAFT, effective_at=clock.now() + timedelta(days=9))
    notices.publish(draft=coming, by=BY, at=AT)
    page = Client().get("/notices/").content.decode()
    assert re.findall(r'href="(/notices/terms/\d+/)"', page) == ["/notices/terms/1/", "/notices/terms/2/"]
    assert page.index("not yet in force") > page.index("/notices/terms/1/")


def test_what_is_arranged_for_a_later_day_is_nobodys_to_read_yet() -> None:
    later = clock.now() + timedelta(days=1)
    notices.publish(draft=replace(DRAFT, published_at=later, effective_at=later), by=BY, at=AT)
    assert Client().get("/notices/terms/2/").status_code == 404
    assert Client().get("/notices/terms/1/2/").status_code == 404
    assert "/notices/terms/2/" not in Client().get("/notices/").content.decode()


def test_a_version_that_was_replaced_says_so_and_leads_to_the_one_in_force() -> None:
    notices.publish(draft=DRAFT, by=BY, at=AT)
    page = Client().get("/notices/terms/1/").content.decode()
    assert "replaced" in page
    assert "Read the version that is in force" in page
    assert 'href="/notices/terms/1/2/"' in Client().get("/notices/terms/2/").content.decode()


class TestTheDifference:
    NEXT = replace(DRAFT, texts={"en": ("Terms", "First of all.\n\n<b>Second</b>"), "fr": ("Règles", "Un.")})

    @pytest.fixture(autouse=True)
    def next_one(self, published: None) -> None:
        notices.publish(draft=self.NEXT, by=BY, at=AT)

    def page(self, path: str = "/notices/terms/1/2/", language: str = "en") -> str:
        response = Client(headers={"accept-language": language}).get(path)
        translation.activate("en")
        assert response.status_code == 200
        return response.content.decode()

    def test_words_that_came_and_went_are_marked_and_said(self) -> None:
        page = self.page()
        assert '<del><span class="visually-hidden">[removed: </span>First.<' in page
        assert '<ins><span class="visually-hidden">[added: </span>First of all.<' in page
        assert "Passages added: 1, removed: 1." in page
        assert "&lt;b&gt;Second" in page

    def test_the_other_way_round_is_shown_too(self) -> None:
        assert "[added: </span>First.<" in self.page("/notices/terms/2/1/")

    @pytest.mark.parametrize("language", ["de", "fr"])
    def test_what_no_reader_of_that_language_can_compare_is_shown_in_english_and_said(self, language: str) -> None:
        page = self.page(language=language)
        assert 'lang="en"' in page
        assert "[" in page
        assert "First of all." in page

    def test_versions_without_a_common_language_are_not_compared(self) -> None:
        notices.publish(draft=replace(DRAFT, texts={"it": ("Termini", "Uno.")}), by=BY, at=AT)
        assert "different languages" in self.page("/notices/terms/2/3/")

    @pytest.mark.parametrize(
        "path",
        ["/notices/terms/1/1/", "/notices/terms/1/9/", "/notices/none/1/2/", f"/notices/terms/1/{9**25}/"],
    )
    def test_what_was_never_published_cannot_be_compared(self, path: str) -> None:
        assert Client().get(path).status_code == 404


def test_whoever_was_told_by_mail_finds_it_in_their_history(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    assert "What we told you by mail" not in browser.get("/history/").content.decode()
    begin()
    Letter.objects.update(state="sent", settled_at=AT)
    page = browser.get("/history/").content.decode()
    assert "What we told you by mail" in page
    assert 'href="/notices/terms/1/"' in page


def test_a_notice_is_shown_in_paragraphs_and_its_text_is_no_markup() -> None:
    page = Client().get("/notices/terms/1/").content.decode()
    assert "<p>First.</p>" in page
    assert "&lt;b&gt;Second" in page


@pytest.mark.parametrize(("language", "title"), [("de", "Regeln"), ("fr", "Terms")])
def test_a_notice_is_shown_in_the_readers_language_or_in_english(language: str, title: str) -> None:
    page = Client(headers={"accept-language": language}).get("/notices/terms/1/").content.decode()
    translation.activate("en")
    assert f">{title}</h1>" in page
    assert ('<h1 lang="en">' in page) == (language == "fr")


@pytest.mark.parametrize(
    "path", ["/notices/terms/2/", "/notices/nothing/1/", "/notices/terms/0/", f"/notices/terms/{9**25}/"]
)
def test_what_was_never_published_is_not_found(path: str) -> None:
    assert Client().get(path).status_code == 404


def test_nothing_but_reading_is_allowed() -> None:
    assert Client().post("/notices/").status_code == 405
