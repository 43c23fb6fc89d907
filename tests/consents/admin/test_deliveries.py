"""Staff tell people of a notice: the size first, then the letters, and what is in doubt is theirs to decide."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from consents.models import Letter, NoticeDelivery, Subject
from portal.models import User
from tests.conftest import SignIn
from tests.consents.telling import begin, published

pytestmark = pytest.mark.django_db
BASE = "/admin/consents/noticedelivery/"
ASKED = {"notice": "terms/1", "jurisdictions": "", "confirmed": "1"}


@pytest.fixture(autouse=True)
def notice(alice: Subject, grace: Subject) -> None:
    published()


@pytest.fixture
def manager(petra: User, signed_in: SignIn) -> Client:
    return signed_in(petra)


def press(browser: Client, button: str, delivery: NoticeDelivery) -> str:
    browser.post(reverse(f"admin:consents_noticedelivery_{button}", args=[delivery.pk]), {"_form_submitted": "True"})
    return browser.get(f"{BASE}{delivery.pk}/change/").content.decode()


def test_how_many_is_shown_first_and_nothing_is_begun(manager: Client) -> None:
    assert "ai-training/1" in manager.get(f"{BASE}add/").content.decode()
    page = manager.post(f"{BASE}add/", {"notice": "terms/1", "jurisdictions": "US, GB"}).content.decode()
    assert "It concerns 2 people." in page
    assert "United Kingdom" in page
    assert not NoticeDelivery.objects.exists()


def test_the_second_press_begins_it(manager: Client) -> None:
    page = manager.post(f"{BASE}add/", {**ASKED, "jurisdictions": "GB"}, follow=True).content.decode()
    assert "on their way" in page
    assert "to be sent" in page
    assert NoticeDelivery.objects.get().people == 1
    assert "0 of 1" in manager.get(BASE).content.decode()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"jurisdictions": "Narnia"}, "ISO 3166"),
        ({"jurisdictions": "FR"}, "told already, or there is nobody"),
        ({"notice": "terms/7"}, "valid choice"),
    ],
)
def test_what_cannot_be_begun_is_said(manager: Client, wrong: dict[str, str], said: str) -> None:
    assert said in manager.post(f"{BASE}add/", {**ASKED, **wrong}).content.decode()
    assert not NoticeDelivery.objects.exists()


def test_it_is_paused_and_resumed(manager: Client) -> None:
    delivery = begin()
    assert "Resume" in press(manager, "pause", delivery)
    assert NoticeDelivery.objects.get().state == "paused"
    press(manager, "resume", delivery)
    assert NoticeDelivery.objects.get().state == "running"


def test_letters_in_doubt_are_shown_and_decided_by_a_person(manager: Client) -> None:
    delivery = begin()
    Letter.objects.update(state="uncertain")
    NoticeDelivery.objects.update(state="done")
    assert "2 wait for you" in manager.get(BASE).content.decode()
    assert "Send the uncertain again" in manager.get(f"{BASE}{delivery.pk}/change/").content.decode()
    press(manager, "arrived", delivery)
    assert set(Letter.objects.values_list("state", flat=True)) == {"sent"}


def test_failed_letters_are_tried_again(manager: Client) -> None:
    delivery = begin()
    Letter.objects.update(state="failed", reason="smtp_550")
    NoticeDelivery.objects.update(state="done")
    press(manager, "retry", delivery)
    assert set(Letter.objects.values_list("state", flat=True)) == {"pending"}


def test_no_page_names_a_person_or_an_address(manager: Client) -> None:
    delivery = begin()
    for address in (BASE, f"{BASE}{delivery.pk}/change/"):
        page = manager.get(address).content.decode()
        assert not re.search(r"@example\.org|m_alice", page)


def test_an_agent_reads_and_sends_nothing(bob: User, signed_in: SignIn) -> None:
    delivery, browser = begin(), signed_in(bob)
    assert browser.get(f"{BASE}{delivery.pk}/change/").status_code == 200
    assert browser.get(f"{BASE}add/").status_code == 403
    assert browser.post(f"{BASE}add/", ASKED).status_code == 403
    press(browser, "pause", delivery)
    assert NoticeDelivery.objects.get().state == "running"
