"""What the page of an unanswered request offers: an appeal once its day has passed, where the law knows one."""

from datetime import timedelta

import pytest
from django.utils.formats import date_format

from portal import clock
from requests_app.models import Request
from requests_app.states import Right
from tests.conftest import SignIn, person
from tests.requests_app.asking import asked
from tests.requests_app.pages.test_views import page_of
from tests.requests_app.pages.walking import text

pytestmark = pytest.mark.django_db


def test_before_its_day_an_open_request_says_from_when_silence_can_be_appealed_against(
    world: None, signed_in: SignIn
) -> None:
    who = person("iris", "US-VA")
    request = asked(who, "access", at=clock.now())[0]
    browser = signed_in(who)
    opens = request.due_on + timedelta(days=1)
    page = text(browser.get(page_of(request)))
    assert f'can have somebody else look at it from <strong><time datetime="{opens.isoformat()}"' in page
    assert f"{page_of(request)}appeal/" not in page
    for answer in (browser.get, browser.post):
        said = text(answer(f"{page_of(request)}appeal/", follow=True))
        assert f"you can do this from {date_format(opens, 'j F Y')}" in said
    assert Request.objects.count() == 1


@pytest.mark.parametrize(("country", "right"), [("US-VA", Right.APPEAL), ("GB", Right.COMPLAINT)])
def test_once_its_day_has_passed_silence_is_appealed_against_without_a_word(
    world: None, signed_in: SignIn, country: str, right: Right
) -> None:
    who = person("iris", country)
    request = asked(who, "access", at=clock.now() - timedelta(days=100))[0]
    browser = signed_in(who)
    page = text(browser.get(page_of(request)))
    assert "We should have answered by now." in page
    assert request.terms["regulator"]["url"] in page
    form = browser.get(f"{page_of(request)}appeal/")
    assert "Somebody who did not have your request" in text(form)
    answer = text(browser.post(f"{page_of(request)}appeal/", {"note": ""}, follow=True))
    assert "sees to it that you are answered" in answer
    assert Request.objects.get(about=request).right == right
    # one at a time
    assert f"{page_of(request)}appeal/" not in text(browser.get(page_of(request)))


def test_where_silence_goes_to_the_authority_that_alone_is_named(world: None, signed_in: SignIn) -> None:
    who = person("iris", "DE")
    request = asked(who, "access", at=clock.now() - timedelta(days=100))[0]
    page = text(signed_in(who).get(page_of(request)))
    assert "The data protection authority of your federal state" in page
    assert "We are late." in page
    assert request.terms["regulator"]["url"] in page
    assert f"{page_of(request)}appeal/" not in page
