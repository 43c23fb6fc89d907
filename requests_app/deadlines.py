"""The legal clock: when a request is due, and why, in words. Pure: no database, no time of its own.

Which law applies is in `rulebook`, how a period is counted in `counting`. A day that is due is met
until it ends where the person lives (`Deadline.ends`).
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from requests_app import counting
from requests_app.counting import DeadlineError as DeadlineError
from requests_app.counting import Pause as Pause
from requests_app.counting import Span
from requests_app.explanations import Place, Step, Value
from requests_app.periods import Moment, Period
from requests_app.rulebook import Rule, Wait


@dataclass(frozen=True, slots=True)
class Extension:
    """That the person was told, when and why. `until` names the day, where it is not the law's longest."""

    told: Moment
    reason: str
    until: datetime.date | None = None


@dataclass(frozen=True, slots=True)
class Deadline:
    """What the clock of one request says.

    `extend_by` is the last day to tell of an extension and `latest` where it can lead at most; both
    are None where there is none, `latest` also where the law sets no limit. While `waiting` names
    something, `due` is what it would be if the wait ended on the day of looking.
    """

    rule: Rule = field(repr=False)
    received: datetime.date
    start: datetime.date
    acknowledge_by: datetime.date | None
    due: datetime.date
    extend_by: datetime.date | None
    latest: datetime.date | None
    extended: bool
    waiting: tuple[Wait, ...]
    explanation: tuple[Step, ...] = field(repr=False)

    @property
    def ends(self) -> datetime.datetime:
        """The instant from which the answer is late."""
        next_day = self.due + datetime.timedelta(days=1)
        return datetime.datetime.combine(next_day, datetime.time(), tzinfo=self.rule.zone)


@dataclass(frozen=True, slots=True)
class _Run:
    """One request's run under its rule: from when it counts, and what does not count."""

    rule: Rule
    received: datetime.date
    start: datetime.date
    spans: tuple[Span, ...]
    opening: tuple[Step, ...]

    def last_day(self, period: Period) -> datetime.date:
        return counting.count(self.rule, self.start, period, self.spans).last


def compute(
    rule: Rule,
    *,
    received: Moment,
    identity_confirmed: Moment | None = None,
    fee_paid: Moment | None = None,
    pauses: Sequence[Pause] = (),
    extension: Extension | None = None,
    at: Moment | None = None,
) -> Deadline:
    """The deadline under `rule`. `at` is the day of looking, up to which an open pause has lasted.

    Identity or a fee that is still awaited is an open pause with that reason. Raises DeadlineError
    for what cannot be so, and for an extension that the law refuses.
    """
    day = counting.day_of(rule, received)
    spans = counting.spans_of(rule, pauses, received=day, at=at)
    given = {Wait.IDENTITY: identity_confirmed, Wait.FEE: fee_paid}
    came = {wait: counting.day_of(rule, moment) for wait, moment in given.items() if moment is not None}
    start, start_steps = _start(rule, day, came, spans)
    opening = (*counting.rule_steps(rule), _received_step(rule, received, day), *start_steps)
    run = _Run(rule, day, start, spans, opening)
    deadline = _as_it_stands(run)
    return deadline if extension is None else _extended(run, deadline, extension)


def check_can_extend(deadline: Deadline, *, told: Moment, reason: str, until: Moment | None = None) -> None:
    """Raises DeadlineError unless the person may be told on that day, for that reason, of that new day."""
    _check_extension(deadline, told, reason, until)
    if until is not None and counting.day_of(deadline.rule, until) <= deadline.due:
        raise DeadlineError("extension_too_short", "The new day must come after the one that is due now.")


def can_extend(deadline: Deadline, *, told: Moment) -> bool:
    """Whether an extension, with a reason and of a lawful length, may still be told of on that day."""
    try:
        _check_extension(deadline, told, "any", deadline.due)
    except DeadlineError:
        return False
    return True


