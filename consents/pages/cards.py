"""A purpose as a person sees it: state, reasons, and what a switch would do."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from consents import decisions, evaluation, expiry, ledger, reasons
from consents.models import Purpose, Rule, Subject
from consents.told import Held
from consents.vocabulary import Action, Category, Default


@dataclass(frozen=True)
class Card:
    """One purpose on `/choices/`."""

    purpose: Purpose
    allow: bool
    headline: str
    reasons: list[str]
    why_unchosen: str
    since: datetime | None
    default_text: str
    default_reason: str
    categories: list[str]
    recipients: list[str]
    models_text: str
    held: bool
    hold_reason: str
    choice: str | None
    reference: str | None
    counts_until: datetime | None


def of(subject: Subject, wanted: Iterable[Purpose], *, at: datetime) -> list[Card]:
    """The cards of these purposes for one person now (at most two statements for what decides all of them)."""
    every = list(wanted)
    answers = decisions.decide_all(
        subject=subject, questions=[evaluation.Question(purpose.slug) for purpose in every], at=at, now=True
    )
    return [_card(purpose, answer, at=at) for purpose, answer in zip(every, answers, strict=True)]


def _card(purpose: Purpose, answer: decisions.Answer, *, at: datetime) -> Card:
    decision, rule, own = answer.decision, answer.rule, answer.own
    return Card(
        purpose=purpose,
        allow=decision.allow,
        headline=_("On: your data is used for this.") if decision.allow else _("Off: your data is not used for this."),
        reasons=reasons.told(decision),
        # without a choice of its own it may follow from a wider one, or from a restriction
        why_unchosen=reasons.text(decision.decisive) if own is None and decision.choice is not None else "",
        since=own.recorded_at if own else None,
        default_text=_("on unless refused") if rule and rule.default == Default.ALLOW else _("off unless agreed"),
        default_reason=_(rule.explanation) if rule else "",
        categories=[str(Category(one).label) for one in purpose.categories],
        recipients=[recipient.name for recipient in purpose.recipients.all()],
        models_text=_(purpose.models_text) if purpose.models_text else "",
        held=decision.hold is not None,
        hold_reason=decision.hold.reason if decision.hold else "",
        choice=own.action if own else None,
        reference=ledger.reference(own.event_id) if own else None,
        counts_until=_counts_until(own, rule, at=at),
    )


def _counts_until(own: Held | None, rule: Rule | None, *, at: datetime) -> datetime | None:
    """The end of a yes that has one and still counts."""
    if own is None or own.action != Action.GRANT:
        return None
    end = expiry.counts_until(rule, occurred_at=own.occurred_at)
    return end if end is not None and end > at else None


def action_label(action: str) -> str:
    return str(Action(action).label)
