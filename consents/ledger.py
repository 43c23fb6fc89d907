"""The only writer of the ledger: a choice is an event, a preference and an audit entry, committed together.

`consents.bulk_ledger` is its other half, for many choices in one statement by the same rules.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from uuid_utils.compat import uuid7

from consents import purposes
from consents.models import LedgerEvent, Subject
from consents.vocabulary import EVERY, OURS, PROTECTIVE, SLOT_OF, TAKEN_OVER, Action, Kind, Slot, Source
from portal import audit, crypto, references
from portal.clock import TOLERANCE
from portal.errors import Conflict, DomainError

SEQUENCE_TASK = "consents.tasks.sequence"
"""Interfaces nudge this task by name once a choice is committed; beat turns it anyway."""


OUR_DOORS = frozenset({Source.SELF_SERVICE, Source.REQUEST, Source.STAFF, Source.GPC})
"""What comes in through these is said now, and by our own clock."""
NOT_YOURS = "Our privacy staff restricted this for the person; only they or the person can lift it."


class ChoiceError(DomainError):
    """A choice that cannot be recorded as sent."""


@dataclass(frozen=True)
class Scope:
    """What a choice is about: a purpose, and perhaps only one recipient or one category of data."""

    purpose: str
    recipient: str = EVERY
    category: str = EVERY


@dataclass(frozen=True)
class Origin:
    """Where a choice comes from: the door, who acted, what they were shown, and evidence (sealed)."""

    source: str
    by: str
    notice: str = ""
    evidence: str = ""


@dataclass(frozen=True)
class About:
    """Whom and what an event that is no choice tells of."""

    subject_id: uuid.UUID | None
    scope: Scope
    details: dict[str, Any]


def reference(event_id: uuid.UUID) -> str:
    """The receipt's reference: R-… in letters that can be read out."""
    return references.encode("R", event_id)


@transaction.atomic
def record(
    *,
    subject: Subject,
    scope: Scope,
    action: Action,
    origin: Origin,
    at: datetime,
    occurred_at: datetime | None = None,
) -> LedgerEvent:
    """Record one choice of one person and bring the preference up to date.

    `occurred_at` is the sender's time, at most five minutes ahead of `at`. Without one, what is said to ourselves
    (OUR_DOORS) is never the older statement: where a sender's clock ran ahead, it is dated just after what stands.
    Raises ChoiceError, NotFound (`unknown_purpose`, `unknown_recipient`) and Conflict(`erased`); nothing is written
    then.
    """
    # locked, so that nothing is recorded about somebody who is being forgotten right now
    locked = Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    return record_of_locked(subject=locked, scope=scope, action=action, origin=origin, at=at, occurred_at=occurred_at)


def record_of_locked(
    *,
    subject: Subject,
    scope: Scope,
    action: Action,
    origin: Origin,
    at: datetime,
    occurred_at: datetime | None = None,
) -> LedgerEvent:
    """`record` for a person whose row this transaction has locked already; one statement writes all three rows.

    Raises Conflict(`restriction_not_yours`) too: what our staff restricted, no partner and no file lifts.
    """
    check_times(occurred_at=occurred_at or at, at=at)
    _check_scope(scope, action)
    if subject.wrapped_key is None:
        raise Conflict("erased", "This person was erased; nothing more is recorded about them.")
    if action == Action.UNRESTRICT and origin.source in TAKEN_OVER:
        _check_restriction(subject.pk, scope, occurred_at or at)
    event = LedgerEvent(
        kind=Kind.CHOICE,
        subject_id=subject.pk,
        purpose=scope.purpose,
        recipient=scope.recipient,
        category=scope.category,
        action=action,
        source=origin.source,
        actor=origin.by,
        notice=origin.notice,
        evidence=_sealed(origin.evidence, subject.pk, subject.wrapped_key),
        salt=uuid.uuid4(),
        occurred_at=occurred_at or at,
        recorded_at=at,
    )
    _write(event, is_last_word=occurred_at is None and origin.source in OUR_DOORS)
    return event


