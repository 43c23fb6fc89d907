"""Agreements that lapse: telling the log of a yes that by rule no longer counts.

`decisions` finds that out by itself whenever it is asked. But whoever follows the log, such as the datasets, would
never learn of what happens by time alone; so each lapse becomes an event, once. What counts as a lapse is here the
same as there: the rule's basis is consent, and the yes is older than the rule's days, or than the last change in
substance of the rule's notice.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from consents import jurisdictions, ledger, regime
from consents.ledger import About, Scope
from consents.models import Preference, Recipient, Rule
from consents.regime import Regime
from consents.vocabulary import EVERY, Kind, LegalBasis
from portal import actors, audit

_BATCH = 5_000
_LOCK = 0x48_45_45_58  # the advisory lock that only one teller of lapses holds
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Lapsing:
    """Where one rule is the one that counts for a recipient's use: a yes from before `before` no longer does.

    Without `before`, every yes counts there, because the rule needs none, or there is no rule.
    """

    purpose: str
    recipient: str
    codes: tuple[str, ...]
    rule: Rule | None = None
    since: datetime | None = None
    changed: datetime | None = None
    before: datetime | None = None

    @property
    def is_own(self) -> bool:
        """Whether the rule was made for this recipient alone, and so holds for a yes to all recipients too."""
        return self.rule is not None and self.recipient != EVERY and self.rule.recipient == self.recipient


def expire(*, at: datetime) -> int:
    """Tell the log of every agreement that lapsed and was not told of; answers how many.

    In batches of a transaction each. Two at once: the second waits for nobody. A yes that counts again, because a
    rule changed, is no longer marked; should it lapse once more, that is told again.
    """
    told = 0
    for one in lapsing(at=at):
        _unmark(one)
        for statement in (_OWN, _GENERAL) if one.is_own else (_OWN,):
            while one.before is not None and (count := _tell(one, statement, at=at)):
                told += count
    return told


def counts_until(rule: Rule | None, *, occurred_at: datetime) -> datetime | None:
    """Until when a yes of that moment counts by the rule's own days; None where that has no end."""
    if rule is None or rule.legal_basis != LegalBasis.CONSENT or rule.consent_days is None:
        return None
    try:
        return occurred_at + timedelta(days=rule.consent_days)
    except OverflowError:
        return None


def lapsing(*, at: datetime) -> Iterator[Lapsing]:
    """For every purpose that ever needed consent: which yes no longer counts, by recipient and jurisdictions."""
    by_consent = Rule.objects.filter(legal_basis=LegalBasis.CONSENT, recorded_at__lte=at, effective_from__lte=at)
    found = sorted(set(by_consent.values_list("purpose_id", flat=True)))
    codes = inhabited() if found else []
    recipients = [EVERY, *Recipient.objects.order_by("slug").values_list("slug", flat=True)] if codes else []
    for purpose in found:
        standing = regime.at_moment(purpose=purpose, at=at)
        for recipient in recipients:
            yield from _of(standing, recipient, codes)


def oldest_that_counts(rule: Rule, *, standing: Regime) -> datetime | None:
    """The moment before which a yes under this rule no longer counts; None where every yes does."""
    return _before(rule, standing.last_material_change(rule), standing.at)


_INHABITED = """
WITH RECURSIVE code AS (
    SELECT min(jurisdiction) AS one FROM consents_subject
     UNION ALL
    SELECT (SELECT min(jurisdiction) FROM consents_subject WHERE jurisdiction > code.one)
      FROM code WHERE code.one IS NOT NULL
)
SELECT one FROM code WHERE one IS NOT NULL
"""


def inhabited() -> list[str]:
    """The jurisdictions where people live: one step in an index for each, however many people there are."""
    with connection.cursor() as cursor:
        cursor.execute(_INHABITED)
        return [row[0] for row in cursor.fetchall()]


def _of(standing: Regime, recipient: str, codes: list[str]) -> Iterator[Lapsing]:
    groups: dict[tuple[int | None, datetime | None], list[str]] = defaultdict(list)
    rules: dict[int | None, Rule | None] = {None: None}
    for code in codes:
        rule = standing.rule_for(code, recipient)
        if rule is not None and rule.legal_basis != LegalBasis.CONSENT:
            rule = None
        pk = rule.pk if rule else None
        rules[pk] = rule
        groups[pk, _since(standing, rule, code, recipient)].append(code)
    for (pk, since), members in groups.items():
        rule = rules[pk]
        changed = standing.last_material_change(rule) if rule else None
        before = _before(rule, changed, standing.at)
        yield Lapsing(standing.purpose, recipient, tuple(members), rule, since, changed, before)


