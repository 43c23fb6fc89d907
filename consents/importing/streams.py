"""Choices from a call's body, read as it comes in; the same Idempotency-Key again goes on where it was left."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from consents.bulk_ledger import Sender
from consents.importing import chunks, journal, vetting
from consents.importing.chunks import Tally
from consents.importing.files import Clock
from consents.importing.rows import InputRefused, Rows
from consents.importing.vetting import Terms
from consents.models import ChoiceImport, ImportState, Partner
from consents.vocabulary import Source
from portal import actors, crypto, idempotency
from portal.idempotency import IdempotencyError

CHUNK = 10_000
"""Rows of one transaction: a caller that breaks off loses no more than these."""


@dataclass(frozen=True)
class Stream:
    """A body: its rows, what they were written in, and the caller's Idempotency-Key."""

    rows: Rows
    form: str
    key: str | None = None


def take(*, partner: Partner, stream: Stream, clock: Clock, size: int = CHUNK) -> tuple[ChoiceImport, bool]:
    """Take over a body's choices within the partner's rights; answers the import, and whether it was done before.

    A body that goes on where the one under its key ended is taken up too: of a body in chunks, a server cannot tell
    the end from a caller that died. Raises IdempotencyError (`idempotency_key_invalid`; `idempotency_key_reused` where
    the body does not begin with what is durable under the key), Conflict(`import_under_way`), InputRefused (what lies
    before the named place is recorded).
    """
    by = actors.partner(partner.slug)
    if stream.key is None:
        one = journal.begin(one=_new(stream, by), at=clock())
        return _carry_on(one, stream.rows, partner, clock, size), False
    idempotency.check_key(stream.key)
    with journal.alone(f"{by} {stream.key}"):
        known = ChoiceImport.objects.filter(by=by, key=idempotency.hashed(stream.key)).first()
        one = known or journal.begin(one=_new(stream, by), at=clock())
        before = one.rows_done if one.state == ImportState.DONE else None
        _carry_on(one, stream.rows, partner, clock, size)
        return one, before == one.rows_done


def answer(one: ChoiceImport) -> Iterator[dict[str, Any]]:
    """One object for each rejected row, in order, and the summary."""
    rejections = one.rejections.order_by("line").values_list("line", "code", "message")
    for line, code, message in rejections.iterator(chunk_size=2_000):
        yield {"line": line, "code": code, "message": message}
    yield {
        "summary": {
            "import": str(one.pk),
            "rows": one.rows_done,
            "recorded": one.accepted,
            "repeated": one.repeated,
            "rejected": one.rejected,
        }
    }


def _carry_on(one: ChoiceImport, rows: Rows, partner: Partner, clock: Clock, size: int) -> ChoiceImport:
    tally = hashlib.sha256()
    _pass_over(one, rows, tally)
    terms = _terms(partner)
    sender = Sender(source=Source.PARTNER, by=one.by, taken_from=one.pk, jurisdictions=tuple(partner.jurisdictions))
    while True:
        chunk = chunks.read(rows, size=size, terms=terms, at=clock(), tally=tally)
        if chunk.rows:
            digest = _fingerprints(tally)[0] if one.key else ""
            journal.settle(one=one, chunk=chunk, sender=sender, at=clock(), digest=digest)
        if chunk.broken:
            raise _broken_off(one, chunk.broken, at=clock())
        if chunk.rows < size:
            break
    if one.state != ImportState.DONE:
        journal.finish(one=one, at=clock())
    return one


def _pass_over(one: ChoiceImport, rows: Rows, tally: Tally) -> None:
    """Read what is durable already, which must be the same as it was."""
    if not one.rows_done:
        return
    passed = 0
    try:
        for _, row in islice(rows, one.rows_done):
            passed += 1
            tally.update(repr(row).encode())
    except InputRefused as error:
        raise InputRefused(error.code, f"{error.message} Nothing new was recorded.") from error
    if passed < one.rows_done or one.digest not in _fingerprints(tally):
        raise _reused()


def _terms(partner: Partner) -> Terms:
    return vetting.terms(
        schemes=frozenset(partner.schemes), spoken_for=frozenset(partner.recipients), admits_minors_flag=False
    )


def _broken_off(one: ChoiceImport, error: InputRefused, *, at: datetime) -> InputRefused:
    if one.state != ImportState.DONE:
        journal.stop(one=one, reason=error.message, at=at)
    how = "send the whole again with the same Idempotency-Key to go on" if one.key else "send only what follows"
    return InputRefused(error.code, f"{error.message} The {one.rows_done} rows before it are settled; {how}.")


def _reused() -> IdempotencyError:
    return IdempotencyError(
        "idempotency_key_reused", "This Idempotency-Key was used with another body; send a new key."
    )


def _fingerprints(tally: Tally) -> list[str]:
    return [one.hex() for one in crypto.blind_indexes("import-stream", tally.hexdigest())]


def _new(stream: Stream, by: str) -> ChoiceImport:
    key = idempotency.hashed(stream.key) if stream.key else ""
    return ChoiceImport(name="POST /choices/bulk", format=stream.form, key=key, by=by)
