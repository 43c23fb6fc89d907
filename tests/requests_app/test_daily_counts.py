"""The figures of the staff's charts: each thing on its day, and the log's growth without counting it."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consents import sequencer
from consents.models import LedgerEvent, Subject
from portal import actors, clock
from requests_app import daily_counts, workflow
from requests_app.daily_counts import DAYS, _growth
from tests.conftest import sequenced
from tests.requests_app.asking import asked

pytestmark = pytest.mark.django_db(transaction=True)


def counted(at: datetime) -> daily_counts.Daily:
    return daily_counts.until(at, head=sequencer.head())


@pytest.mark.parametrize("ago", [0, 1, DAYS - 1])
def test_a_request_counts_on_the_day_on_which_it_came_in(alice: Subject, ago: int) -> None:
    at = clock.now()
    asked(alice, "access", at=at - timedelta(days=ago))
    daily = counted(at)
    assert daily.received == tuple(int(number == DAYS - 1 - ago) for number in range(DAYS))
    assert (sum(daily.closed), daily.days[-1]) == (0, at.date())


def test_what_came_in_before_the_first_day_is_not_counted(alice: Subject) -> None:
    asked(alice, "access", at=clock.now() - timedelta(days=DAYS))
    assert sum(counted(clock.now()).received) == 0


def test_what_is_closed_counts_on_the_day_on_which_it_was(alice: Subject) -> None:
    at = clock.now()
    request = asked(alice, "access", at=at - timedelta(days=3))[0]
    assert sum(counted(at).closed) == 0
    workflow.withdraw(request=request, by=actors.subject(alice.pk), at=at - timedelta(days=2))
    assert counted(at).closed[-3] == 1


def test_the_log_grew_today_by_what_was_placed_today(alice: Subject) -> None:
    sequenced()
    daily = counted(clock.now())
    assert daily.entries[-1] == sequencer.head() == LedgerEvent.objects.count()
    assert sum(daily.entries[:-1]) == 0


def test_a_month_without_anything_is_a_month_of_noughts(db: None) -> None:
    daily = daily_counts.until(clock.now(), head=0)
    assert daily.received == daily.closed == daily.entries == (0,) * DAYS


def test_it_is_one_query_however_much_there_is(alice: Subject, django_assert_num_queries: Any) -> None:
    asked(alice, "access", at=clock.now())
    with django_assert_num_queries(1):
        daily_counts.until(clock.now(), head=1)


@given(st.lists(st.one_of(st.none(), st.integers(1, 50)), min_size=1, max_size=8), st.integers(0, 60))
def test_no_day_shrinks_the_log_and_no_entry_counts_twice(firsts: list[int | None], head: int) -> None:
    growth = _growth(firsts, head)
    assert min(growth) >= 0
    assert sum(growth) <= head
