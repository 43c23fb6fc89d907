"""The rulebook in memory, and what of it stood at a moment, ready to be asked many times.

A few hundred rows of rules, notices and holds decide for everybody, so each process keeps them all, of every time,
under the token that the database renews with each change of them (`RegimeState`). Another token means: load again.
"""

import uuid
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import orjson
from django.db import connection, models

from consents import jurisdictions, purposes
from consents.models import Hold, Notice, Rule
from consents.vocabulary import EVERY

_MOST_REMEMBERED = 512
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_Row = TypeVar("_Row", bound=models.Model)


@dataclass(frozen=True)
class Standing:
    """What of a purpose's rulebook stands from one change to the next."""

    rules: dict[tuple[str, str], Rule]
    notices: dict[str, list[Notice]]
    open_holds: tuple[Hold, ...]


@dataclass(frozen=True)
class Regime:
    """What stood at `at`, for one purpose."""

    at: datetime
    purpose: str
    rules: dict[tuple[str, str], Rule]
    notices: dict[str, list[Notice]]
    open_holds: tuple[Hold, ...]

    def rule_for(self, jurisdiction: str, recipient: str) -> Rule | None:
        """The most specific rule: nearest jurisdiction first, in it the recipient's own before the general."""
        for code in jurisdictions.widening(jurisdiction):
            for who in dict.fromkeys((recipient, EVERY)):
                rule = self.rules.get((code, who))
                if rule is not None and (rule.effective_to is None or rule.effective_to > self.at):
                    return rule
        return None

    def holds_for(self, jurisdiction: str, recipient: str) -> Iterator[Hold]:
        """The holds whose scope takes in this jurisdiction and recipient, the oldest first."""
        for hold in self.open_holds:
            if hold.recipients and recipient not in hold.recipients:
                continue
            if not hold.jurisdictions or any(jurisdictions.covers(one, jurisdiction) for one in hold.jurisdictions):
                yield hold

    def notice_over(self, rule: Rule) -> bool:
        """Whether people were told, and the rule's days since then are over (or it needs no notice).

        Told of what is so now: by the version of the latest change in substance, not by one that said otherwise.
        """
        if not rule.notice:
            return True
        wait = timedelta(days=rule.notice_days)
        changed = self.last_material_change(rule)
        in_force = [one for one in self.notices.get(rule.notice, []) if one.effective_at <= self.at]
        telling = [one for one in in_force if one.is_material and one.effective_at == changed] or in_force
        return any(one.published_at + wait <= self.at for one in telling)

    def notice_missing(self, rule: Rule) -> bool:
        """Whether the rule names a notice of which nothing is published: nobody can tell that people were told."""
        return bool(rule.notice) and rule.notice not in self.notices

    def last_material_change(self, rule: Rule) -> datetime | None:
        """When the rule's notice last changed in substance."""
        dates = [
            n.effective_at for n in self.notices.get(rule.notice, []) if n.is_material and n.effective_at <= self.at
        ]
        return max(dates, default=None)


@dataclass(frozen=True)
class Book:
    """All rules, notices and holds of all times, and the names of purposes and recipients, under one token."""

    token: uuid.UUID | None
    rules: tuple[Rule, ...] = ()
    notices: tuple[Notice, ...] = ()
    holds: tuple[Hold, ...] = ()
    purposes: frozenset[str] = frozenset()
    recipients: frozenset[str] = frozenset()
    moments: tuple[datetime, ...] = ()
    latest: datetime = _LONG_AGO
    """When the latest of it was recorded, by the clock of whoever recorded it."""
    _remembered: dict[tuple[str, int], Standing] = field(default_factory=dict, compare=False, repr=False)

    def at(self, *, purpose: str, at: datetime) -> Regime:
        """What stood at `at`, as far as it was recorded by then; remembered until the next moment of change."""
        key = (purpose, self.span(at))
        standing = self._remembered.get(key)
        if standing is None:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            standing = self._remembered[key] = self._standing(purpose, at)
        return Regime(at, purpose, standing.rules, standing.notices, standing.open_holds)

    def span(self, at: datetime) -> int:
        """The number of the span of time, from one change to the next, in which `at` lies."""
        return bisect_right(self.moments, at)

    def over_from(self, rule: Rule, *, after: datetime) -> datetime | None:
        """From when on, `after` or later, people were told of the rule for long enough; None where never as it is."""
        told = (one for one in self.notices if one.slug == rule.notice)
        wait = timedelta(days=rule.notice_days)
        later = {moment for one in told for moment in (one.published_at, one.effective_at, one.published_at + wait)}
        moments = [after, *sorted(moment for moment in later if moment > after)]
        return next((one for one in moments if self.at(purpose=rule.purpose_id, at=one).notice_over(rule)), None)

    def with_notice(self, notice: Notice) -> "Book":
        """The rulebook as it would be with this version published."""
        more = (*self.notices, notice)
        moments = tuple(sorted(set(_moments(self.rules, more, self.holds))))
        return replace(self, notices=more, moments=moments, _remembered={})

    def _standing(self, purpose: str, at: datetime) -> Standing:
        rules = (one for one in self.rules if one.purpose_id == purpose and one.recorded_at <= at)
        told: dict[str, list[Notice]] = defaultdict(list)
        for notice in self.notices:
            if notice.recorded_at <= at and notice.published_at <= at:
                told[notice.slug].append(notice)
        wanted = set(purposes.lineage(purpose))
        return Standing(
            # a later version stands in place of every earlier one, also where it has ended
            rules={(rule.jurisdiction, rule.recipient): rule for rule in rules if rule.effective_from <= at},
            notices=dict(told),
            open_holds=tuple(
                hold
                for hold in self.holds
                if hold.opened_at <= at
                and (hold.lifted_at is None or hold.lifted_at > at)
                and (not hold.purposes or not wanted.isdisjoint(hold.purposes))
            ),
        )


