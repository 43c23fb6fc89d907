"""The staff's first page and the queue that it leads to."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from consents.models import Subject
from portal import clock, partitions
from portal.models import User
from portal.roles import ADMINISTRATOR, AGENT, ALL, AUDITOR
from requests_app.dashboard import Group, Tile
from requests_app.models import Request
from tests.conftest import SignIn, staff_member
from tests.requests_app.asking import asked, in_review


@pytest.mark.parametrize(
    ("left", "listed"), [(30, {""}), (5, {"", "soon"}), (0, {"", "soon", "today"}), (-1, {"", "overdue"})]
)
def test_each_number_opens_the_list_that_it_counted(
    alice: Subject, petra: User, signed_in: SignIn, left: int, listed: set[str]
) -> None:
    request = asked(alice, "erasure", at=clock.now())[0]
    Request.objects.update(due_on=clock.now().date() + timedelta(days=left))
    browser = signed_in(petra)
    assert request.reference in browser.get("/admin/").content.decode()
    lists = {
        name: browser.get("/admin/requests_app/request/", {"view": name} if name else {}).content.decode()
        for name in ("", "soon", "today", "overdue")
    }
    assert {name for name, page in lists.items() if request.reference in page} == listed


def test_months_that_run_out_are_on_the_first_page(petra: User, signed_in: SignIn, monkeypatch: Any) -> None:
    browser = signed_in(petra)
    assert "Months kept ready" not in browser.get("/admin/").content.decode()
    monkeypatch.setattr(partitions, "FEWEST", partitions.AHEAD + 1)
    assert "Months kept ready" in browser.get("/admin/").content.decode()


def groups(browser: Client) -> dict[str, Group]:
    return {group.name: group for group in browser.get("/admin/").context["groups"]}


def labels(tiles: list[Tile]) -> list[str]:
    return [tile.label for tile in tiles]


def test_where_nothing_asks_each_group_says_so_and_keeps_its_noughts_quiet(
    world: None, petra: User, signed_in: SignIn
) -> None:
    browser = signed_in(petra)
    assert "Nothing is due." in browser.get("/admin/").content.decode()
    assert labels(groups(browser)["due"].loud) == []
    assert "Overdue requests" in labels(groups(browser)["due"].quiet)


def test_alarms_come_first_in_their_group(alice: Subject, petra: User, signed_in: SignIn) -> None:
    asked(alice, "erasure", "access", at=clock.now())
    Request.objects.filter(right="access").update(due_on=clock.now().date() - timedelta(days=1))
    group = groups(signed_in(petra))["due"]
    assert (group.loud[0].label, group.loud[0].is_alarm) == ("Overdue requests", True)
    assert "Open requests" in labels(group.loud)
    assert "Due today" in labels(group.quiet)


def test_a_proposal_waits_for_a_decision_and_not_for_others(
    alice: Subject, bob: User, petra: User, signed_in: SignIn
) -> None:
    in_review(alice, bob)
    found = groups(signed_in(petra))
    assert labels(found["decide"].loud) == ["Waiting for a second pair of eyes"]
    assert found["others"].loud == []


@pytest.mark.parametrize("role", [*ALL, None])
def test_each_role_sees_only_numbers_whose_lists_it_may_open(
    alice: Subject, signed_in: SignIn, role: str | None
) -> None:
    request = asked(alice, "erasure", at=clock.now())[0]
    browser = signed_in(staff_member("nemo", role))
    answer = browser.get("/admin/")
    assert (request.reference in answer.content.decode()) == (role in {AGENT, AUDITOR, "privacy manager"})
    links = {tile.link for tile in answer.context["tiles"]}
    assert bool(links) == (role not in {ADMINISTRATOR, None})
    assert {link: browser.get(link).status_code for link in links} == dict.fromkeys(links, 200)


def test_the_last_thirty_days_are_drawn_and_said(alice: Subject, petra: User, signed_in: SignIn) -> None:
    asked(alice, "erasure", at=clock.now())
    answer = signed_in(petra).get("/admin/")
    charts = {chart.name: chart for chart in answer.context["charts"]}
    assert set(charts) == {"received", "closed", "entries"}
    assert charts["received"].total == 1
    assert {len(chart.bars) for chart in charts.values()} == {30}
    assert f'aria-label="Requests received: {charts["received"].says}"' in answer.content.decode()
    assert charts["closed"].says == "none in 30 days"


def test_the_number_of_queries_does_not_grow_with_what_there_is(
    alice: Subject, charlie: Subject, petra: User, signed_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    browser = signed_in(petra)
    for one in (alice, charlie):
        asked(one, "erasure", "access", "rectification", at=clock.now())
    browser.get("/admin/")
    with django_assert_max_num_queries(30):
        browser.get("/admin/")