def _start(
    rule: Rule, received: datetime.date, came: Mapping[Wait, datetime.date], spans: Sequence[Span]
) -> tuple[datetime.date, list[Step]]:
    """The latest of what the clock waits for, and what is said about waits that change nothing."""
    start, steps = received, []
    for wait in (Wait.IDENTITY, Wait.FEE):
        waits = [span for span in spans if span.reason is wait]
        is_open = any(span.is_open for span in waits)
        over = max([span.ended for span in waits] + [came.get(wait, received)])
        if over <= received and not is_open:
            continue
        if wait in rule.starts_at:
            start = max(start, over)
            code = "not_started" if is_open else f"starts_with_{wait.value}"
            steps.append(Step(code, {"wait": wait, "day": over}))
        elif not (waits and wait in rule.pauses):
            steps.append(Step("wait_ignored", {"wait": wait}))
    clarified = any(span.reason is Wait.CLARIFICATION for span in spans)
    if clarified and Wait.CLARIFICATION not in rule.pauses:
        steps.append(Step("wait_ignored", {"wait": Wait.CLARIFICATION}))
    return start, steps


def _received_step(rule: Rule, received: Moment, day: datetime.date) -> Step:
    """Says so where it is another day already, or still, than in the records, which keep UTC."""
    if isinstance(received, datetime.datetime) and received.astimezone(datetime.UTC).date() != day:
        return Step("received_elsewhere", {"instant": received, "day": day, "place": Place(rule.asked_for)})
    return Step("received", {"day": day})


def _as_it_stands(run: _Run) -> Deadline:
    """The deadline before any extension."""
    rule = run.rule
    answer = counting.count(rule, run.start, rule.answer, run.spans)
    acknowledge_by = None
    acknowledging: tuple[Step, ...] = ()
    if rule.acknowledge:
        acknowledge_by = counting.count(rule, run.received, rule.acknowledge).last
        acknowledging = (Step("acknowledge_by", {"period": rule.acknowledge, "day": acknowledge_by}),)
    extend_by = latest = None
    if rule.extension:
        told_within = rule.extension.told_within
        extend_by = answer.last if told_within == rule.answer else run.last_day(told_within)
        latest = run.last_day(rule.longest) if rule.longest else None
    return Deadline(
        rule=rule,
        received=run.received,
        start=run.start,
        acknowledge_by=acknowledge_by,
        due=answer.last,
        extend_by=extend_by,
        latest=latest,
        extended=False,
        waiting=_waiting(run),
        explanation=(*run.opening, *answer.steps, *acknowledging, Step("due", {"day": answer.last})),
    )


def _waiting(run: _Run) -> tuple[Wait, ...]:
    """What keeps the clock from running now."""
    stops = run.rule.pauses | run.rule.starts_at
    return tuple(dict.fromkeys(span.reason for span in run.spans if span.is_open and span.reason in stops))


def _extended(run: _Run, deadline: Deadline, extension: Extension) -> Deadline:
    """The whole period is counted again from the start: three months, not one and then two."""
    _check_extension(deadline, extension.told, extension.reason, extension.until)
    rule, until, longest = run.rule, extension.until, run.rule.longest
    told: dict[str, Value] = {"told": counting.day_of(rule, extension.told)}
    if deadline.extend_by:
        told["by"] = deadline.extend_by
    if until is None and longest is not None:
        whole = counting.count(rule, run.start, longest, run.spans)
        due = whole.last
        steps = (Step("extended", {**told, "period": longest}), *whole.steps)
    else:
        # A pause that came later may have carried the first deadline past the day that was named.
        due = max(until or deadline.due, deadline.due)
        steps = (Step("extended_until", {**told, "day": due}),)
    return replace(
        deadline,
        due=due,
        extended=True,
        explanation=(*run.opening, *steps, Step("due", {"day": due})),
    )


def _check_extension(deadline: Deadline, told: Moment, reason: str, until: Moment | None) -> None:
    day = counting.day_of(deadline.rule, told)
    if deadline.extend_by is None:
        raise DeadlineError("extension_not_allowed", "This law allows no extension.")
    if deadline.extended:
        raise DeadlineError("already_extended", "A request can be extended once.")
    if not reason.strip():
        raise DeadlineError("extension_without_reason", "An extension is told with its reasons.")
    if day < deadline.received:
        raise DeadlineError("extension_before_receipt", "An extension comes after the request.")
    if day > deadline.extend_by:
        message = f"The last day to tell of an extension was {deadline.extend_by.isoformat()}."
        raise DeadlineError("extension_too_late", message)
    if until is None and deadline.latest is None:
        raise DeadlineError("extension_needs_day", "This law sets no length: name the day of the answer.")
    if until is not None and deadline.latest and counting.day_of(deadline.rule, until) > deadline.latest:
        message = f"The latest day that this law allows is {deadline.latest.isoformat()}."
        raise DeadlineError("extension_too_long", message)
