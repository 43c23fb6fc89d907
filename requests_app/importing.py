"""Requests from a file of another system: looked through first, then taken in line by line, each once.

A line is taken in whole or not at all. What it is called elsewhere is remembered as a keyed fingerprint, so that the
same file again, or one that was taken in half before a crash, records nothing twice.
"""

import io
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from django.db import IntegrityError, transaction
from uuid_utils.compat import uuid7

from consents.importing import journal
from consents.models import Identifier
from portal import audit, crypto, sealed_files
from portal.errors import Conflict, DomainError, TooLarge
from requests_app import import_rows, taking_down
from requests_app.import_rows import Refusal, Row
from requests_app.models import ImportedReference, ImportState, RefusedRow, RequestImport
from requests_app.taking_down import TakenDown

TASK = "requests_app.tasks.take_in_imports"
LARGEST = 32 << 20
"""Bytes of one file."""
KEPT = timedelta(days=2)
"""How long a file waits that was looked through and is not taken in."""
_AT_ONCE = 1_000
_TELL_EVERY = 50
_KIND = "request-imports"
_PLACE = "request-import"

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Understood:
    """How many ask for each right, how many things are to be corrected, and what some of the lines say."""

    rights: Counter[str]
    things_to_correct: int
    lines: list[tuple[Row, TakenDown]]


def check(*, name: str, parts: Iterable[bytes], by: str, at: datetime) -> RequestImport:
    """Look a file through, keep it encrypted, and write down what would be refused; nobody's request is taken in.

    Raises InputRefused where the file cannot be read, TooLarge.
    """
    one = RequestImport(id=uuid7(), name=name.rpartition("/")[2][:255] or "requests.csv", by=by, checked_at=at)
    _keep(one, parts)
    try:
        refused = _look_through(one, at)
        _write_down(one, refused, at)
    except BaseException:
        sealed_files.delete(_path(one))
        raise
    return one


@transaction.atomic
def approve(*, one: RequestImport, by: str, at: datetime) -> RequestImport:
    """Have the lines taken in that are not refused; a worker does it. Raises Conflict(`wrong_state`)."""
    one = _in_state(one, ImportState.CHECKED)
    one.state, one.approved_by = ImportState.WAITING, by
    one.save(update_fields=["state", "approved_by"])
    audit.record(at=at, by=by, action="request_import.approve", of=("request_import", one.pk))
    return one


@transaction.atomic
def drop(*, one: RequestImport, by: str, at: datetime) -> None:
    """Take nothing in, and delete the file. Raises Conflict(`wrong_state`)."""
    one = _in_state(one, ImportState.CHECKED)
    _end(one, ImportState.DROPPED, at)
    audit.record(at=at, by=by, action="request_import.drop", of=("request_import", one.pk))


def understood(one: RequestImport, *, start: int, count: int, at: datetime) -> Understood:
    """How the file is read: of the lines that are not refused what they ask together, and `count` from `start` on.

    Nobody is looked up. Raises Conflict(`wrong_state`) once the file is gone, SealedFileError.
    """
    if one.sealed_key is None:
        raise Conflict("wrong_state", f"This file is {one.get_state_display()}.")
    refused = set(one.refusals.values_list("line", flat=True))
    rights, things, lines = Counter[str](), 0, list[tuple[Row, TakenDown]]()
    taken = (row for row in _rows(one) if isinstance(row, Row) and row.line not in refused)
    for number, row in enumerate(taken):
        rights.update(row.rights)
        things += row.things_to_correct
        if start <= number < start + count:
            # what has become too old since is refused when it is taken in
            with suppress(DomainError):
                lines.append((row, import_rows.taken(row, at=at)))
    return Understood(rights, things, lines)


