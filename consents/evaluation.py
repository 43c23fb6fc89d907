"""What decides whether data may be used: allow or deny, with every step that was looked at. Reads nothing.

The order is the domain's: erased or unknown, holds, restrictions, minors, the person's own choice, their browser's
opt-out signal, rule and notice, the rule's default. Where anything is missing or contradictory, the answer is deny.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from consents import purposes, regime
from consents.models import Hold, Rule, Subject
from consents.regime import Regime
from consents.told import Held, Person
from consents.vocabulary import EVERY, PROTECTIVE, Action, Default, LegalBasis, Slot

_UNKNOWN = "Nobody is registered by this identifier."
GAPS = frozenset({"no_rule", "notice_missing"})
"""Reasons that deny because something is not configured: we cannot tell, and staff must look."""


@dataclass(frozen=True)
class Reason:
    """One step of the way to the answer; `effect` is allow, deny or passed (looked at, did not apply)."""

    code: str
    effect: str
    text: str


@dataclass(frozen=True)
class Question:
    """For whom and what may the data be used? `created_at` is when the data was made, for holds on a span of data."""

    purpose: str
    recipient: str = EVERY
    category: str = EVERY
    created_at: datetime | None = None


@dataclass(frozen=True)
class Decision:
    """The answer, its reasons in order, and what decided: a rule, a hold or a choice.

    `spans` are holds on a span of data that the question left open: rows made within them must be left out.
    """

    allow: bool
    reasons: tuple[Reason, ...]
    rule: Rule | None = None
    hold: Hold | None = None
    choice: Held | None = None
    spans: tuple[Hold, ...] = ()

    @property
    def decisive(self) -> Reason:
        return self.reasons[-1]

    @property
    def is_gap(self) -> bool:
        """Whether it denies only because nobody can tell: a rule or its notice is missing."""
        return self.decisive.code in GAPS


@dataclass
class _Trail:
    reasons: list[Reason] = field(default_factory=list)
    spans: tuple[Hold, ...] = ()

    def passed(self, code: str, text: str) -> None:
        self.reasons.append(Reason(code, "passed", text))

    def end(
        self,
        allow: bool,
        code: str,
        text: str,
        *,
        rule: Rule | None = None,
        hold: Hold | None = None,
        choice: Held | None = None,
    ) -> Decision:
        self.reasons.append(Reason(code, "allow" if allow else "deny", text))
        return Decision(allow, tuple(self.reasons), rule, hold, choice, self.spans)


def evaluate(subject: Subject | Person, said: Sequence[Held], standing: Regime, question: Question) -> Decision:
    """The decision itself; reads nothing. `said` is what this person last said in each scope."""
    trail = _Trail()
    if subject.registered_at > standing.at:
        return trail.end(False, "unknown_subject", _UNKNOWN)
    if subject.erased_at is not None and subject.erased_at <= standing.at:
        return trail.end(False, "erased", "The person was erased.")
    trail.passed("known", "The person is registered.")
    paused = _paused(trail, standing, question, subject.jurisdiction)
    if paused is not None:
        return paused
    restriction = _in_scope(said, Action.RESTRICT, question)
    if restriction is not None:
        return trail.end(False, "restricted", "The person restricted the use of their data.", choice=restriction)
    trail.passed("no_restriction", "No restriction is in force.")
    rule = standing.rule_for(subject.jurisdiction, question.recipient)
    if subject.is_minor and not (rule and rule.admits_minors):
        return trail.end(False, "minor", "The person is a minor.", rule=rule)
    if subject.is_minor:
        trail.passed("minor_admitted", "The person is a minor, whom the rule admits.")
    else:
        trail.passed("no_minor", "The person is of age.")
    by_person = _by_choice(trail, said, standing, question, rule) or _by_signal(trail, said, question, rule)
    return by_person or _by_rule(trail, standing, rule)


def for_unknown(standing: Regime, question: Question, jurisdiction: str | None) -> Decision:
    """The decision about somebody who is not registered: the stated jurisdiction's; without one, deny."""
    trail = _Trail()
    if jurisdiction is None:
        return trail.end(False, "unknown_subject", _UNKNOWN)
    trail.passed("unknown_subject", f"Nobody is registered by this identifier; the rule for {jurisdiction} answers.")
    paused = _paused(trail, standing, question, jurisdiction)
    return paused or _by_rule(trail, standing, standing.rule_for(jurisdiction, question.recipient))


@dataclass(frozen=True)
class Lifetime:
    """Under a rule whose basis is consent, a yes counts when said at `since` or later, and for `days`."""

    since: datetime | None
    days: int | None


def lifetime(standing: Regime, rule: Rule | None) -> Lifetime:
    """How long a yes counts under this rule; for ever unless its basis is consent."""
    if rule is None or rule.legal_basis != LegalBasis.CONSENT:
        return Lifetime(None, None)
    return Lifetime(standing.last_material_change(rule), rule.consent_days)


