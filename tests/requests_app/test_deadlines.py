"""The dates that the law is known by, and what is refused."""

import datetime
from datetime import UTC, date, timedelta

import pytest

from requests_app import deadlines, periods, rulebook, working_days
from requests_app.deadlines import Deadline, DeadlineError, Extension, Pause
from requests_app.periods import Moment, NaiveTime
from requests_app.rulebook import Wait


def clock(place: str, received: Moment, right: str = "access", **told: object) -> Deadline:
    rule = rulebook.rule_for(place, right, on=received)
    return deadlines.compute(rule, received=received, **told)  # type: ignore[arg-type]


def waited(began: date, ended: date | None, reason: Wait = Wait.CLARIFICATION) -> tuple[Pause, ...]:
    return (Pause(reason, began, ended),)


@pytest.mark.parametrize(
    ("place", "received", "due"),
    [
        ("GB", date(2026, 8, 31), date(2026, 9, 30)),
        ("GB", date(2027, 1, 30), date(2027, 3, 1)),
        ("GB", date(2026, 9, 3), date(2026, 10, 5)),
        ("GB-ENG", date(2026, 11, 25), date(2026, 12, 29)),
        ("DE", date(2026, 8, 31), date(2026, 9, 30)),
        ("DE", date(2026, 9, 3), date(2026, 10, 5)),
        ("IE", date(2027, 1, 30), date(2027, 3, 1)),
        # leap days: 29 February 2028 exists and is a Tuesday; that of 2027 does not
        ("GB", date(2028, 1, 29), date(2028, 2, 29)),
        ("GB", date(2028, 1, 31), date(2028, 2, 29)),
        ("GB", date(2028, 2, 29), date(2028, 3, 29)),
        ("FR", date(2027, 1, 29), date(2027, 3, 1)),
        # over the turn of the year
        ("FR", date(2026, 12, 31), date(2027, 2, 1)),
        ("GB", date(2026, 12, 1), date(2027, 1, 4)),
    ],
)
def test_a_month_ends_on_the_day_that_the_law_says(place: str, received: date, due: date) -> None:
    assert clock(place, received).due == due


@pytest.mark.parametrize(
    ("received", "england", "scotland", "northern_ireland"),
    [
        # 30 November is a holiday in Scotland only
        (date(2026, 10, 30), date(2026, 11, 30), date(2026, 12, 1), date(2026, 11, 30)),
        # 2 January (Saturday 2027, so Monday 4) is a holiday in Scotland only
        (date(2026, 12, 1), date(2027, 1, 4), date(2027, 1, 5), date(2027, 1, 4)),
        # 17 March is a holiday in Northern Ireland only
        (date(2027, 2, 17), date(2027, 3, 17), date(2027, 3, 17), date(2027, 3, 18)),
        # Easter Monday is none in Scotland
        (date(2027, 2, 28), date(2027, 3, 30), date(2027, 3, 29), date(2027, 3, 30)),
        (date(2026, 11, 25), date(2026, 12, 29), date(2026, 12, 29), date(2026, 12, 29)),
    ],
)
def test_each_part_of_the_united_kingdom_has_its_own_holidays(
    received: date, england: date, scotland: date, northern_ireland: date
) -> None:
    assert clock("GB-ENG", received).due == england
    assert clock("GB-WLS", received).due == england
    assert clock("GB", received).due == england
    assert clock("GB-SCT", received).due == scotland
    assert clock("GB-NIR", received).due == northern_ireland


def test_each_country_of_the_eea_has_its_own_holidays() -> None:
    received = date(2026, 9, 26)  # 26 October 2026 is a Monday, a holiday in Austria and in Ireland
    assert clock("AT", received).due == date(2026, 10, 27)
    assert clock("IE", received).due == date(2026, 10, 27)
    assert clock("DE", received).due == date(2026, 10, 26)
    # 6 January is a holiday in Bavaria, not in all of Germany
    assert clock("DE-BY", date(2026, 12, 6)).due == date(2027, 1, 7)
    assert clock("DE", date(2026, 12, 6)).due == date(2027, 1, 6)