def take_in(
    *, one: RequestImport, clock: Clock, tell: Callable[[RequestImport], None] = lambda one: None
) -> RequestImport:
    """Take in every line of an approved file, each in its own transaction; after a crash, run it again.

    Raises Conflict(`wrong_state` | `import_under_way`), InputRefused, SealedFileError.
    """
    with journal.alone(f"requests {one.pk}"):
        one.refresh_from_db()
        if one.state != ImportState.WAITING:
            raise Conflict("wrong_state", "This file was taken in or given up already.")
        one.accepted = one.repeated = 0
        refused: list[Refusal] = []
        for done, row in enumerate(_rows(one), start=1):
            _count(one, refused, row if isinstance(row, Refusal) else _take_in_one(one, row, clock()))
            if done % _TELL_EVERY == 0:
                one.rows_done, one.refused = done, len(refused)
                one.save(update_fields=["rows_done", "accepted", "repeated", "refused"])
                tell(one)
        _finish(one, refused, clock())
    return one


def take_in_waiting(*, clock: Clock) -> int:
    """Every approved file, the oldest first; answers how many. What nobody approved in time is given up."""
    at, done = clock(), 0
    for one in RequestImport.objects.filter(state=ImportState.CHECKED, checked_at__lte=at - KEPT):
        with suppress(Conflict):
            drop(one=one, by=one.by, at=at)
    failures: list[Exception] = []
    for one in RequestImport.objects.filter(state=ImportState.WAITING).order_by("checked_at"):
        try:
            take_in(one=one, clock=clock)
            done += 1
        except Conflict:
            # another worker is at it
            continue
        except Exception as failure:
            # one that cannot be read does not keep the others waiting
            failures.append(failure)
    if failures:
        raise failures[0]
    return done


def report(one: RequestImport) -> Iterator[list[str]]:
    """The refused lines as rows of a table, header first; no cell is taken for a formula by a spreadsheet."""
    yield ["line", "column", "code", "message"]
    for why in one.refusals.order_by("line", "pk").iterator(chunk_size=2_000):
        yield [str(why.line), _harmless(why.column), _harmless(why.code), _harmless(why.message)]


