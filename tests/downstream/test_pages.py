"""The page that tells where a no has arrived: one's own, in each state, and the part that htmx looks at again."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import translation

from consents import holds
from consents.models import Subject
from consents.vocabulary import Action
from downstream import journeys, leases
from downstream.models import Dataset, Propagation
from downstream.pages import views
from portal import clock
from portal.models import User
from tests.conftest import BY, SignIn, person, sequenced
from tests.downstream.acting import LATER, planned, run_all, say
from tests.downstream.test_exemptions import erase, keep

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/choices/ai-training/journey/"


def text(browser: Client, path: str = PAGE, *, htmx: bool = False) -> str:
    answer = browser.get(path, headers={"HX-Request": "true"} if htmx else {})
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_asks_to_sign_in_first(posts: Dataset) -> None:
    answer = Client().get(PAGE)
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/account/login/")


def test_staff_without_a_record_of_their_own_are_told_so(posts: Dataset, petra: User, signed_in: SignIn) -> None:
    assert signed_in(petra).get(PAGE).status_code == 403


@pytest.mark.parametrize("purpose", ["mining", "ai-training/none", "x" * 200, "%00", "../admin"])
def test_an_unknown_purpose_is_not_found(alice: Subject, signed_in: SignIn, purpose: str) -> None:
    assert signed_in(alice).get(f"/choices/{purpose}/journey/").status_code == 404


def test_it_can_only_be_looked_at(alice: Subject, signed_in: SignIn) -> None:
    assert signed_in(alice).post(PAGE).status_code == 405


def test_it_follows_a_no_to_its_end(posts: Dataset, alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    say(alice, Action.DENY, at=clock.now())
    waiting = text(browser)
    assert "stop--waiting" in waiting
    assert f'hx-get="{PAGE}"' in waiting
    run = planned(at=clock.now())
    leases.claim(propagation_id=run.pk, holder="one")
    assert "stop--working" in text(browser)
    Propagation.objects.update(lease_until=clock.now() - timedelta(days=1))
    run_all(at=clock.now() + timedelta(minutes=1))
    arrived = text(browser)
    assert "stop--removed" in arrived
    assert "hx-get" not in arrived
    assert "Posts" in arrived


def test_what_a_law_has_us_keep_is_told_as_kept(posts: Dataset, alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    keep(posts, alice)
    erase(alice)
    run_all()
    shown = text(browser)
    assert "stop--exempt" in shown
    assert "a law obliges us to keep it" in shown
    assert "arrived everywhere" not in shown
    assert "hx-get" not in shown


def test_what_htmx_fetches_is_the_stops_alone(posts: Dataset, alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    say(alice, Action.DENY, at=clock.now())
    part = text(browser, htmx=True)
    assert part.lstrip().startswith('<section class="stops"')
    assert "<html" not in part
    assert "stop--waiting" in part
    run_all(at=clock.now())
    assert "hx-trigger" not in text(browser, htmx=True)


def test_what_failed_is_told_without_its_inside(posts: Dataset, alice: Subject, signed_in: SignIn) -> None:
    say(alice, Action.DENY, at=clock.now())
    Path(posts.location).rename(f"{posts.location}-moved")
    assert run_all(at=clock.now()) == [False]
    page = text(signed_in(alice))
    assert "stop--failed" in page
    assert posts.location not in page


def test_what_is_overdue_is_told_as_late(posts: Dataset, alice: Subject, signed_in: SignIn) -> None:
    say(alice, Action.DENY, at=clock.now())
    planned(at=clock.now())
    Propagation.objects.update(deadline=clock.now() - timedelta(hours=1))
    assert "stop--late" in text(signed_in(alice))


def test_everybody_sees_their_own_way_alone(
    posts: Dataset, alice: Subject, charlie: Subject, signed_in: SignIn
) -> None:
    say(alice, Action.DENY, at=clock.now())
    run_all(at=clock.now())
    page = text(signed_in(charlie))
    assert "stop--" not in page
    assert "R-" not in page


def test_somebody_new_where_it_is_off_is_not_told_that_it_arrived(posts: Dataset, signed_in: SignIn) -> None:
    dora = person("dora", "DE", at=clock.now())
    browser = signed_in(dora)
    assert "Your no has arrived everywhere" not in text(browser, htmx=True)
    sequenced()
    assert "stop--waiting" in text(browser, htmx=True)
    run_all(at=clock.now())
    assert "stop--not_in" in text(browser, htmx=True)


def test_under_a_hold_the_stops_are_the_holds(posts: Dataset, alice: Subject, signed_in: SignIn) -> None:
    holds.open(scope=holds.HoldScope(jurisdictions=["US"]), reason="asked to", by=BY, at=clock.now())
    browser = signed_in(alice)
    assert "stop--waiting" in text(browser, htmx=True)
    sequenced()
    run_all(at=clock.now())
    assert "stop--removed" in text(browser, htmx=True)


@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_it_reads_in_each_language(posts: Dataset, alice: Subject, signed_in: SignIn, language: str) -> None:
    say(alice, Action.DENY, at=clock.now())
    # what a request switches to stays on for the tests that follow
    with translation.override("en"):
        answer = signed_in(alice).get(PAGE, headers={"Accept-Language": language})
    assert f'lang="{language}"' in answer.content.decode()


def test_a_person_reads_where_nobody_can_look_without_names_that_are_the_staffs(posts: Dataset) -> None:
    places = ("backups", "the pages of public.posts, which Heed's role may not read", "whatever a trigger copied")
    stop = journeys.Stop(posts, journeys.REMOVED, 2, LATER, None, unreachable=places)
    shown = [str(place) for place in views._shown(stop)["unreachable"]]
    assert shown == [
        "backups, which are kept for some time and not used for this",
        "other places, which our staff know and watch",
    ]
