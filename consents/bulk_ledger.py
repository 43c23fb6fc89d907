"""The ledger's set-based half: many choices in a few statements, by the same rules as `ledger.record`.

A batch is one transaction's work. It comes in by COPY, people are found and locked, what was said before is left out,
and events, preferences and one audit entry are written together (docs/decisions/0007-imports.md).
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from consents import bulk_statements as sql
from consents import jurisdictions
from consents.bulk_batches import Batch, array
from consents.models import LedgerEvent, Suppressed
from consents.vocabulary import ANYWHERE, PROTECTIVE, TAKEN_OVER, Action, Kind
from portal import audit, crypto
from portal.fault_points import reach


@dataclass(frozen=True)
class Sender:
    """Where a batch comes from: the door, who acts, which import it belongs to, whose people it may name."""

    source: str
    by: str
    taken_from: uuid.UUID
    jurisdictions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of a batch.

    `refused` has (line, code): unknown_subject, suppressed, key_reused, restriction_not_yours.
    """

    recorded: int = 0
    repeated: int = 0
    amended: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)


@transaction.atomic
def record_many(*, batch: Batch, sender: Sender, at: datetime) -> Outcome:
    """Record a batch of choices and bring the preferences up to date; the flags of minors with them.

    Each row is recorded, known already, or refused; a refused row leaves nothing. Times, scopes and lengths were
    checked when the batch was made.
    """
    if not len(batch):
        return Outcome()
    given: dict[str, Any] = {"source": sender.source, "by": sender.by, "import": str(sender.taken_from), "at": at}
    with connection.cursor() as cursor:
        _send(cursor, batch)
        _find_and_lock(cursor, batch, sender)
        reach("import.locked")
        refused = _unnamed(cursor)
        refused += _judge(cursor, batch, given)
        cursor.execute(sql.FRESH, given)
        _seal_evidence(cursor, batch)
        cursor.execute(sql.EVENTS, given)
        recorded = cursor.rowcount
        reach("import.recorded")
        cursor.execute(sql.PREFERENCES, {**given, "protective": sorted(PROTECTIVE)})
        if batch.keys:
            cursor.execute(sql.KEEP_KEYS, {**given, "index_key": crypto.current_index_key()})
        amended = _amend_minors(cursor, batch, sender, at) if batch.minors else 0
    repeated = len(batch) - recorded - len(refused)
    audit.record(
        at=at,
        by=sender.by,
        action="choices.import",
        of=("import", sender.taken_from),
        details={"recorded": recorded, "repeated": repeated, "rejected": len(refused), "amended": amended},
    )
    return Outcome(recorded=recorded, repeated=repeated, amended=amended, refused=refused)


def _send(cursor: Any, batch: Batch) -> None:
    cursor.execute(sql.PREPARE)
    with cursor.copy(sql.COPY_SENT) as copy:
        copy.write("".join(batch.copied))
    _copy_rows(cursor, sql.COPY_SAID, batch.sayings())
    if batch.keys:
        with cursor.copy(sql.COPY_KEYS) as copy:
            copy.write("".join(f"{line}\t{array(prints)}\n" for line, prints in batch.keys.items()))
    _copy_rows(cursor, sql.COPY_MINORS, batch.minors.items())


def _copy_rows(cursor: Any, statement: str, rows: Iterable[Sequence[object]]) -> None:
    rows = list(rows)
    if not rows:
        return
    with cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def _find_and_lock(cursor: Any, batch: Batch, sender: Sender) -> None:
    cursor.execute(sql.NAME_BY_VALUE)
    if batch.has_contacts:
        cursor.execute(sql.NAME_BY_FINGERPRINT)
    codes: list[str] = []
    prefixes: list[str] = []
    for scope in sender.jurisdictions:
        of_scope, of_parts = jurisdictions.members(scope)
        codes += of_scope
        prefixes += [f"{part}%" for part in of_parts]
    everywhere = not sender.jurisdictions or ANYWHERE in sender.jurisdictions
    cursor.execute(sql.LOCK, {"everywhere": everywhere, "codes": codes, "prefixes": prefixes})


def _unnamed(cursor: Any) -> list[tuple[int, str]]:
    """Rows whose person is not there; the fingerprints of the forgotten tell why."""
    cursor.execute(sql.UNNAMED)
    missing = [
        (line, scheme, [bytes(one) for one in prints] if prints else crypto.blind_indexes(scheme, value))
        for line, scheme, value, prints in cursor.fetchall()
    ]
    if not missing:
        return []
    every = [one for _, _, prints in missing for one in prints]
    rows = Suppressed.objects.filter(fingerprint__in=every).values_list("scheme", "fingerprint")
    erased = {(scheme, bytes(one)) for scheme, one in rows}
    return [
        (line, "suppressed" if any((scheme, one) in erased for one in prints) else "unknown_subject")
        for line, scheme, prints in missing
    ]


def _judge(cursor: Any, batch: Batch, given: dict[str, Any]) -> list[tuple[int, str]]:
    """Rows that are known by their key, and those that would lift what our staff restricted."""
    lifts = given["source"] in TAKEN_OVER and any(one.action == Action.UNRESTRICT for one in batch.said)
    if not batch.keys and not lifts:
        return []
    if batch.keys:
        cursor.execute(sql.KEYS_BEFORE, given)
    if lifts:
        cursor.execute(sql.NOT_THEIRS)
    if batch.keys:
        cursor.execute(sql.KEYS_TWICE)
    cursor.execute("SELECT line, code FROM verdict WHERE code <> 'repeated' ORDER BY line")
    return list(cursor.fetchall())


def _seal_evidence(cursor: Any, batch: Batch) -> None:
    if not batch.evidence:
        return
    cursor.execute(sql.KEYS_OF_PEOPLE, {"lines": list(batch.evidence)})
    sealed = [
        (line, crypto.seal_for(wrapped, batch.evidence[line], subject_id=str(subject_id), context=b"evidence"))
        for line, subject_id, wrapped in cursor.fetchall()
    ]
    _copy_rows(cursor, sql.COPY_EVIDENCE, sealed)


def _amend_minors(cursor: Any, batch: Batch, sender: Sender, at: datetime) -> int:
    cursor.execute(sql.CHANGED_MINORS)
    changed = cursor.fetchall()
    if not changed:
        return 0
    subject_ids = [subject_id for subject_id, _, _, _ in changed]
    LedgerEvent.objects.bulk_create(
        [
            LedgerEvent(
                kind=Kind.AMENDMENT,
                subject_id=subject_id,
                source=sender.source,
                actor=sender.by,
                details={"was": {"is_minor": not is_minor}, "import": str(sender.taken_from), "line": line},
                occurred_at=occurred_at,
                recorded_at=at,
            )
            for subject_id, line, is_minor, occurred_at in changed
        ],
        batch_size=2_000,
    )
    cursor.execute(sql.AMEND, {"at": at, "subjects": subject_ids})
    audit.record_many(at=at, by=sender.by, action="subject.amend", object_type="subject", object_ids=subject_ids)
    return len(changed)
