"""What stands beside the ledger, compared with it: preferences must be what the latest choices say, and notices,
rules and holds what their own events say."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.db import connection

from consents import notices
from consents.log_differences import LISTED, Findings
from consents.models import Hold, LedgerEvent, Rule
from consents.vocabulary import PROTECTIVE, SLOT_OF, Kind, Slot

_RULE_FIELDS = frozenset(one.attname for one in Rule._meta.concrete_fields) - {"id", "recorded_at"}
_HOLD_FIELDS = frozenset(
    {"purposes", "jurisdictions", "recipients", "data_from", "data_until", "authority", "reason", "case_id"}
)

# Of equal times the more protective counts; among equally protective ones, any of that time may stand.
_PREFERENCES = """
WITH said AS (
    SELECT DISTINCT ON (subject_id, slot, purpose, recipient, category)
           subject_id, slot, purpose, recipient, category, occurred_at, protective
      FROM (SELECT *, action = ANY(%(protective)s) AS protective,
                   CASE WHEN action = ANY(%(restriction)s) THEN %(slot_restriction)s
                        WHEN action = ANY(%(signal)s) THEN %(slot_signal)s ELSE %(slot_choice)s END AS slot
              FROM consents_ledgerevent WHERE kind = %(choice)s) AS choice
     ORDER BY subject_id, slot, purpose, recipient, category, occurred_at DESC, protective DESC
)
SELECT COALESCE(said.subject_id, held.subject_id)::text, COALESCE(said.purpose, held.purpose),
       COALESCE(said.slot, held.slot), said.subject_id IS NULL, held.id IS NULL
  FROM said
  FULL JOIN consents_preference AS held
    ON held.subject_id = said.subject_id AND held.slot = said.slot AND held.purpose = said.purpose
       AND held.recipient = said.recipient AND held.category = said.category
  LEFT JOIN consents_ledgerevent AS event ON event.id = held.event_id
 WHERE said.subject_id IS NULL OR held.id IS NULL OR event.id IS NULL OR held.action <> event.action
       OR held.occurred_at <> said.occurred_at OR (held.action = ANY(%(protective)s)) <> said.protective
 LIMIT %(limit)s
"""


def compare_preferences(findings: Findings) -> None:
    """Note each preference that is not what the ledger's latest choice says. One statement; the database sorts."""
    values: dict[str, list[str] | str | int] = {
        "protective": sorted(str(action) for action in PROTECTIVE),
        "restriction": [str(action) for action, slot in SLOT_OF.items() if slot == Slot.RESTRICTION],
        "signal": [str(action) for action, slot in SLOT_OF.items() if slot == Slot.SIGNAL],
        "slot_restriction": str(Slot.RESTRICTION),
        "slot_signal": str(Slot.SIGNAL),
        "slot_choice": str(Slot.CHOICE),
        "choice": str(Kind.CHOICE),
        "limit": LISTED,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PREFERENCES, values)
        for subject, purpose, slot, unsaid, unheld in cursor.fetchall():
            what = "was never said" if unsaid else "is gone" if unheld else "is not the latest choice in the ledger"
            about = purpose or "every purpose"
            findings.note("preference", f"The preference of person {subject} for {about} ({slot}) {what}.")


def compare_rulebook(findings: Findings) -> None:
    """Note each notice's text, rule and hold that is not what its events say, is gone, or that no event speaks of.

    Only what an event has is compared, for older ones have fewer fields. Rows are read before events, so that nothing
    is missed of what is written meanwhile.
    """
    for slug, version, locale in notices.unlike_the_log():
        findings.note(
            "notice_edited", f"The text of notice {slug}/{version} in {locale!r} is not what was published, or is gone."
        )
    _compare_rules(findings)
    _compare_holds(findings)


def _compare_rules(findings: Findings) -> None:
    rows = Rule.objects.in_bulk()
    told: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for event in _events(Kind.RULE):
        if isinstance(event.details.get("rule"), int):
            told[event.details["rule"]].append(event.details)
    for pk in sorted({*rows, *told}):
        row = rows.get(pk) or Rule.objects.filter(pk=pk).first()
        unlike = (name for details in told[pk] for name in _unlike(row, details, _RULE_FIELDS))
        _note(findings, "rule", pk, is_there=row is not None, is_told=bool(told[pk]), unlike=unlike)


def _compare_holds(findings: Findings) -> None:
    rows = Hold.objects.in_bulk()
    told: dict[uuid.UUID, list[LedgerEvent]] = defaultdict(list)
    for event in _events(Kind.HOLD_OPENED, Kind.HOLD_LIFTED):
        if "hold" in event.details:
            told[uuid.UUID(event.details["hold"])].append(event)
    for pk in sorted({*rows, *told}):
        row = rows.get(pk) or Hold.objects.filter(pk=pk).first()
        unlike = _unlike_hold(row, told[pk]) if row is not None and told[pk] else ()
        _note(findings, "hold", pk, is_there=row is not None, is_told=bool(told[pk]), unlike=unlike)


def _unlike_hold(row: Hold, told: list[LedgerEvent]) -> Iterator[str]:
    for event in told:
        yield from _unlike(row, event.details, _HOLD_FIELDS)
    moments = {Kind(event.kind): event.recorded_at for event in told}
    if moments.get(Kind.HOLD_OPENED, row.opened_at) != row.opened_at:
        yield "opened_at"
    if Kind.HOLD_LIFTED in moments and row.lifted_at is None:
        # lifted since it was read, or opened again behind the triggers
        row.refresh_from_db(fields=["lifted_at"])
    if moments.get(Kind.HOLD_LIFTED) != row.lifted_at:
        yield "lifted_at"


def _events(*kinds: Kind) -> Iterator[LedgerEvent]:
    found = LedgerEvent.objects.filter(kind__in=kinds, subject_id__isnull=True).order_by("id")
    yield from found.only("kind", "details", "recorded_at").iterator()


def _unlike(row: Rule | Hold | None, details: dict[str, Any], fields: Iterable[str]) -> Iterator[str]:
    """The names of the fields that differ from the event's details, as far as it has them."""
    for attname in fields:
        name = attname.removesuffix("_id")
        if row is None or name not in details:
            continue
        held, said = getattr(row, attname), details[name]
        if attname == "case_id" and said is None:
            # a hold may be linked to a case later, of which the audit trail tells
            continue
        if isinstance(held, uuid.UUID):
            held = str(held)
        if isinstance(held, datetime) and said is not None:
            said = datetime.fromisoformat(said)
        if held != said:
            yield name


def _note(
    findings: Findings, what: str, pk: int | uuid.UUID, *, is_there: bool, is_told: bool, unlike: Iterable[str]
) -> None:
    names = sorted(set(unlike))
    if not is_there:
        findings.note(f"{what}_missing", f"The {what} {pk} is gone, of which the ledger tells.")
    elif not is_told:
        findings.note(f"{what}_untold", f"The ledger tells of no {what} {pk}.")
    elif names:
        findings.note(f"{what}_edited", f"The {what} {pk} is not what the ledger says: {', '.join(names)}.")
