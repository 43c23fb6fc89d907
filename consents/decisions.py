"""May this purpose be served with this person's data? Allow or deny, with every step that was looked at.

The order is the domain's: erased or unknown, holds, restrictions, minors, the person's own choice,
their browser's signal, rule and notice, the rule's default. Where anything is missing or contradictory,
the answer is deny.
One pure function, `evaluate`, answers for one person and for many alike.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from consents import purposes, regime
from consents.models import Hold, LedgerEvent, Preference, Rule, Subject
from consents.regime import Regime
from consents.vocabulary import EVERY, PROTECTIVE, SLOT_OF, Action, Default, Kind, LegalBasis, Slot

_BATCH = 5_000
_UNKNOWN = "Nobody is registered by this identifier."


@dataclass(frozen=True)
class Reason:
    """One step of the way to the answer; `effect` is allow, deny or passed (looked at, did not apply)."""

    code: str
    effect: str
    text: str


@dataclass(frozen=True)
class Held:
    """What a person last said in one scope."""

    slot: str
    purpose: str
    recipient: str
    category: str
    action: str
    event_id: uuid.UUID
    occurred_at: datetime


@dataclass(frozen=True)
class Question:
    """For whom and what may the data be used?"""

    purpose: str
    recipient: str = EVERY
    category: str = EVERY


@dataclass(frozen=True)
class Decision:
    """The answer, its reasons in order, and what decided: a rule, a hold or a choice."""

    allow: bool
    reasons: tuple[Reason, ...]
    rule: Rule | None = None
    hold: Hold | None = None
    choice: Held | None = None

    @property
    def decisive(self) -> Reason:
        return self.reasons[-1]


@dataclass
class _Trail:
    reasons: list[Reason] = field(default_factory=list)

    def passed(self, code: str, text: str) -> None:
        self.reasons.append(Reason(code, "passed", text))

    def end(self, allow: bool, code: str, text: str, **found: object) -> Decision:
        self.reasons.append(Reason(code, "allow" if allow else "deny", text))
        return Decision(allow=allow, reasons=tuple(self.reasons), **found)  # type: ignore[arg-type]


def decide(*, subject: Subject | None, question: Question, at: datetime, jurisdiction: str | None = None) -> Decision:
    """Decide for one person as of `at`, now or any past moment; nobody in the future.

    For an unknown person (`subject` None, or not registered yet at `at`) the stated `jurisdiction`'s default
    answers; without one, deny.
    """
    standing = regime.at_moment(purpose=question.purpose, at=at)
    if subject is None or subject.registered_at > at:
        return _for_unknown(standing, question, jurisdiction)
    said = preferences([subject.pk], question=question, at=at)
    return evaluate(subject, said.get(subject.pk, ()), standing, question)


def decide_many(*, subjects: Iterable[Subject], question: Question, at: datetime) -> Iterator[tuple[Subject, Decision]]:
    """The same answers as `decide`, for many people, in batches of one query each."""
    standing = regime.at_moment(purpose=question.purpose, at=at)
    batch: list[Subject] = []
    for subject in subjects:
        batch.append(subject)
        if len(batch) == _BATCH:
            yield from _batch(batch, standing, question)
            batch = []
    yield from _batch(batch, standing, question)


def evaluate(subject: Subject, said: Sequence[Held], standing: Regime, question: Question) -> Decision:
    """The decision itself; reads nothing. `said` is what this person last said in each scope."""
    trail = _Trail()
    if subject.registered_at > standing.at:
        return trail.end(False, "unknown_subject", _UNKNOWN)
    if subject.erased_at is not None and subject.erased_at <= standing.at:
        return trail.end(False, "erased", "The person was erased.")
    trail.passed("known", "The person is registered.")
    hold = standing.hold_for(subject.jurisdiction, question.recipient)
    if hold is not None:
        return trail.end(False, "hold", f"Paused: {hold.reason}", hold=hold)
    trail.passed("no_hold", "No pause is in force.")
    restriction = _restriction(said, question)
    if restriction is not None:
        return trail.end(False, "restricted", "The person restricted the use of their data.", choice=restriction)
    trail.passed("no_restriction", "No restriction is in force.")
    rule = standing.rule_for(subject.jurisdiction, question.recipient)
    if subject.is_minor and not (rule and rule.admits_minors):
        return trail.end(False, "minor", "The person is a minor.", rule=rule)
    by_choice = _by_choice(trail, said, standing, question, rule)
    return by_choice or _by_signal(trail, said, rule) or _by_rule(trail, standing, rule)


def preferences(subject_ids: Sequence[uuid.UUID], *, question: Question, at: datetime) -> dict[uuid.UUID, list[Held]]:
    """What these people had last said by `at` about this purpose and what it is part of (one query)."""
    wanted = [*purposes.lineage(question.purpose), EVERY]
    events = LedgerEvent.objects.filter(
        kind=Kind.CHOICE, subject_id__in=subject_ids, purpose__in=wanted, recorded_at__lte=at
    )
    rows = Preference.objects.filter(subject_id__in=subject_ids, purpose__in=wanted)
    said: dict[uuid.UUID, list[Held]] = defaultdict(list)
    newer = False
    for row in rows:
        newer = newer or row.recorded_at > at
        held = Held(row.slot, row.purpose, row.recipient, row.category, row.action, row.event_id, row.occurred_at)
        said[row.subject_id].append(held)
    # a preference written after `at` hides what stood then: replay the ledger
    return _replayed(events) if newer else said


def _replayed(events: Iterable[LedgerEvent]) -> dict[uuid.UUID, list[Held]]:
    latest: dict[tuple[object, ...], tuple[tuple[object, ...], Held]] = {}
    for event in events:
        slot = SLOT_OF[Action(event.action)]
        key: tuple[object, ...] = (event.subject_id, slot, event.purpose, event.recipient, event.category)
        rank = (event.occurred_at, event.action in PROTECTIVE, event.transaction_id, event.pk)
        if key not in latest or rank > latest[key][0]:
            held = Held(
                slot,
                event.purpose,
                event.recipient,
                event.category,
                event.action,
                event.pk,
                event.occurred_at,
            )
            latest[key] = (rank, held)
    said: dict[uuid.UUID, list[Held]] = defaultdict(list)
    for key, (_, held) in latest.items():
        said[key[0]].append(held)  # type: ignore[index]
    return said


def _batch(batch: list[Subject], standing: Regime, question: Question) -> Iterator[tuple[Subject, Decision]]:
    said = preferences([subject.pk for subject in batch], question=question, at=standing.at)
    for subject in batch:
        yield subject, evaluate(subject, said.get(subject.pk, ()), standing, question)


def _for_unknown(standing: Regime, question: Question, jurisdiction: str | None) -> Decision:
    trail = _Trail()
    if jurisdiction is None:
        return trail.end(False, "unknown_subject", _UNKNOWN)
    trail.passed("unknown_subject", f"Nobody is registered by this identifier; the rule for {jurisdiction} answers.")
    hold = standing.hold_for(jurisdiction, question.recipient)
    if hold is not None:
        return trail.end(False, "hold", f"Paused: {hold.reason}", hold=hold)
    return _by_rule(trail, standing, standing.rule_for(jurisdiction, question.recipient))


def _by_choice(
    trail: _Trail, said: Sequence[Held], standing: Regime, question: Question, rule: Rule | None
) -> Decision | None:
    own = _choice(said, question)
    if own is not None and own.action in PROTECTIVE:
        return trail.end(False, "own_choice", "The person said no.", rule=rule, choice=own)
    for whole in purposes.lineage(question.purpose)[1:]:
        above = _choice(said, Question(whole, question.recipient, question.category))
        if above is not None and above.action in PROTECTIVE:
            return trail.end(False, "wider_choice", f"The person said no to {whole}.", rule=rule, choice=above)
    if own is None:
        trail.passed("no_choice", "The person has not chosen.")
        return None
    stale = _stale(own, standing, rule)
    if stale is None:
        return trail.end(True, "own_choice", "The person said yes.", rule=rule, choice=own)
    trail.passed("stale_consent", stale)
    return None


def _stale(own: Held, standing: Regime, rule: Rule | None) -> str | None:
    if rule is None or rule.legal_basis != LegalBasis.CONSENT:
        return None
    changed = standing.last_material_change(rule)
    if changed is not None and own.occurred_at < changed:
        return "The person said yes before the notice changed in substance."
    if rule.consent_days is not None and own.occurred_at + timedelta(days=rule.consent_days) <= standing.at:
        return f"The yes is older than {rule.consent_days} days."
    return None


def _by_signal(trail: _Trail, said: Sequence[Held], rule: Rule | None) -> Decision | None:
    """The opt-out signal of the person's browser denies where the rule gives it that effect."""
    signal = next((held for held in said if held.action == Action.SIGNAL_ON), None)
    if signal is None:
        return None
    if rule is not None and rule.gpc_denies:
        return trail.end(False, "gpc", "The person's browser sends an opt-out signal.", rule=rule, choice=signal)
    trail.passed("signal_without_effect", "An opt-out signal is known, to which the rule gives no effect here.")
    return None


