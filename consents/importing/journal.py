"""How far each import got. A chunk's choices, its rejections and the progress are committed together, or not at all."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from django.db import DatabaseError, connection, transaction

from consents import bulk_ledger, ledger
from consents.bulk_ledger import Sender
from consents.importing.chunks import Chunk
from consents.importing.rows import Refused
from consents.models import ChoiceImport, ImportRejection, ImportState
from consents.vocabulary import Source
from portal import audit, crypto
from portal.errors import Conflict
from portal.fault_points import reach

_REFUSED = {
    "unknown_subject": Refused("unknown_subject", "Nobody is registered by this identifier."),
    "suppressed": Refused("suppressed", "This person asked to be forgotten and is not taken in again."),
    "key_reused": Refused("key_reused", "This key came with another choice before; give each choice a key of its own."),
    "restriction_not_yours": Refused("restriction_not_yours", ledger.NOT_YOURS),
}


@transaction.atomic
def begin(*, one: ChoiceImport, at: datetime) -> ChoiceImport:
    """Write down that an import begins."""
    one.started_at = one.progressed_at = at
    one.save(force_insert=True)
    audit.record(at=at, by=one.by, action="import.begin", of=("import", one.pk), details={"format": one.format})
    return one


@transaction.atomic
def settle(*, one: ChoiceImport, chunk: Chunk, sender: Sender, at: datetime, digest: str | None = None) -> None:
    """Record a chunk's choices, write down its rejected lines, and bring the import's counts forward."""
    outcome = bulk_ledger.record_many(batch=chunk.batch, sender=sender, at=at)
    refused = chunk.refused + [(line, _refusal(code, sender)) for line, code in outcome.refused]
    ImportRejection.objects.bulk_create(
        [ImportRejection(taken_from=one, line=line, code=why.code, message=why.message) for line, why in refused],
        batch_size=5_000,
    )
    one.rows_done += chunk.rows
    one.accepted += outcome.recorded
    one.repeated += outcome.repeated
    one.rejected += len(refused)
    one.amended += outcome.amended
    one.percent = chunk.percent
    one.progressed_at, one.state, one.reason = at, ImportState.RUNNING, ""
    if digest is not None:
        one.digest, one.index_key = digest, crypto.current_index_key() if digest else ""
    one.save()
    reach("import.before_commit")


@transaction.atomic
def finish(*, one: ChoiceImport, at: datetime) -> None:
    """Write down that everything was read."""
    one.state, one.percent, one.reason, one.finished_at = ImportState.DONE, 100, "", at
    one.save()
    counts = {"recorded": one.accepted, "repeated": one.repeated, "rejected": one.rejected}
    audit.record(at=at, by=one.by, action="import.finish", of=("import", one.pk), details=counts)


@transaction.atomic
def stop(*, one: ChoiceImport, reason: str, at: datetime) -> None:
    """Write down why an import goes no further; the same input again goes on from here."""
    one.state, one.reason, one.progressed_at = ImportState.STOPPED, reason[:300], at
    one.save()
    audit.record(at=at, by=one.by, action="import.stop", of=("import", one.pk))


@contextmanager
def alone(what: str) -> Iterator[None]:
    """Nobody else imports `what` meanwhile. Raises Conflict(`import_under_way`).

    The lock is the database session's: it ends with a process that is killed.
    """
    number = int.from_bytes(hashlib.sha256(f"import {what}".encode()).digest()[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [number])
        if not cursor.fetchone()[0]:
            raise Conflict("import_under_way", "This is being imported at this moment; wait until that has ended.")
    try:
        yield
    finally:
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [number])


def _refusal(code: str, sender: Sender) -> Refused:
    # to a partner, somebody who was erased is as unknown as nobody
    hidden = code == "suppressed" and sender.source == Source.PARTNER
    return _REFUSED["unknown_subject" if hidden else code]
