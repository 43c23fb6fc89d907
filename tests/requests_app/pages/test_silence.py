"""What the page of an unanswered request offers: an appeal once its day has passed, where the law knows one."""

from datetime import datetime, time, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils.formats import date_format

from portal import clock
from portal.errors import DomainError
from requests_app import rulebook, workflow
from requests_app.models import Request
from requests_app.pages import showing
from requests_app.states import Right
from tests.conftest import BY, SignIn, person
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


SILENCE = {"silence_is_refusal": True, "appeal": {"to": "controller", "decide": "60 days", "window": "30 days"}}
"""Of a law that is made up: no answer is a refusal, and whoever appeals against it comes to us, within thirty days."""


def under_the_made_up_law(**said: Any) -> Request:
    request = asked(person("iris", "US-VA"), "access", at=clock.now() - timedelta(days=120), **said)[0]
    Request.objects.filter(pk=request.pk).update(terms={**request.terms, **SILENCE})
    return Request.objects.get(pk=request.pk)


def lodged(request: Request, *, at: datetime) -> str:
    """What lodging says, without doing it: a refusal's code, or nothing."""
    try:
        workflow.check_can_lodge(request, showing.follow_up_of(request), at=at)
    except DomainError as refusal:
        return refusal.code
    return ""


def day_of(request: Request, after: int) -> datetime:
    """Noon so many days after the one on which it was due, where its person lives."""
    zone = rulebook.thaw(request.terms).zone
    return datetime.combine(request.due_on + timedelta(days=after), time(12), tzinfo=zone)


@pytest.mark.parametrize(
    ("after", "code", "shown"),
    [
        (0, "appeal_not_yet", (False, False, True)),
        (1, "", (True, False, False)),
        (30, "", (True, False, False)),
        (31, "appeal_too_late", (False, True, False)),
    ],
)
def test_where_silence_refuses_an_appeal_is_offered_as_long_as_it_would_be_taken(
    world: None, after: int, code: str, shown: tuple[bool, bool, bool]
) -> None:
    request = under_the_made_up_law()
    at = day_of(request, after)
    assert lodged(request, at=at) == code
    way = showing.appeal(request, at=at)
    assert (way["appeal"] is not None, way["appeal_over"], way["appeal_opens"] is not None) == shown
    if way["appeal"] is not None:
        assert way["appeal"]["lodge_by"] == request.due_on + timedelta(days=30)
        follow = workflow.appeal(request=request, right="appeal", note="", by=BY, at=at)
        assert follow.due_on == way["appeal"]["due"] == at.date() + timedelta(days=60)


def test_where_the_time_to_appeal_against_silence_is_over_the_page_says_so(world: None, signed_in: SignIn) -> None:
    request = under_the_made_up_law()
    browser: Client = signed_in(request.subject)
    page = text(browser.get(page_of(request)))
    assert "The time to appeal to us is over." in page
    assert f"{page_of(request)}appeal/" not in page
    browser.post(f"{page_of(request)}appeal/", {"note": ""})
    assert Request.objects.count() == 1


def test_what_is_answered_with_an_earlier_request_offers_no_appeal_of_its_own(world: None) -> None:
    who = person("iris", "US-VA")
    first, again = (asked(who, "access", at=clock.now() - timedelta(days=20))[0] for _ in range(2))
    closed = clock.now() - timedelta(days=1)
    for one in (first, again):
        mine = Request.objects.filter(pk=one.pk)
        mine.update(status="in_progress")
        mine.update(status="fulfilled", closed_at=closed)
    first, again = Request.objects.get(pk=first.pk), Request.objects.get(pk=again.pk)
    assert again.duplicate_of == first
    assert showing.appeal(first, at=clock.now())["appeal"] is not None
    assert showing.appeal(again, at=clock.now())["appeal"] is None
