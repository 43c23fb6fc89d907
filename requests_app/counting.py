"""Counts a period from a day: calendar months, days or working days, what does not count, and the roll.

The day of an event never counts. A wait adds the days between its beginning and its end; some laws
leave out one day more, so what is counted here is never late.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from portal.errors import DomainError
from requests_app import periods, working_days
from requests_app.explanations import Holiday, Place, Step, Value
from requests_app.periods import Moment, Period, Unit
from requests_app.rulebook import Rule, Wait

_FIRST, _LAST = datetime.date(1990, 1, 1), datetime.date(2089, 12, 31)


class DeadlineError(DomainError):
    """What was told about a request cannot be so, or comes too late."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A time of waiting for the person. Without an end it is still going on."""

    reason: Wait
    began: Moment
    ended: Moment | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A pause in days where the person lives; an open one ends, for now, on the day of looking."""

    reason: Wait
    began: datetime.date
    ended: datetime.date
    is_open: bool


@dataclass(frozen=True, slots=True)
class Count:
    """The last day, and how it was found."""

    last: datetime.date
    steps: tuple[Step, ...]


def day_of(rule: Rule, moment: Moment) -> datetime.date:
    """The day where the person lives. Refuses days that no rule or calendar reaches."""
    day = periods.local_date(moment, rule.zone)
    if not _FIRST <= day <= _LAST:
        raise DeadlineError("date_out_of_range", f"Dates lie between {_FIRST} and {_LAST}.")
    return day


def spans_of(rule: Rule, pauses: Sequence[Pause], *, received: datetime.date, at: Moment | None) -> tuple[Span, ...]:
    """The pauses as days, in order. Refuses a pause before the request or one that ends before it began."""
    spans = []
    for pause in pauses:
        began = day_of(rule, pause.began)
        now = began if at is None else max(began, day_of(rule, at))
        ended = now if pause.ended is None else day_of(rule, pause.ended)
        if began < received:
            raise DeadlineError("pause_before_receipt", "A pause cannot begin before the request was received.")
        if ended < began:
            raise DeadlineError("pause_backwards", "A pause cannot end before it began.")
        spans.append(Span(pause.reason, began, ended, is_open=pause.ended is None))
    return tuple(sorted(spans, key=lambda span: (span.began, span.ended)))


def count(rule: Rule, start: datetime.date, period: Period, spans: Sequence[Span] = ()) -> Count:
    """The last day of `period` after `start`, with `spans` left out where the rule pauses for them."""
    raw, step = _after(rule, start, period)
    steps = [step]
    counted_to = start
    for span in spans:
        if span.reason not in rule.pauses:
            continue
        if span.began > _rolled(rule, raw):
            steps.append(Step("pause_too_late", {"wait": span.reason, "began": span.began}))
            continue
        # Two waits at once are one wait.
        began_here = max(span.began, counted_to)
        counted_to = max(counted_to, span.ended)
        raw, more = _left_out(rule, raw, period, span, began_here)
        steps += more
    last = _rolled(rule, raw)
    if last != raw:
        steps.append(_roll_step(rule, raw, last))
    return Count(last, tuple(steps))


def rule_steps(rule: Rule) -> tuple[Step, ...]:
    """Which rule is counted by, why that one, and whose holidays count where that is a guess."""
    asked_for = Place(rule.asked_for)
    if rule.is_house_rule:
        steps = [Step("house_rule", {"place": asked_for, "answer": rule.answer})]
    else:
        code = "fell_back" if rule.fell_back else "rule"
        steps = [Step(code, {"place": asked_for, "scope": Place(rule.scope), "source": rule.source})]
    if rule.roll or rule.answer.in_working_days:
        where = working_days.calendar_of(rule.asked_for)
        if where.assumed:
            country, place = Place(where.country), Place(where.code)
            steps.append(Step("assumed_part", {"country": country, "place": place}))
    return tuple(steps)


def _after(rule: Rule, start: datetime.date, period: Period) -> tuple[datetime.date, Step]:
    if period.unit is Unit.MONTH:
        day = periods.months_later(start, period.count)
        if day.day != start.day:
            found: dict[str, Value] = {"count": period.count, "missing": start.day, "day": day}
            return day, Step("month_too_short", found)
        return day, Step("months_later", {"count": period.count, "day": day})
    if period.unit is Unit.DAY:
        day = start + datetime.timedelta(days=period.count)
        return day, Step("days_later", {"count": period.count, "day": day})
    where = working_days.calendar_of(rule.asked_for)
    day = working_days.later(where, start, period.count)
    return day, Step("working_days_later", {"count": period.count, "day": day, "place": Place(where.code)})


def _left_out(
    rule: Rule, raw: datetime.date, period: Period, span: Span, began: datetime.date
) -> tuple[datetime.date, list[Step]]:
    """`raw` moved by the days of the span, counted in the period's own kind of days."""
    steps = []
    if began < span.ended:
        if period.in_working_days:
            where = working_days.calendar_of(rule.asked_for)
            days = working_days.between(where, began, span.ended)
            raw = working_days.later(where, raw, days)
        else:
            days = (span.ended - began).days
            raw += datetime.timedelta(days=days)
        steps.append(
            Step(
                "pause",
                {"count": days, "wait": span.reason, "began": began, "ended": span.ended, "day": raw},
            )
        )
    if span.is_open:
        steps.append(Step("pause_open", {"wait": span.reason, "began": span.began}))
    return raw, steps


def _rolled(rule: Rule, day: datetime.date) -> datetime.date:
    if not rule.roll:
        return day
    return working_days.on_or_after(working_days.calendar_of(rule.asked_for), day)


def _roll_step(rule: Rule, raw: datetime.date, last: datetime.date) -> Step:
    where = working_days.calendar_of(rule.asked_for)
    if working_days.is_weekend(where, raw):
        return Step("rolled_weekend", {"from": raw, "day": last, "place": Place(where.code)})
    holiday = Holiday(where, raw)
    return Step("rolled_holiday", {"from": raw, "holiday": holiday, "day": last, "place": Place(where.code)})
