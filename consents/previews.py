"""Previews: how many people's decisions a rule or a hold would change, by country, before it is saved.

Nothing is written. A rule speaks for exactly its purpose: parts of a purpose have rules of their own, so they are not
counted; it is asked about its own recipient, and where it is for every recipient, about all of them together. A hold
pauses its purposes and their parts, so each of them is counted.

People who have said nothing differ only by where they live and their age: they are counted in SQL, and each such
group is decided once. Those who said something, and whoever the log knows more about, are decided one by one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Count, Exists, OuterRef, QuerySet

from consents import decisions, evaluation, holds, jurisdictions, purposes, regime, rules
from consents.evaluation import Question
from consents.holds import HoldScope
from consents.models import Hold, Preference, Purpose, Rule, Subject
from consents.regime import Regime
from consents.rules import Proposal
from consents.told import Held
from consents.vocabulary import EVERY, Default

_BATCH = 5_000


@dataclass(frozen=True)
class Change:
    """What changes for the people of one country: decisions that turn to deny, and those that turn to allow."""

    country: str
    people: int
    to_deny: int
    to_allow: int


@dataclass(frozen=True)
class Preview:
    """What a rule would change at `moment`, when it takes effect.

    `waits_until` is when the days of its notice are over, if that is later: until then it denies. None where
    nothing is waited for, and where its notice is not published yet.
    """

    moment: datetime
    changes: tuple[Change, ...]
    waits_until: datetime | None = None

    @property
    def to_deny(self) -> int:
        return sum(one.to_deny for one in self.changes)

    @property
    def to_allow(self) -> int:
        return sum(one.to_allow for one in self.changes)

    @property
    def people(self) -> int:
        return sum(one.people for one in self.changes)


@dataclass(frozen=True)
class Paused:
    """What a hold would change in one purpose, for one recipient (or all together)."""

    purpose: str
    recipient: str
    changes: tuple[Change, ...]

    @property
    def to_deny(self) -> int:
        return sum(one.to_deny for one in self.changes)


def preview(proposal: Proposal, *, at: datetime, moment: datetime | None = None) -> Preview:
    """How many decisions would change when this rule takes effect, and not before `at`.

    `moment` asks for a later one, such as `waits_until`. Raises RuleError, NotFound, UnknownJurisdiction.
    """
    rule = rules.draft(proposal, at=at)
    moment = moment or max(at, rule.effective_from)
    standing = regime.at_moment(purpose=proposal.purpose, at=moment)
    proposed = _with_rule(standing, rule)
    question = Question(proposal.purpose, recipient=proposal.recipient)
    counted = _compare(_living([rule.jurisdiction], at=moment), standing, proposed, question)
    return Preview(moment, counted, _waits_until(rule, after=moment))


def preview_hold(scope: HoldScope, *, at: datetime) -> list[Paused]:
    """How many decisions would turn to deny, for each purpose in scope and its recipients.

    Of a hold over a span of data, these are the decisions about data made in that span: all others stay.
    """
    codes = [jurisdictions.check_scope(code) for code in scope.jurisdictions]
    hold = Hold(purposes=list(scope.purposes), jurisdictions=codes, recipients=list(scope.recipients), opened_at=at)
    people = _living(codes, at=at)
    paused = []
    for purpose in holds.purposes_of(scope, Purpose.objects.values_list("slug", flat=True)):
        standing = regime.at_moment(purpose=purpose, at=at)
        held = replace(standing, open_holds=(*standing.open_holds, hold))
        for recipient in scope.recipients or [EVERY]:
            changes = _compare(people, standing, held, Question(purpose, recipient=recipient))
            paused.append(Paused(purpose, recipient, changes))
    return paused


def _with_rule(standing: Regime, rule: Rule) -> Regime:
    """The regime with this rule in it, unless a version that begins later stands there already."""
    key = (rule.jurisdiction, rule.recipient)
    there = standing.rules.get(key)
    if there is not None and there.effective_from > rule.effective_from:
        return standing
    return replace(standing, rules={**standing.rules, key: rule})


def _waits_until(rule: Rule, *, after: datetime) -> datetime | None:
    if rule.default != Default.ALLOW or not rule.notice:
        return None
    earliest = regime.current().over_from(rule, after=after)
    return earliest if earliest is not None and earliest > after else None


def _living(scopes: Sequence[str], *, at: datetime) -> "QuerySet[Subject]":
    """Registered, not erased, and living where one of the scopes is; no scope is everywhere."""
    living = Subject.objects.filter(erased_at__isnull=True, registered_at__lte=at)
    if not scopes:
        return living
    codes = living.values_list("jurisdiction", flat=True).distinct()
    return living.filter(
        jurisdiction__in=[code for code in codes if any(jurisdictions.covers(one, code) for one in scopes)]
    )


def _compare(people: "QuerySet[Subject]", standing: Regime, proposed: Regime, question: Question) -> tuple[Change, ...]:
    everyone: Counter[str] = Counter()
    turned: Counter[tuple[str, bool]] = Counter()
    for subject, said, size in _all(people, question, standing.at):
        country = subject.jurisdiction.partition("-")[0]
        everyone[country] += size
        now = evaluation.evaluate(subject, said, standing, question).allow
        then = evaluation.evaluate(subject, said, proposed, question).allow
        if now != then:
            turned[country, then] += size
    return tuple(
        Change(country, size, to_deny=turned[country, False], to_allow=turned[country, True])
        for country, size in sorted(everyone.items())
    )


def _all(
    people: "QuerySet[Subject]", question: Question, at: datetime
) -> Iterator[tuple[Subject, Sequence[Held], int]]:
    """Everyone: the silent as one of each kind with their number, then the others one by one."""
    wanted = [*purposes.lineage(question.purpose), EVERY]
    spoke = Exists(Preference.objects.filter(subject_id=OuterRef("pk"), purpose__in=wanted))
    kinds = people.exclude(spoke).order_by().values("jurisdiction", "is_minor").annotate(size=Count("pk"))
    for kind in kinds:
        someone = Subject(jurisdiction=kind["jurisdiction"], is_minor=kind["is_minor"], registered_at=at)
        yield someone, (), kind["size"]
    for batch in _batches(people.filter(spoke).iterator(chunk_size=_BATCH)):
        said = decisions.preferences([subject.pk for subject in batch], question=question, at=at)
        for subject in batch:
            yield subject, said.get(subject.pk, ()), 1


def _batches(people: Iterable[Subject]) -> Iterator[list[Subject]]:
    batch: list[Subject] = []
    for subject in people:
        batch.append(subject)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    yield batch