def test_the_day_of_receipt_is_the_day_where_the_person_lives() -> None:
    late = datetime.datetime(2026, 9, 2, 23, 30, tzinfo=UTC)
    assert clock("DE", late).received == date(2026, 9, 3)
    assert clock("DE", late).due == date(2026, 10, 5)
    assert clock("US-CA", late).received == date(2026, 9, 2)
    assert clock("NZ", late).received == date(2026, 9, 3)
    # British summer time ends in October
    assert clock("GB", late).received == date(2026, 9, 3)
    assert clock("GB", datetime.datetime(2026, 11, 2, 23, 30, tzinfo=UTC)).received == date(2026, 11, 2)


def test_an_answer_is_late_only_when_the_day_has_ended_where_the_person_lives() -> None:
    due = clock("US-CA", date(2026, 9, 3))
    assert due.due == date(2026, 10, 18)
    assert due.ends == datetime.datetime(2026, 10, 19, 7, tzinfo=UTC)


def test_in_britain_the_clock_starts_with_the_latest_of_receipt_identity_and_fee() -> None:
    received = date(2026, 9, 1)
    assert clock("GB", received, identity_confirmed=date(2026, 9, 8)).due == date(2026, 10, 8)
    assert clock("GB", received, fee_paid=date(2026, 9, 9)).due == date(2026, 10, 9)
    both = clock("GB", received, identity_confirmed=date(2026, 9, 8), fee_paid=date(2026, 9, 4))
    assert (both.start, both.due) == (date(2026, 9, 8), date(2026, 10, 8))
    # known before: nothing waits
    assert clock("GB", received, identity_confirmed=date(2026, 8, 1)).due == date(2026, 10, 1)


def test_in_california_the_clock_runs_whether_or_not_the_person_is_verified() -> None:
    waiting = clock(
        "US-CA",
        date(2026, 9, 3),
        identity_confirmed=date(2026, 9, 20),
        pauses=waited(date(2026, 9, 3), date(2026, 9, 20), Wait.IDENTITY),
    )
    assert waiting.due == date(2026, 10, 18)
    assert [step.code for step in waiting.explanation].count("wait_ignored") == 1


def test_in_the_eea_only_doubt_about_identity_stops_the_clock() -> None:
    received, began, ended = date(2026, 9, 1), date(2026, 9, 2), date(2026, 9, 12)
    assert clock("DE", received, pauses=waited(began, ended, Wait.IDENTITY)).due == date(2026, 10, 12)
    assert clock("DE", received, pauses=waited(began, ended, Wait.CLARIFICATION)).due == date(2026, 10, 1)
    assert clock("DE", received, identity_confirmed=ended).due == date(2026, 10, 1)


def test_in_britain_clarification_stops_the_clock_of_an_access_request_only() -> None:
    pauses = waited(date(2026, 9, 2), date(2026, 9, 12))
    assert clock("GB", date(2026, 9, 1), "access", pauses=pauses).due == date(2026, 10, 12)  # 1 + 10 = Sunday 11
    assert clock("GB", date(2026, 9, 1), "erasure", pauses=pauses).due == date(2026, 10, 1)


def test_a_pause_may_be_longer_than_the_month() -> None:
    # 3 October and 40 days; only the end is moved off a weekend, not the 3 October as well
    pauses = waited(date(2026, 9, 10), date(2026, 10, 20))
    assert clock("GB", date(2026, 9, 3), pauses=pauses).due == date(2026, 11, 12)


def test_two_waits_at_once_are_one() -> None:
    pauses = (
        Pause(Wait.CLARIFICATION, date(2026, 9, 10), date(2026, 9, 20)),
        Pause(Wait.CLARIFICATION, date(2026, 9, 15), date(2026, 9, 22)),
    )
    assert clock("GB", date(2026, 9, 1), pauses=pauses).due == date(2026, 10, 13)