def pauses(hold: Hold, *, created_at: datetime | None) -> bool:
    """Whether the hold pauses data made at `created_at`; None asks for data of unknown age, as a whole."""
    if not hold.has_window:
        return True
    if created_at is None:
        return False
    return (hold.data_from is None or hold.data_from <= created_at) and (
        hold.data_until is None or created_at < hold.data_until
    )


def span_in_words(hold: Hold) -> str:
    """The span of data that the hold pauses, in English for machines and staff."""
    since = f"from {hold.data_from.isoformat()}" if hold.data_from else ""
    until = f"before {hold.data_until.isoformat()}" if hold.data_until else ""
    return " and ".join(filter(None, (since, until)))


def _rows(table: str, columns: str = "*") -> str:
    return f"(SELECT coalesce(json_agg(row), '[]') FROM (SELECT {columns} FROM {table}) AS row)"  # noqa: S608 -- constants


# One expression, so that token and rows are of one snapshot; the texts of notices decide nothing and stay out.
BOOK = f"""json_build_object(
  'token', (SELECT token FROM consents_regimestate),
  'rules', {_rows("consents_rule")},
  'holds', {_rows("consents_hold")},
  'notices', {_rows("consents_notice", "id, slug, version, is_material, published_at, effective_at, recorded_at")},
  'purposes', (SELECT coalesce(json_agg(slug), '[]') FROM consents_purpose),
  'recipients', (SELECT coalesce(json_agg(slug), '[]') FROM consents_recipient)
)::text"""  # noqa: S608 -- constants
"""SQL of the whole rulebook as one JSON value, for `take_in`."""

_CURRENT = f"""
SELECT CASE WHEN (SELECT token FROM consents_regimestate) IS DISTINCT FROM %s::uuid OR %s::uuid IS NULL THEN {BOOK} END
"""  # noqa: S608 -- constants

_kept = Book(token=None)


def kept(token: uuid.UUID | None) -> Book | None:
    """The rulebook of this token, if this process has it in memory; without a token nothing is ever kept."""
    book = _kept
    return book if token is not None and book.token == token else None


def take_in(text: str) -> Book:
    """Keep the rulebook that a statement with `BOOK` brought."""
    global _kept
    loaded = orjson.loads(text)
    rules = _made(Rule, loaded["rules"])
    notices, holds = _made(Notice, loaded["notices"]), _made(Hold, loaded["holds"])
    book = Book(
        token=uuid.UUID(loaded["token"]) if loaded["token"] else None,
        rules=tuple(sorted(rules, key=lambda rule: (rule.effective_from, rule.recorded_at, rule.pk))),
        notices=tuple(notices),
        holds=tuple(sorted(holds, key=lambda hold: (hold.opened_at, hold.pk))),
        purposes=frozenset(loaded["purposes"]),
        recipients=frozenset(loaded["recipients"]),
        moments=tuple(sorted(set(_moments(rules, notices, holds)))),
        latest=max(_recorded(rules, notices, holds), default=_LONG_AGO),
    )
    _kept = book
    return book


def current() -> Book:
    """The rulebook as it is now (one statement, which brings it only when it has changed)."""
    book = _kept
    with connection.cursor() as cursor:
        cursor.execute(_CURRENT, [book.token, book.token])
        (text,) = cursor.fetchone()
    return take_in(text) if text else book


def at_moment(*, purpose: str, at: datetime, book: Book | None = None) -> Regime:
    """What stood at `at`, as far as it was recorded by then (one statement; none with the `book` in hand)."""
    return (book or current()).at(purpose=purpose, at=at)


def _made(model: type[_Row], rows: list[dict[str, Any]]) -> list[_Row]:
    """The rows as instances; columns that were not brought are deferred."""
    return [
        model.from_db(
            "default", [one.attname for one in brought], [one.to_python(row[one.column or ""]) for one in brought]
        )
        for row in rows
        # in the model's order, as from_db wants them
        for brought in [[one for one in model._meta.concrete_fields if (one.column or "") in row]]
    ]


def _recorded(rules: Iterable[Rule], notices: Iterable[Notice], holds: Iterable[Hold]) -> Iterator[datetime]:
    """When each of them was written, or written to."""
    yield from (rule.recorded_at for rule in rules)
    yield from (notice.recorded_at for notice in notices)
    yield from (hold.lifted_at or hold.opened_at for hold in holds)


def _moments(rules: Iterable[Rule], notices: Iterable[Notice], holds: Iterable[Hold]) -> Iterator[datetime]:
    """Every moment at which time alone changes what stands."""
    waits = defaultdict(set)
    for rule in rules:
        yield from (rule.recorded_at, rule.effective_from)
        if rule.effective_to is not None:
            yield rule.effective_to
        waits[rule.notice].add(timedelta(days=rule.notice_days))
    for notice in notices:
        yield from (notice.recorded_at, notice.published_at, notice.effective_at)
        yield from (notice.published_at + wait for wait in waits[notice.slug])
    for hold in holds:
        yield hold.opened_at
        if hold.lifted_at is not None:
            yield hold.lifted_at
