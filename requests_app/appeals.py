"""What follows an answer: who hears an appeal, until when, and when it must be acknowledged and decided.

Pure, like `deadlines`, and counted by the rule that the request was received under.
"""

import datetime
from dataclasses import dataclass, field, replace

from requests_app import counting, rulebook
from requests_app.counting import DeadlineError
from requests_app.explanations import Authority, Place, Step
from requests_app.periods import Moment
from requests_app.rulebook import AppealRule, AppealTo, Regulator, Rule

_REGULATOR_ONLY = AppealRule(to=AppealTo.REGULATOR, window=None, acknowledge=None, decide=None, extension=None)


@dataclass(frozen=True, slots=True)
class Appeal:
    """The way onward. A None is something that this law does not set, or not yet."""

    to: AppealTo
    regulator: Regulator | None
    lodge_by: datetime.date | None = None
    acknowledge_by: datetime.date | None = None
    due: datetime.date | None = None
    extend_by: datetime.date | None = None
    extended: bool = False
    explanation: tuple[Step, ...] = field(default=(), repr=False)


def compute(
    rule: Rule,
    *,
    answered: Moment | None = None,
    lodged: Moment | None = None,
    extension_told: Moment | None = None,
) -> Appeal:
    """The days of an appeal.

    `answered` is the day of the answer or, where silence refuses, of the missed deadline; from it
    runs the time to lodge. From `lodged` runs the time to acknowledge and decide. Raises
    DeadlineError for an appeal that is not ours to hear or comes too late, and for an extension
    that the law refuses.
    """
    said = rule.appeal or _REGULATOR_ONLY
    steps: list[Step] = list(counting.rule_steps(rule))
    outcome = Appeal(said.to, rule.regulator)
    if answered is not None and said.window is not None:
        day = counting.day_of(rule, answered)
        lodge_by = counting.count(rule, day, said.window).last
        if rule.silence_is_refusal:
            steps.append(Step("silence_refuses"))
        steps.append(Step("lodge_by", {"answered": day, "period": said.window, "day": lodge_by}))
        outcome = replace(outcome, lodge_by=lodge_by)
    if lodged is not None:
        outcome, decided_by = _lodged(rule, said, outcome, counting.day_of(rule, lodged))
        steps += decided_by
        if extension_told is not None:
            told = counting.day_of(rule, extension_told)
            outcome, longer = _extended(rule, said, outcome, counting.day_of(rule, lodged), told)
            steps += longer
    return replace(outcome, explanation=(*steps, _complaint_step(rule)))


def are_ours(rule: Rule) -> bool:
    """Whether this law brings appeals to us, and not to the authority."""
    return rule.appeal is not None and rule.appeal.to is AppealTo.CONTROLLER


def clock_of(rule: Rule) -> Rule:
    """The rule that an appeal or complaint itself runs under, so that its days are counted and moved like any other's.

    It runs from receipt and nothing stops it. Where the law sets no time to decide, the time to answer stands in.
    """
    said = rule.appeal
    if said is None or said.to is AppealTo.REGULATOR:
        return rule
    decide = str(said.decide or rule.answer)
    longer = {"up_to": str(said.extension), "told_within": decide} if said.extension else None
    terms = {**rule.terms, "clock_starts": ["receipt"], "pauses": [], "answer": decide, "extension": longer}
    return rulebook.thaw({**terms, "acknowledge": str(said.acknowledge) if said.acknowledge else None})


def _lodged(rule: Rule, said: AppealRule, outcome: Appeal, lodged: datetime.date) -> tuple[Appeal, list[Step]]:
    if said.to is AppealTo.REGULATOR:
        raise DeadlineError("appeal_elsewhere", "This law brings complaints to the authority, not to us.")
    if outcome.lodge_by is not None and lodged > outcome.lodge_by:
        message = f"The last day for an appeal was {outcome.lodge_by.isoformat()}."
        raise DeadlineError("appeal_too_late", message)
    steps = [Step("lodged", {"day": lodged})]
    if said.acknowledge:
        last = counting.count(rule, lodged, said.acknowledge).last
        steps.append(Step("appeal_acknowledge_by", {"period": said.acknowledge, "day": last}))
        outcome = replace(outcome, acknowledge_by=last)
    if said.decide is None:
        return outcome, [*steps, Step("appeal_no_limit")]
    last = counting.count(rule, lodged, said.decide).last
    steps.append(Step("appeal_due", {"period": said.decide, "day": last}))
    return replace(outcome, due=last, extend_by=last if said.extension else None), steps


def _extended(
    rule: Rule, said: AppealRule, outcome: Appeal, lodged: datetime.date, told: datetime.date
) -> tuple[Appeal, list[Step]]:
    if outcome.extend_by is None or said.decide is None or said.extension is None:
        raise DeadlineError("extension_not_allowed", "This law allows no longer time for an appeal.")
    if told < lodged:
        raise DeadlineError("extension_before_receipt", "An extension comes after the appeal.")
    if told > outcome.extend_by:
        message = f"The last day to tell of an extension was {outcome.extend_by.isoformat()}."
        raise DeadlineError("extension_too_late", message)
    whole = said.decide.plus(said.extension)
    last = counting.count(rule, lodged, whole).last
    steps = [
        Step("extended", {"told": told, "by": outcome.extend_by, "period": whole}),
        Step("appeal_due", {"period": whole, "day": last}),
    ]
    return replace(outcome, due=last, extended=True), steps


def _complaint_step(rule: Rule) -> Step:
    if rule.regulator is None:
        return Step("complain_to_unknown", {"place": Place(rule.asked_for)})
    return Step("complain_to", {"regulator": Authority(rule.regulator.name), "url": rule.regulator.url})