def test_a_pause_after_the_last_day_saves_nothing() -> None:
    missed = clock("GB", date(2026, 9, 1), pauses=waited(date(2026, 10, 2), date(2026, 10, 9)))
    assert missed.due == date(2026, 10, 1)
    on_the_last_day = clock("GB", date(2026, 9, 1), pauses=waited(date(2026, 10, 1), date(2026, 10, 7)))
    assert on_the_last_day.due == date(2026, 10, 7)


def test_an_open_pause_moves_the_day_with_the_day_of_looking() -> None:
    pauses = waited(date(2026, 9, 10), None)
    assert clock("GB", date(2026, 9, 1), pauses=pauses).due == date(2026, 10, 1)
    looked = clock("GB", date(2026, 9, 1), pauses=pauses, at=date(2026, 9, 15))
    assert (looked.due, looked.waiting) == (date(2026, 10, 6), (Wait.CLARIFICATION,))


def test_while_identity_is_awaited_in_britain_the_clock_has_not_started() -> None:
    pauses = waited(date(2026, 9, 1), None, Wait.IDENTITY)
    looked = clock("GB", date(2026, 9, 1), "erasure", pauses=pauses, at=date(2026, 9, 15))
    assert (looked.start, looked.due, looked.waiting) == (
        date(2026, 9, 15),
        date(2026, 10, 15),
        (Wait.IDENTITY,),
    )
    # where it changes nothing, nothing waits
    assert clock("US-CA", date(2026, 9, 1), pauses=pauses).waiting == ()


def test_an_extension_told_on_the_last_day_counts() -> None:
    extended = clock("GB", date(2026, 9, 3), extension=Extension(date(2026, 10, 5), "many requests"))
    assert extended.extended
    assert extended.due == date(2026, 12, 3)


def test_an_extension_told_one_day_late_is_refused() -> None:
    with pytest.raises(DeadlineError) as refused:
        clock("GB", date(2026, 9, 3), extension=Extension(date(2026, 10, 6), "many requests"))
    assert refused.value.code == "extension_too_late"
    assert "2026-10-05" in refused.value.message


def test_an_extension_is_three_months_from_the_start_not_one_and_two() -> None:
    extended = clock("GB", date(2027, 1, 31), extension=Extension(date(2027, 2, 1), "complex"))
    assert extended.due == date(2027, 4, 30)


def test_a_pause_before_an_extension_moves_both_its_last_day_and_its_end() -> None:
    pauses = waited(date(2026, 9, 10), date(2026, 10, 20))
    told = Extension(date(2026, 11, 12), "complex")
    assert clock("GB", date(2026, 9, 3), pauses=pauses, extension=told).due == date(2027, 1, 12)
    with pytest.raises(DeadlineError, match="2026-11-12"):
        clock("GB", date(2026, 9, 3), pauses=pauses, extension=Extension(date(2026, 11, 13), "complex"))


def test_a_pause_after_the_first_month_counts_once_the_time_was_extended() -> None:
    told = Extension(date(2026, 9, 20), "complex")
    pauses = waited(date(2026, 11, 2), date(2026, 11, 9))
    assert clock("GB", date(2026, 9, 1), extension=told).due == date(2026, 12, 1)
    assert clock("GB", date(2026, 9, 1), extension=told, pauses=pauses).due == date(2026, 12, 8)


def test_an_extension_may_name_an_earlier_day_than_the_longest() -> None:
    told = Extension(date(2026, 9, 20), "complex", until=date(2026, 10, 20))
    assert clock("GB", date(2026, 9, 1), extension=told).due == date(2026, 10, 20)


@pytest.mark.parametrize("place", ["CH", "SG", "HK", "KR", "NZ"])
def test_where_the_law_sets_no_length_an_extension_names_the_day(place: str) -> None:
    received = date(2026, 9, 1)
    with pytest.raises(DeadlineError) as refused:
        clock(place, received, extension=Extension(received, "complex"))
    assert refused.value.code == "extension_needs_day"
    named = Extension(received, "complex", until=date(2027, 1, 15))
    assert clock(place, received, extension=named).due == date(2027, 1, 15)
    assert clock(place, received).latest is None