def _by_rule(trail: _Trail, standing: Regime, rule: Rule | None) -> Decision:
    if rule is None:
        return trail.end(False, "no_rule", "No rule is in force here, so the answer is no.")
    if rule.default == Default.ALLOW and not standing.notice_over(rule):
        return trail.end(False, "notice_not_over", "People have not been told long enough ago.", rule=rule)
    return trail.end(rule.default == Default.ALLOW, "default", rule.explanation, rule=rule)


def _choice(said: Sequence[Held], question: Question) -> Held | None:
    """What was said about this very purpose: for this recipient and category, then either, then all."""
    about = [held for held in said if (held.slot, held.purpose) == (Slot.CHOICE, question.purpose)]
    for scope in _scopes(question):
        for held in about:
            if (held.recipient, held.category) == scope:
                return held
    return None


def _restriction(said: Sequence[Held], question: Question) -> Held | None:
    """Any restriction in scope, the nearest first; lifting one lifts no wider one."""
    restricting = [held for held in said if held.action == Action.RESTRICT]
    for purpose in (*purposes.lineage(question.purpose), EVERY):
        for scope in _scopes(question):
            for held in restricting:
                if (held.purpose, (held.recipient, held.category)) == (purpose, scope):
                    return held
    return None


def _scopes(question: Question) -> tuple[tuple[str, str], ...]:
    return (
        (question.recipient, question.category),
        (question.recipient, EVERY),
        (EVERY, question.category),
        (EVERY, EVERY),
    )