def append(
    *,
    kind: Kind,
    by: str,
    at: datetime,
    details: dict[str, Any],
    purpose: str = EVERY,
    subject: Subject | None = None,
) -> LedgerEvent:
    """Write an event that is no choice: a rule, a notice, a hold, an erasure; in the same transaction as the change."""
    return LedgerEvent.objects.create(
        kind=kind,
        subject_id=subject.pk if subject else None,
        purpose=purpose,
        source=_door(by),
        actor=by,
        details=details,
        occurred_at=at,
        recorded_at=at,
    )


_APPEND_MANY = """
INSERT INTO consents_ledgerevent
       (id, kind, subject_id, purpose, recipient, category, action, source, actor, notice, details,
        occurred_at, recorded_at)
SELECT one.id, %(kind)s, one.subject_id, one.purpose, one.recipient, one.category, '', %(source)s, %(by)s, '',
       one.details, %(at)s, %(at)s
  FROM unnest(%(ids)s::uuid[], %(subjects)s::uuid[], %(purposes)s::text[], %(recipients)s::text[],
              %(categories)s::text[], %(details)s::jsonb[])
       AS one (id, subject_id, purpose, recipient, category, details)
"""


def append_many(*, kind: Kind, by: str, at: datetime, about: Sequence[About]) -> None:
    """The same for many at once, in the order given and in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            _APPEND_MANY,
            {
                "kind": kind,
                "source": _door(by),
                "by": by,
                "at": at,
                "ids": [uuid7() for _ in about],
                "subjects": [one.subject_id for one in about],
                "purposes": [one.scope.purpose for one in about],
                "recipients": [one.scope.recipient for one in about],
                "categories": [one.scope.category for one in about],
                "details": [json.dumps(one.details) for one in about],
            },
        )


def _door(by: str) -> Source:
    return Source.STAFF if by.startswith("staff:") else Source.REQUEST


@transaction.atomic
def withdraw_everything(*, subject: Subject, by: str, at: datetime) -> int:
    """Close whatever this person still agrees to, one event each; answers how many."""
    open_consents = list(subject.preferences.filter(action=Action.GRANT))
    origin = Origin(source=Source.REQUEST, by=by)
    for one in open_consents:
        scope = Scope(one.purpose, one.recipient, one.category)
        record(subject=subject, scope=scope, action=Action.WITHDRAW, origin=origin, at=at)
    return len(open_consents)


def check_times(*, occurred_at: datetime, at: datetime) -> None:
    """Refuse a time without zone, or more than five minutes ahead. Raises ChoiceError."""
    if occurred_at.tzinfo is None:
        raise ChoiceError("time_without_zone", "State the time with its zone, as RFC 3339.", field="occurred_at")
    if occurred_at > at + TOLERANCE:
        raise ChoiceError(
            "time_in_future", "occurred_at lies in the future; check the sender's clock.", field="occurred_at"
        )


def _check_scope(scope: Scope, action: Action) -> None:
    if scope.purpose != EVERY or SLOT_OF[action] == Slot.CHOICE:
        # only a restriction or a signal may be about every purpose at once
        purposes.check(scope.purpose)
    purposes.check_recipient(scope.recipient)
    purposes.check_category(scope.category)


# Asked of the ledger and not of the preference, which a partner's own restriction may have taken the place of.
RESTRICTED_BY_US = f"""
EXISTS (SELECT FROM consents_ledgerevent AS ours
         WHERE ours.subject_id = asked.subject_id AND ours.kind = 'choice' AND ours.action = 'restrict'
           AND ours.source IN ({", ".join(f"'{one}'" for one in sorted(OURS))})
           AND (ours.purpose, ours.recipient, ours.category) = (asked.purpose, asked.recipient, asked.category)
           AND ours.occurred_at < asked.occurred_at
           AND NOT EXISTS (SELECT FROM consents_ledgerevent AS lifted
                            WHERE lifted.subject_id = ours.subject_id AND lifted.kind = 'choice'
                              AND lifted.action = 'unrestrict'
                              AND lifted.source NOT IN ({", ".join(f"'{one}'" for one in sorted(TAKEN_OVER))})
                              AND (lifted.purpose, lifted.recipient, lifted.category)
                                  = (ours.purpose, ours.recipient, ours.category)
                              AND lifted.occurred_at > ours.occurred_at))
"""  # noqa: S608 -- put together from the vocabulary
_IS_RESTRICTED_BY_US = f"""
SELECT {RESTRICTED_BY_US}
  FROM (SELECT %s::uuid AS subject_id, %s AS purpose, %s AS recipient, %s AS category,
               %s::timestamptz AS occurred_at) AS asked