def _before(rule: Rule | None, changed: datetime | None, at: datetime) -> datetime | None:
    """The moment before which a yes is too old: a lifetime ends with its last instant, a change begins with its own."""
    bounds = [changed] if changed else []
    if rule is not None and rule.consent_days is not None:
        # a lifetime longer than the calendar has no end
        with suppress(OverflowError):
            bounds.append(at - timedelta(days=rule.consent_days) + _INSTANT)
    return max(bounds, default=None)


def _since(standing: Regime, rule: Rule | None, code: str, recipient: str) -> datetime | None:
    """Since when this rule is the one that counts there: it began, or a nearer one ended."""
    if rule is None:
        return None
    since = max(rule.effective_from, rule.recorded_at)
    for place in jurisdictions.widening(code):
        for who in dict.fromkeys((recipient, EVERY)):
            nearer = standing.rules.get((place, who))
            if nearer is rule:
                return since
            if nearer is not None and nearer.effective_to is not None:
                since = max(since, nearer.effective_to)
    return since


# A yes in its own scope is marked once it was told. SKIP LOCKED: who renews their yes right now is not waited for.
_OWN = """
SELECT held.id, held.subject_id, held.category, held.event_id, held.occurred_at
  FROM consents_preference AS held
  JOIN consents_subject AS person ON person.id = held.subject_id
 WHERE held.slot = 'choice' AND held.action = 'grant' AND held.purpose = %(purpose)s
   AND held.recipient = %(recipient)s AND held.occurred_at < %(before)s AND held.expired_at IS NULL
   AND person.erased_at IS NULL AND person.jurisdiction = ANY(%(codes)s)
 LIMIT %(limit)s
   FOR UPDATE OF held SKIP LOCKED
"""
# A yes to all recipients that lapses for one of them alone still stands for the others: only the log has it.
_GENERAL = """
SELECT held.id, held.subject_id, held.category, held.event_id, held.occurred_at
  FROM consents_preference AS held
  JOIN consents_subject AS person ON person.id = held.subject_id
 WHERE held.slot = 'choice' AND held.action = 'grant' AND held.purpose = %(purpose)s
   AND held.recipient = '' AND held.occurred_at < %(before)s
   AND person.erased_at IS NULL AND person.jurisdiction = ANY(%(codes)s)
   AND NOT EXISTS (SELECT FROM consents_ledgerevent AS told
                    WHERE told.subject_id = held.subject_id AND told.recorded_at >= %(since)s
                      AND told.kind = 'expiry' AND told.recipient = %(recipient)s
                      AND told.details ->> 'choice' = held.event_id::text)
 LIMIT %(limit)s
   FOR UPDATE OF held SKIP LOCKED
"""
_UNMARK = """
UPDATE consents_preference AS held SET expired_at = NULL
  FROM consents_subject AS person
 WHERE person.id = held.subject_id AND person.jurisdiction = ANY(%(codes)s)
   AND held.slot = 'choice' AND held.action = 'grant' AND held.purpose = %(purpose)s
   AND held.recipient = %(recipient)s AND held.expired_at IS NOT NULL
   AND (%(before)s::timestamptz IS NULL OR held.occurred_at >= %(before)s)
"""


def _unmark(one: Lapsing) -> None:
    values = {"codes": list(one.codes), "purpose": one.purpose, "recipient": one.recipient, "before": one.before}
    with connection.cursor() as cursor:
        cursor.execute(_UNMARK, values)


@transaction.atomic
def _tell(one: Lapsing, statement: str, *, at: datetime) -> int:
    """One batch of lapses into the log; answers how many."""
    rows = _lapsed(one, statement)
    if not rows:
        return 0
    about = [
        About(subject_id, Scope(one.purpose, one.recipient, category), _details(one, event_id, occurred_at))
        for _, subject_id, category, event_id, occurred_at in rows
    ]
    ledger.append_many(kind=Kind.EXPIRY, by=actors.SYSTEM, at=at, about=about)
    if statement is _OWN:
        Preference.objects.filter(pk__in=[row[0] for row in rows]).update(expired_at=at)
    details = {"purpose": one.purpose, "recipient": one.recipient, "agreements": len(rows)}
    audit.record(at=at, by=actors.SYSTEM, action="agreement.expire", of=("purpose", one.purpose), details=details)
    return len(rows)


def _lapsed(one: Lapsing, statement: str) -> list[tuple[int, uuid.UUID, str, uuid.UUID, datetime]]:
    values: dict[str, Any] = {
        "purpose": one.purpose,
        "recipient": one.recipient,
        "codes": list(one.codes),
        "before": one.before,
        "since": one.since,
        "limit": _BATCH,
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return []
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def _details(one: Lapsing, choice: uuid.UUID, occurred_at: datetime) -> dict[str, Any]:
    changed = one.changed is not None and occurred_at < one.changed
    return {
        "reason": "material_change" if changed else "lifetime",
        "choice": str(choice),
        "rule": one.rule.pk if one.rule else None,
    }
