"""Staff write, translate, compare and publish notices."""

from typing import Any

import pytest
from django.test import Client

from consents import drafts
from consents.models import Notice, NoticeDraft, Subject
from consents.vocabulary import Action
from portal.models import User
from tests.conftest import AT, BY, SignIn
from tests.consents.asking import say
from tests.consents.test_expiry import enact

pytestmark = pytest.mark.django_db
BASE = "/admin/consents/noticedraft/"


@pytest.fixture
def manager(world: None, petra: User, signed_in: SignIn) -> Client:
    return signed_in(petra)


@pytest.fixture
def draft(world: None) -> NoticeDraft:
    return drafts.begin(slug="ai-training", by=BY, at=AT)


def sent(draft: NoticeDraft, **changes: Any) -> dict[str, Any]:
    draft.refresh_from_db()
    words = {"title_en": "How we train AI", "body_en": "With what you write and read."}
    return {"revision": draft.revision, "is_material": "on", **words, **changes}


def write(browser: Client, draft: NoticeDraft, **changes: Any) -> str:
    response = browser.post(f"{BASE}{draft.pk}/change/", sent(draft, **changes), follow=True)
    assert response.status_code == 200
    return response.content.decode()


def review(browser: Client, draft: NoticeDraft) -> str:
    response = browser.get(f"{BASE}{draft.pk}/review/")
    assert response.status_code == 200
    return response.content.decode()


def publish(browser: Client, draft: NoticeDraft, *without: str) -> str:
    draft.refresh_from_db()
    given = {"revision": draft.revision, "without": list(without)}
    return browser.post(f"{BASE}{draft.pk}/review/", given, follow=True).content.decode()


def test_a_draft_begins_with_what_is_in_force(manager: Client) -> None:
    page = manager.post(f"{BASE}add/", {"slug": "ai-training"}, follow=True).content.decode()
    assert page.count("How we train AI") == 2
    assert 'name="title_de"' in page
    assert "There is no text in this language." in page
    listed = manager.get(BASE).content.decode()
    assert "being written" in listed


def test_a_name_that_no_address_can_hold_is_refused(manager: Client) -> None:
    page = manager.post(f"{BASE}add/", {"slug": "Our Terms!"}).content.decode()
    assert "lower-case letters" in page
    assert not NoticeDraft.objects.exists()


def test_a_saved_draft_shows_what_it_changes_and_whom_it_concerns(
    manager: Client, draft: NoticeDraft, alice: Subject
) -> None:
    assert "Saved." in write(manager, draft, review="1", body_de="Neu", title_de="Titel")
    page = review(manager, draft)
    assert "and read." in page
    assert "<ins>" in page
    assert "0 agreements stop counting" in page
    assert "nobody from" in page
    assert "Publish without French" in page
    assert "Publish without German" not in page


def test_the_agreements_that_would_lapse_are_counted(manager: Client, draft: NoticeDraft, alice: Subject) -> None:
    enact(at=AT, notice="ai-training")
    say(alice, Action.GRANT, "marketing")
    assert "1 agreement stops counting" in review(manager, draft)


def test_it_is_published_once_every_missing_language_was_confirmed(manager: Client, draft: NoticeDraft) -> None:
    write(manager, draft)
    assert "Not written in" in publish(manager, draft, "de")
    page = publish(manager, draft, "de", "fr")
    assert "Published as version 2" in page
    assert "?notice=ai-training/2" in page
    assert Notice.objects.get(slug="ai-training", version=2).body == "With what you write and read."
    assert "was published" in publish(manager, draft, "de", "fr")
    assert manager.get(f"{BASE}{draft.pk}/change/").status_code == 302


def test_who_saves_second_sees_the_others_text_and_loses_nothing(manager: Client, draft: NoticeDraft) -> None:
    stale = sent(draft, body_en="Mine")
    write(manager, draft, body_en="Theirs")
    page = manager.post(f"{BASE}{draft.pk}/change/", stale).content.decode()
    assert "Somebody saved this draft" in page
    assert "Saved by somebody else meanwhile" in page
    assert "Theirs" in page
    assert "Mine" in page
    draft.refresh_from_db()
    assert draft.texts["en"]["body"] == "Theirs"
    assert f'name="revision" value="{draft.revision}"' in page
    assert "Saved." in write(manager, draft, body_en="Both")


def test_dates_in_the_wrong_order_are_marked(manager: Client, draft: NoticeDraft) -> None:
    page = write(manager, draft, publish_at="2030-01-02T00:00", effective_at="2030-01-01T00:00")
    assert "It takes effect after it was published." in page
    page = write(manager, draft, publish_at="2030-01-01T00:00", effective_at="2030-01-02T08:30")
    assert 'value="2030-01-02T08:30"' in page


def test_the_preview_is_the_page_as_people_see_it(manager: Client, draft: NoticeDraft) -> None:
    write(manager, draft, title_de="Neue Überschrift", body_de="Neuer Text")
    page = manager.get(f"{BASE}{draft.pk}/preview/de/").content.decode()
    assert '<html lang="de">' in page
    assert "Neue Überschrift</h1>" in page
    assert manager.get(f"{BASE}{draft.pk}/preview/fr/").status_code == 404


def test_an_agent_reads_and_neither_writes_nor_publishes(bob: User, draft: NoticeDraft, signed_in: SignIn) -> None:
    browser = signed_in(bob)
    page = browser.get(f"{BASE}{draft.pk}/change/", follow=True).content.decode()
    assert "Publish for good" not in page
    assert "Go on writing" not in page
    assert browser.get(f"{BASE}add/").status_code == 403
    assert browser.post(f"{BASE}{draft.pk}/review/", {"revision": 1}).status_code == 403
    browser.post(f"{BASE}{draft.pk}/change/", sent(draft, body_en="Mine"))
    draft.refresh_from_db()
    assert draft.revision == 1


@pytest.mark.parametrize("page", ["review/", "preview/en/", "change/"])
def test_a_draft_that_is_not_there_is_not_found(manager: Client, page: str) -> None:
    assert manager.get(f"{BASE}00000000-0000-0000-0000-000000000000/{page}").status_code == 404


@pytest.mark.parametrize("page", ["", "review/", "preview/en/", "change/"])
def test_nobody_else_comes_in(draft: NoticeDraft, alice: Subject, signed_in: SignIn, page: str) -> None:
    address = f"{BASE}{draft.pk}/{page}" if page else BASE
    for browser in (Client(), signed_in(alice)):
        assert browser.get(address).status_code in {302, 403}


def test_published_notices_are_listed_and_cannot_be_changed(manager: Client) -> None:
    page = manager.get("/admin/consents/notice/").content.decode()
    assert "How we train AI" in page
    pk = Notice.objects.get().pk
    manager.post(f"/admin/consents/notice/{pk}/change/", {"body": "x"})
    assert Notice.objects.get().body == "With what you write."