"""  # noqa: S608 -- put together from constants of ours


def _check_restriction(subject_id: uuid.UUID, scope: Scope, occurred_at: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_IS_RESTRICTED_BY_US, (subject_id, scope.purpose, scope.recipient, scope.category, occurred_at))
        if cursor.fetchone()[0]:
            raise Conflict("restriction_not_yours", NOT_YOURS)


def _sealed(evidence: str, subject_id: uuid.UUID, wrapped: crypto.Sealed) -> bytes | None:
    if not evidence:
        return None
    return crypto.seal_for(wrapped, evidence, subject_id=str(subject_id), context=b"evidence")


INTO_PREFERENCES = """
INSERT INTO consents_preference AS held
       (subject_id, slot, purpose, recipient, category, action, event_id, occurred_at, recorded_at)
"""
# The row lock of ON CONFLICT puts two writers in order; of equal times the more protective stays.
LATER_WINS = """
ON CONFLICT ON CONSTRAINT one_preference_per_scope DO UPDATE
   SET action = excluded.action, event_id = excluded.event_id,
       occurred_at = excluded.occurred_at, recorded_at = excluded.recorded_at, expired_at = NULL
 WHERE excluded.occurred_at > held.occurred_at
    OR (excluded.occurred_at = held.occurred_at
        AND (excluded.action = ANY(%(protective)s) OR NOT held.action = ANY(%(protective)s)))
"""
# The person's row is locked: whoever writes about them one by one waits, so what stands here is the latest.
_RECORD = f"""
WITH dated AS (
    SELECT CASE WHEN %(last_word)s
           THEN greatest(%(occurred)s, (
               SELECT stands.occurred_at + interval '1 microsecond'
                 FROM consents_preference AS stands
                WHERE stands.subject_id = %(subject)s AND stands.slot = %(slot)s AND stands.purpose = %(purpose)s
                  AND stands.recipient = %(recipient)s AND stands.category = %(category)s
                  AND stands.occurred_at > %(occurred)s))
           ELSE %(occurred)s END AS occurred_at
), event AS (
    INSERT INTO consents_ledgerevent
           (id, kind, subject_id, purpose, recipient, category, action, source, actor, notice, evidence, details,
            salt, occurred_at, recorded_at)
    VALUES (%(event)s, %(kind)s, %(subject)s, %(purpose)s, %(recipient)s, %(category)s, %(action)s, %(source)s,
            %(actor)s, %(notice)s, %(evidence)s, '{{}}', %(salt)s, (SELECT occurred_at FROM dated), %(recorded)s)
), preference AS (
    {INTO_PREFERENCES}
    VALUES (%(subject)s, %(slot)s, %(purpose)s, %(recipient)s, %(category)s, %(action)s, %(event)s,
            (SELECT occurred_at FROM dated), %(recorded)s)
    {LATER_WINS}
)
{audit.INSERT}
RETURNING (SELECT occurred_at FROM dated)
"""  # noqa: S608 -- put together from constants of ours; whatever is sent goes in as parameters
_PROTECTIVE = sorted(PROTECTIVE)


def _write(event: LedgerEvent, *, is_last_word: bool) -> None:
    """The event, the preference and the audit entry; the last word is dated after what stands in its scope."""
    entry = audit.values(
        at=event.recorded_at,
        by=event.actor,
        action=f"choice.{event.action}",
        of=("subject", event.subject_id),
        details={"event": str(event.pk), "purpose": event.purpose, "source": event.source},
    )
    row: dict[str, Any] = {
        "event": event.pk,
        "kind": event.kind,
        "subject": event.subject_id,
        "slot": SLOT_OF[Action(event.action)],
        "purpose": event.purpose,
        "recipient": event.recipient,
        "category": event.category,
        "action": event.action,
        "source": event.source,
        "actor": event.actor,
        "notice": event.notice,
        "evidence": event.evidence,
        "salt": event.salt,
        "occurred": event.occurred_at,
        "recorded": event.recorded_at,
        "last_word": is_last_word,
        "protective": _PROTECTIVE,
    }
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, row | entry)
        (event.occurred_at,) = cursor.fetchone()
    event._state.adding = False