def _harmless(cell: str) -> str:
    """OWASP, CSV injection: a cell that a spreadsheet would carry out begins with an apostrophe."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _count(one: RequestImport, refused: list[Refusal], outcome: Refusal | bool) -> None:
    if isinstance(outcome, Refusal):
        refused.append(outcome)
    elif outcome:
        one.accepted += 1
    else:
        one.repeated += 1


def _take_in_one(one: RequestImport, row: Row, at: datetime) -> Refusal | bool:
    """Whether it is this import that took the line in; False where it was known before."""
    prints = crypto.blind_indexes(_PLACE, row.reference)
    try:
        with transaction.atomic():
            known = ImportedReference.objects.filter(fingerprint__in=prints).first()
            if known is not None:
                # by this very import, where it goes on after a crash
                return known.taken_from_id == one.pk
            requests = taking_down.take_in(taken=import_rows.taken(row, at=at), by=one.approved_by or one.by, at=at)
            ImportedReference.objects.create(
                fingerprint=prints[0],
                index_key=crypto.current_index_key(),
                group=requests[0].group,
                taken_from=one,
            )
    except IntegrityError:
        if ImportedReference.objects.filter(fingerprint__in=prints).exists():
            # another import took it in at this very moment
            return False
        return Refusal(row.line, "", "changed_meanwhile", "Something changed at this very moment; import it again.")
    except DomainError as error:
        return import_rows.refusal(row, error)
    return True


def _look_through(one: RequestImport, at: datetime) -> list[Refusal]:
    refused: list[Refusal] = []
    rows = _rows(one)
    while part := list(islice(rows, _AT_ONCE)):
        one.rows += len(part)
        refused += [row for row in part if isinstance(row, Refusal)]
        read = [_read(row, at) for row in part if isinstance(row, Row)]
        refused += [why for _, why in read if isinstance(why, Refusal)]
        refused += _strangers([(row, said) for row, said in read if isinstance(said, TakenDown)])
        one.repeated += _known([row for row, said in read if isinstance(said, TakenDown)])
    return sorted(refused, key=lambda why: why.line)


def _read(row: Row, at: datetime) -> tuple[Row, TakenDown | Refusal]:
    try:
        said = import_rows.taken(row, at=at)
        taking_down.check(said, at=at)
    except DomainError as error:
        return row, import_rows.refusal(row, error)
    return row, said


def _strangers(read: Sequence[tuple[Row, TakenDown]]) -> list[Refusal]:
    """What only matters of people whom we do not know; one statement for all of them."""
    prints = {print_ for _, said in read for print_ in said.name.fingerprints}
    rows = Identifier.objects.filter(fingerprint__in=prints).values_list("scheme", "fingerprint")
    known = {(scheme, bytes(print_)) for scheme, print_ in rows}
    refused = []
    for row, said in read:
        if known.isdisjoint((said.name.scheme, print_) for print_ in said.name.fingerprints):
            try:
                taking_down.check_stranger(said)
            except DomainError as error:
                refused.append(import_rows.refusal(row, error))
    return refused


def _known(rows: Sequence[Row]) -> int:
    """How many were taken in before."""
    prints = {print_ for row in rows for print_ in crypto.blind_indexes(_PLACE, row.reference)}
    return ImportedReference.objects.filter(fingerprint__in=prints).count()


def _rows(one: RequestImport) -> Iterator[Row | Refusal]:
    """The lines of the file that is kept; a reference that was there before is refused."""
    key = crypto.unseal(one.sealed_key or b"", context=_context(one.pk))
    source = io.BufferedReader(_Parts(sealed_files.read(_path(one), key=key)))
    seen: set[str] = set()
    for row in import_rows.read(source):
        if isinstance(row, Row) and row.reference and row.reference in seen:
            yield Refusal(row.line, "reference", "reference_twice", "A line before has the same reference.")
            continue
        if isinstance(row, Row):
            seen.add(row.reference)
        yield row


@transaction.atomic
def _write_down(one: RequestImport, refused: list[Refusal], at: datetime) -> None:
    one.refused = len(refused)
    one.save(force_insert=True)
    _replace_refusals(one, refused)
    counts = {"rows": one.rows, "refused": one.refused}
    audit.record(at=at, by=one.by, action="request_import.check", of=("request_import", one.pk), details=counts)


@transaction.atomic
def _finish(one: RequestImport, refused: list[Refusal], at: datetime) -> None:
    one.rows_done, one.refused = one.rows, len(refused)
    one.save(update_fields=["rows_done", "accepted", "repeated", "refused"])
    _replace_refusals(one, refused)
    _end(one, ImportState.DONE, at)
    counts = {"accepted": one.accepted, "repeated": one.repeated, "refused": one.refused}
    by = one.approved_by or one.by
    audit.record(at=at, by=by, action="request_import.finish", of=("request_import", one.pk), details=counts)


def _replace_refusals(one: RequestImport, refused: list[Refusal]) -> None:
    one.refusals.all().delete()
    RefusedRow.objects.bulk_create(
        [
            RefusedRow(taken_from=one, line=why.line, column=why.column, code=why.code, message=why.message)
            for why in refused
        ],
        batch_size=2_000,
    )


def _end(one: RequestImport, state: ImportState, at: datetime) -> None:
    one.state, one.finished_at, one.sealed_key = state, at, None
    one.save(update_fields=["state", "finished_at", "sealed_key"])
    path = _path(one)
    transaction.on_commit(lambda: _delete(path))


def _delete(path: Path) -> None:
    sealed_files.delete(path)


def _in_state(one: RequestImport, state: ImportState) -> RequestImport:
    locked = RequestImport.objects.select_for_update().get(pk=one.pk)
    if locked.state != state:
        raise Conflict("wrong_state", f"This file is {locked.get_state_display()}.")
    return locked


def _keep(one: RequestImport, parts: Iterable[bytes]) -> None:
    key = sealed_files.new_key()
    with sealed_files.create(_path(one), key=key) as writer:
        for part in parts:
            writer.write(part)
            if writer.size > LARGEST:
                raise TooLarge("file_too_large", f"A file has at most {LARGEST >> 20} MB; divide it.", field="file")
    one.sealed_key = crypto.seal(key, context=_context(one.pk))


def _path(one: RequestImport) -> Path:
    return sealed_files.path_of(_KIND, one.pk)


def _context(pk: uuid.UUID) -> bytes:
    return _PLACE.encode() + pk.bytes


class _Parts(io.RawIOBase):
    """A stream of what an iterator yields."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        super().__init__()
        self._parts, self._left = parts, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader hands over
        self._left = self._left or next(self._parts, b"")
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count
