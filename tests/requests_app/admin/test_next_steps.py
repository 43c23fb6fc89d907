"""Where somebody wants to see their data and be erased: both pages say early what comes first, and one leads on."""

from datetime import timedelta

import pytest
from django.utils.formats import date_format

from consents.models import Subject
from portal import clock
from portal.models import User
from portal.roles import AUDITOR
from requests_app import timeline, workflow
from requests_app.models import Request
from requests_app.pages import showing
from tests.conftest import BY, SignIn, staff_member
from tests.requests_app.admin.test_request_page import address, do, next_of, page_of
from tests.requests_app.asking import asked

pytestmark = pytest.mark.django_db

DEED = "carry_out_unanswered"
LABEL = "Carry it out before their copy"


@pytest.fixture
def both(alice: Subject, bob: User) -> tuple[Request, Request]:
    """The erasure, in progress, and the request for a copy; both came today."""
    at = clock.now()
    erasure = workflow.start(request=asked(alice, "erasure", at=at)[0], staff=bob, by=BY, at=at)
    return erasure, asked(alice, "access", at=at)[0]


def due_in(erasure: Request, days: int) -> None:
    Request.objects.filter(pk=erasure.pk).update(due_on=clock.now().date() + timedelta(days=days))
    erasure.refresh_from_db()


def test_each_page_leads_to_the_other_from_the_first_day(
    both: tuple[Request, Request], bob: User, signed_in: SignIn
) -> None:
    erasure, access = both
    browser = signed_in(bob)
    assert f"Answer their request for a copy first: {access.reference}, due {date_format(access.due_on)}" in next_of(
        browser, erasure
    )
    (words,) = [one for one in next_of(browser, access) if erasure.reference in one]
    assert words.startswith(f"Answer before {date_format(erasure.due_on)}")
    page = browser.get(page_of(erasure)).content.decode()
    assert "They want to see their data too" in page
    for left in (7, 2):
        assert date_format(erasure.due_on - timedelta(days=left), "DATE_FORMAT") in page
    # not possible yet, and it says from when
    assert address(DEED, erasure.pk) not in page
    assert f"<strong>{LABEL}</strong>: The person wants to see their data too" in page
    assert LABEL not in browser.get(page_of(access)).content.decode()


def test_near_its_day_the_page_offers_the_step_and_asks_why(
    both: tuple[Request, Request], bob: User, signed_in: SignIn
) -> None:
    erasure, access = both
    due_in(erasure, 1)
    browser = signed_in(bob)
    assert address(DEED, erasure.pk) in browser.get(page_of(erasure)).content.decode()
    asks = browser.get(address(DEED, erasure.pk)).content.decode()
    assert "nobody can bring them back" in asks
    refused = do(browser, DEED, erasure.pk, words=" ")
    assert refused.status_code == 400
    assert not erasure.timeline.filter(code="carried_out").exists()
    done = do(browser, DEED, erasure.pk, words="The month is over.")
    assert done["Location"] == page_of(erasure)
    entry = erasure.timeline.get(code="carried_out_unanswered")
    assert (entry.actor, timeline.words(erasure, entry)) == (f"staff:{bob.pk}", "The month is over.")
    page = browser.get(page_of(erasure)).content.decode()
    assert "The erasure has begun, and their copy is not answered." in page
    assert "the erasure begun before the copy was answered" in page
    assert f'<p class="as-written">before {access.reference} – The month is over.' in page
    assert "their erasure begun before this was answered" in browser.get(page_of(access)).content.decode()


@pytest.mark.parametrize("days", [5, 20])
def test_too_early_nothing_begins(both: tuple[Request, Request], bob: User, signed_in: SignIn, days: int) -> None:
    erasure, _access = both
    due_in(erasure, days)
    answer = do(signed_in(bob), DEED, erasure.pk, words="I am in a hurry.")
    assert answer.status_code == 400
    assert "This is not possible now:" in answer.content.decode()
    erasure.refresh_from_db()
    assert erasure.carried_out_at is None


def test_an_auditor_begins_nothing(both: tuple[Request, Request], signed_in: SignIn) -> None:
    erasure, _access = both
    due_in(erasure, 1)
    browser = signed_in(staff_member("ada", AUDITOR))
    assert address(DEED, erasure.pk) not in browser.get(page_of(erasure)).content.decode()
    assert do(browser, DEED, erasure.pk, words="Why not?").status_code == 403


def test_the_person_reads_on_their_page_that_the_erasure_went_first(
    both: tuple[Request, Request], alice: Subject, bob: User, signed_in: SignIn
) -> None:
    erasure, access = both
    due_in(erasure, 1)
    workflow.carry_out_unanswered(request=erasure, words="The month is over.", by=f"staff:{bob.pk}", at=clock.now())
    page = signed_in(alice).get(f"/requests/{access.reference}/").content.decode()
    assert "The day of your erasure came near before this was answered" in page
    assert "The month is over." not in page
    # and whose turn it is with the erasure: nothing is left to be removed, and the copy is owed
    erasure.refresh_from_db()
    assert showing.waiting_for(erasure, at=clock.now()) == "our privacy staff"
    workflow.withdraw(request=access, by=f"subject:{alice.pk}", at=clock.now())
    assert showing.waiting_for(erasure, at=clock.now()).startswith("our workers")
