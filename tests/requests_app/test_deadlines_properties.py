"""What must hold for every rule, day, pause and extension."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from requests_app import deadlines, periods, rulebook
from requests_app.deadlines import DeadlineError, Extension, Pause
from requests_app.rulebook import Rule, Wait

PLACES = sorted(
    {*rulebook.load().entries, "DE", "DE-BY", "IE", "NO", "GB-SCT", "GB-NIR", "CA-ON", "US-NY", ""} - {"EEA"}
)
RIGHTS = ["access", "erasure", "opt_out_sale"]
IN_FORCE = date(2026, 11, 23)

rules = st.builds(
    lambda place, right: rulebook.rule_for(place, right, on=IN_FORCE), st.sampled_from(PLACES), st.sampled_from(RIGHTS)
)
days = st.dates(date(2026, 1, 1), date(2031, 12, 31))
waits = st.lists(st.tuples(st.sampled_from(Wait), st.integers(0, 150), st.integers(0, 60)), max_size=4)

# The first look at a country builds its calendar, which takes longer than the rest.
unhurried = settings(deadline=None)


def pauses_from(day: date, waited: list[tuple[Wait, int, int]]) -> list[Pause]:
    return [
        Pause(reason, day + timedelta(days=after), day + timedelta(days=after + length))
        for reason, after, length in waited
    ]


def that_count(waited: list[tuple[Wait, int, int]], rule: Rule) -> list[tuple[Wait, int, int]]:
    """Without the waits that move the start: from another start the months have other lengths."""
    return [wait for wait in waited if wait[0] not in rule.starts_at]


@unhurried
@given(rules, days, waits, waits)
def test_a_pause_never_shortens(
    rule: Rule, day: date, waited: list[tuple[Wait, int, int]], more: list[tuple[Wait, int, int]]
) -> None:
    few = pauses_from(day, that_count(waited, rule))
    many = few + pauses_from(day, that_count(more, rule))
    short, long = (deadlines.compute(rule, received=day, pauses=pauses) for pauses in (few, many))
    assert short.due <= long.due
    assert short.extend_by is None or long.extend_by is None or short.extend_by <= long.extend_by


@unhurried
@given(rules, days, st.integers(0, 60))
def test_waiting_for_identity_alone_never_shortens(rule: Rule, day: date, length: int) -> None:
    paused = deadlines.compute(rule, received=day, pauses=pauses_from(day, [(Wait.IDENTITY, 0, length)]))
    assert paused.due >= deadlines.compute(rule, received=day).due


@unhurried
@given(rules, days, waits)
def test_a_pause_adds_no_more_than_its_days_and_a_roll(
    rule: Rule, day: date, waited: list[tuple[Wait, int, int]]
) -> None:
    counted = that_count(waited, rule)
    paused = deadlines.compute(rule, received=day, pauses=pauses_from(day, counted))
    added = paused.due - deadlines.compute(rule, received=day).due
    # Two weeks is more than any row of holidays.
    assert added <= timedelta(days=sum(length for _, _, length in counted) + 14)


@unhurried
@given(rules, days, st.integers(0, 400), waits)
def test_who_asks_later_is_answered_no_earlier(
    rule: Rule, day: date, gap: int, waited: list[tuple[Wait, int, int]]
) -> None:
    later = day + timedelta(days=gap)
    pauses = pauses_from(later, waited)
    first, second = (deadlines.compute(rule, received=received, pauses=pauses) for received in (day, later))
    assert first.due <= second.due
    assert (first.acknowledge_by or day) <= (second.acknowledge_by or later)


@unhurried
@given(rules, days, st.integers(0, 200), waits)
def test_an_extension_holds_only_when_it_was_told_in_time(
    rule: Rule, day: date, after: int, waited: list[tuple[Wait, int, int]]
) -> None:
    pauses = pauses_from(day, waited)
    plain = deadlines.compute(rule, received=day, pauses=pauses)
    told = Extension(day + timedelta(days=after), "complex", until=plain.latest or plain.due)
    if plain.extend_by is None or told.told > plain.extend_by:
        with pytest.raises(DeadlineError):
            deadlines.compute(rule, received=day, pauses=pauses, extension=told)
        return
    extended = deadlines.compute(rule, received=day, pauses=pauses, extension=told)
    assert extended.due >= plain.due
    assert plain.latest is None or extended.due <= plain.latest


@unhurried
@given(rules, days, waits)
def test_the_same_facts_give_the_same_answer(rule: Rule, day: date, waited: list[tuple[Wait, int, int]]) -> None:
    pauses = pauses_from(day, waited)
    first = deadlines.compute(rule, received=day, pauses=pauses)
    assert deadlines.compute(rule, received=day, pauses=pauses) == first
    assert deadlines.compute(rule, received=day, pauses=pauses[::-1]) == first
    assert deadlines.compute(rulebook.thaw(rulebook.freeze(rule)), received=day, pauses=pauses) == first


@unhurried
@given(rules, days, waits)
def test_every_step_can_be_said(rule: Rule, day: date, waited: list[tuple[Wait, int, int]]) -> None:
    found = deadlines.compute(rule, received=day, pauses=pauses_from(day, waited))
    assert all("%(" not in step.sentence for step in found.explanation)
    assert found.explanation[-1].params["day"] == found.due


@unhurried
@given(days, st.integers(1, 36))
def test_a_month_later_is_the_same_day_or_the_last_of_its_month(day: date, months: int) -> None:
    later = periods.months_later(day, months)
    assert (later.year - day.year) * 12 + later.month - day.month == months
    assert later.day == day.day or (later.day < day.day and (later + timedelta(days=1)).day == 1)
