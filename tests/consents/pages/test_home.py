"""The first page: is my data used to train AI?"""

import pytest
from django.test import Client
from django.utils import translation

from consents import holds
from consents.models import Subject
from consents.vocabulary import Action
from portal.models import User
from tests.conftest import AT, BY, SignIn, person
from tests.consents.asking import say


def text_of(browser: Client, path: str = "/", **query: str) -> str:
    response = browser.get(path, query)
    assert response.status_code == 200
    return response.content.decode()


def test_before_anything_is_set_up_it_says_that_nothing_is_used(db: None) -> None:
    assert "no data is used" in text_of(Client())


@pytest.mark.usefixtures("world")
def test_a_stranger_is_asked_where_they_live() -> None:
    page = text_of(Client())
    assert "Pick your country" in page
    assert "answer__word" not in page


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("country", "answer"), [("US", "it may be used, unless"), ("us-ca", "it may be used"), ("DE", "it is not used")]
)
def test_a_stranger_gets_their_countrys_answer(country: str, answer: str) -> None:
    assert answer in text_of(Client(), country=country)


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("country", ["XX", "Atlantis", "<script>", "EU", "\x00"])
def test_an_unknown_country_is_no_crash_and_no_answer(country: str) -> None:
    page = text_of(Client(), country=country)
    assert "We do not know that country" in page
    assert "answer__word" not in page
    assert "<script>alert" not in page


def test_the_signed_in_get_their_own_answer_and_one_button(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    assert "Your data may be used to train AI." in text_of(browser)
    assert "Say no" in text_of(browser)
    say(alice, Action.DENY)
    assert "Your data is not used to train AI." in text_of(browser)
    assert "You said no." in text_of(browser)


def test_the_country_asked_for_does_not_change_the_answer_of_the_signed_in(alice: Subject, signed_in: SignIn) -> None:
    assert "Your data may be used to train AI." in text_of(signed_in(alice), country="DE")


def test_a_hold_is_told(grace: Subject, signed_in: SignIn) -> None:
    holds.open(scope=holds.HoldScope(jurisdictions=["GB"]), reason="r", by=BY, at=AT)
    assert "Paused for everyone where you live." in text_of(signed_in(grace))


def test_staff_are_answered_like_strangers(world: None, bob: User, signed_in: SignIn) -> None:
    assert "Pick your country" in text_of(signed_in(bob))


def test_the_notice_in_force_is_linked(world: None) -> None:
    assert 'href="/notices/ai-training/1/"' in text_of(Client())


def test_the_page_speaks_the_readers_language(world: None) -> None:
    response = Client(headers={"accept-language": "fr"}).get("/")
    assert response["Content-Language"] == "fr"
    translation.activate("en")


def test_nothing_but_reading_is_allowed(world: None) -> None:
    assert Client().post("/").status_code == 405


def test_the_page_may_load_nothing_from_elsewhere(world: None) -> None:
    policy = Client().get("/")["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_a_minor_is_told_why(world: None, signed_in: SignIn) -> None:
    assert "We do not use data of minors for this." in text_of(signed_in(person("kim", is_minor=True)))


@pytest.mark.usefixtures("world")
def test_no_country_is_chosen_for_a_stranger() -> None:
    assert '<option value="">–</option>' in text_of(Client())
    page = text_of(Client(), country="DE")
    assert '<option value="DE" selected>' in page
    assert '<option value="">' not in page