@pytest.mark.parametrize(
    ("place", "told", "reason", "until", "code"),
    [
        ("BR", date(2026, 9, 2), "complex", None, "extension_not_allowed"),
        ("GB", date(2026, 9, 2), "  ", None, "extension_without_reason"),
        ("GB", date(2026, 8, 31), "complex", None, "extension_before_receipt"),
        ("GB", date(2026, 10, 2), "complex", None, "extension_too_late"),
        ("GB", date(2026, 9, 2), "complex", date(2026, 12, 2), "extension_too_long"),
        ("GB", date(2026, 9, 2), "complex", date(2026, 10, 1), "extension_too_short"),
        ("CH", date(2026, 9, 2), "complex", None, "extension_needs_day"),
        ("US-CA", date(2026, 10, 17), "complex", None, "extension_too_late"),
    ],
)
def test_an_unlawful_extension_is_refused(place: str, told: date, reason: str, until: date | None, code: str) -> None:
    deadline = clock(place, date(2026, 9, 1))
    with pytest.raises(DeadlineError) as refused:
        deadlines.check_can_extend(deadline, told=told, reason=reason, until=until)
    assert refused.value.code == code


def test_an_extension_is_given_once() -> None:
    extended = clock("GB", date(2026, 9, 1), extension=Extension(date(2026, 9, 2), "complex"))
    with pytest.raises(DeadlineError) as refused:
        deadlines.check_can_extend(extended, told=date(2026, 9, 3), reason="complex")
    assert refused.value.code == "already_extended"
    assert not deadlines.can_extend(extended, told=date(2026, 9, 3))


def test_whether_an_extension_is_still_possible_can_be_asked() -> None:
    for place, last in [("GB", date(2026, 10, 1)), ("CH", date(2026, 10, 1)), ("US-CA", date(2026, 10, 16))]:
        deadline = clock(place, date(2026, 9, 1))
        assert deadline.extend_by == last
        assert deadlines.can_extend(deadline, told=last)
        assert not deadlines.can_extend(deadline, told=last + timedelta(days=1))


def test_the_first_month_binds_the_notice_even_while_the_day_is_local() -> None:
    # 22:30 UTC on the last day is the next day in Germany already
    with pytest.raises(DeadlineError, match="2026-10-01"):
        clock(
            "DE",
            date(2026, 9, 1),
            extension=Extension(datetime.datetime(2026, 10, 1, 22, 30, tzinfo=UTC), "complex"),
        )


@pytest.mark.parametrize(
    ("began", "ended", "code"),
    [
        (date(2026, 8, 31), date(2026, 9, 2), "pause_before_receipt"),
        (date(2026, 9, 4), date(2026, 9, 3), "pause_backwards"),
    ],
)
def test_an_impossible_pause_is_refused(began: date, ended: date, code: str) -> None:
    with pytest.raises(DeadlineError) as refused:
        clock("GB", date(2026, 9, 1), pauses=waited(began, ended))
    assert refused.value.code == code


@pytest.mark.parametrize("received", [date(1989, 12, 31), date(2090, 1, 1), date.max])
def test_a_day_beyond_every_calendar_is_refused(received: date) -> None:
    with pytest.raises(DeadlineError) as refused:
        clock("TR", received)
    assert refused.value.code == "date_out_of_range"


def test_a_time_without_its_zone_is_refused() -> None:
    with pytest.raises(NaiveTime):
        clock("GB", datetime.datetime(2026, 9, 1, 12))  # noqa: DTZ001


def test_many_deadlines_read_each_calendar_and_zone_once() -> None:
    places = [*rulebook.load().entries, "DE", "FR", "GB-SCT", "US-NY"]
    first = datetime.datetime(2026, 8, 1, 12, tzinfo=UTC)

    def a_year_of_each() -> None:
        for number in range(3_650):
            clock(places[number % len(places)], first + timedelta(days=number % 365))

    a_year_of_each()
    made = [cached.cache_info().misses for cached in (working_days._free_days, working_days.calendar_of, periods.zone)]
    a_year_of_each()
    again = [cached.cache_info().misses for cached in (working_days._free_days, working_days.calendar_of, periods.zone)]
    assert again == made