def scopes(question: Question) -> tuple[tuple[str, str], ...]:
    """The (recipient, category) pairs whose choices bear on the question, the most specific first."""
    return (
        (question.recipient, question.category),
        (question.recipient, EVERY),
        (EVERY, question.category),
        (EVERY, EVERY),
    )


def _paused(trail: _Trail, standing: Regime, question: Question, jurisdiction: str) -> Decision | None:
    """Deny while a hold takes the data in; a hold on a span of data that leaves it open is told of."""
    in_scope = list(standing.holds_for(jurisdiction, question.recipient))
    for hold in in_scope:
        if regime.pauses(hold, created_at=question.created_at):
            return trail.end(False, "hold", f"Paused: {hold.reason}", hold=hold)
    for hold in in_scope:
        trail.passed(
            "hold_on_span", f"Paused for data made {regime.span_in_words(hold)}, which must be left out: {hold.reason}"
        )
    # what is known to be made outside of them needs nothing to be left out
    trail.spans = tuple(in_scope) if question.created_at is None else ()
    trail.passed("no_hold", "No pause of this data is in force.")
    return None


def _by_choice(
    trail: _Trail, said: Sequence[Held], standing: Regime, question: Question, rule: Rule | None
) -> Decision | None:
    counts = lifetime(standing, rule)
    own, stale = _choice(said, question, counts, standing.at)
    if stale is not None:
        trail.passed("stale_consent", stale)
    if own is not None and own.action in PROTECTIVE:
        return trail.end(False, "own_choice", "The person said no.", rule=rule, choice=own)
    for whole in purposes.lineage(question.purpose)[1:]:
        above, _ = _choice(said, Question(whole, question.recipient, question.category), counts, standing.at)
        if above is not None and above.action in PROTECTIVE:
            return trail.end(False, "wider_choice", f"The person said no to {whole}.", rule=rule, choice=above)
    if own is not None:
        return trail.end(True, "own_choice", "The person said yes.", rule=rule, choice=own)
    if stale is None:
        trail.passed("no_choice", "The person has not chosen.")
    return None


def _stale(held: Held, counts: Lifetime, at: datetime) -> str | None:
    """Why a yes no longer counts; None while it does, and for every no."""
    if held.action in PROTECTIVE:
        return None
    if counts.since is not None and held.occurred_at < counts.since:
        return "The person said yes before the notice changed in substance."
    if counts.days is not None and held.occurred_at + timedelta(days=counts.days) <= at:
        return f"The yes is older than {counts.days} days."
    return None


def _by_signal(trail: _Trail, said: Sequence[Held], question: Question, rule: Rule | None) -> Decision | None:
    """A browser's opt-out signal (GPC), where the rule gives it effect."""
    signal = _in_scope(said, Action.SIGNAL_ON, question)
    if signal is None:
        trail.passed("no_signal", "No opt-out signal is known.")
        return None
    if rule is not None and rule.gpc_denies:
        return trail.end(False, "gpc", "The person's browser sends an opt-out signal.", rule=rule, choice=signal)
    trail.passed("signal_without_effect", "An opt-out signal is known, to which the rule gives no effect here.")
    return None


def _by_rule(trail: _Trail, standing: Regime, rule: Rule | None) -> Decision:
    if rule is None:
        return trail.end(False, "no_rule", "No rule is in force here, so the answer is no.")
    if rule.default == Default.ALLOW:
        if standing.notice_missing(rule):
            return trail.end(
                False, "notice_missing", "The rule's notice is not published, so the answer is no.", rule=rule
            )
        if not standing.notice_over(rule):
            return trail.end(False, "notice_not_over", "People have not been told long enough ago.", rule=rule)
        trail.passed("notice_over", "People have been told." if rule.notice else "No notice is needed.")
    return trail.end(rule.default == Default.ALLOW, "default", rule.explanation, rule=rule)


def _choice(said: Sequence[Held], question: Question, counts: Lifetime, at: datetime) -> tuple[Held | None, str | None]:
    """What was said about this very purpose: for this recipient and category, then either, then all.

    A yes that no longer counts is as if it were not there; why the nearest of them does not comes second.
    """
    about = {
        (one.recipient, one.category): one for one in said if (one.slot, one.purpose) == (Slot.CHOICE, question.purpose)
    }
    why = None
    for held in filter(None, map(about.get, scopes(question))):
        stale = _stale(held, counts, at)
        if stale is None:
            return held, why
        why = why or stale
    return None, why


def _in_scope(said: Sequence[Held], action: Action, question: Question) -> Held | None:
    """Any restriction or signal in scope, the nearest first; lifting one lifts no wider one."""
    standing = [held for held in said if held.action == action]
    for purpose in (*purposes.lineage(question.purpose), EVERY) if standing else ():
        for scope in scopes(question):
            for held in standing:
                if (held.purpose, (held.recipient, held.category)) == (purpose, scope):
                    return held
    return None
