"""Choices from a file, known by what is in it: the same file again goes on where it was left, or was done already."""

import gzip
import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO

from consents.bulk_ledger import Sender
from consents.importing import arrow_rows, chunks, csv_rows, journal, ndjson_rows, vetting
from consents.importing.chunks import Chunk
from consents.importing.rows import InputRefused, Rows
from consents.models import ChoiceImport, ImportState
from consents.vocabulary import Source
from portal import crypto
from portal.fault_points import reach

CHUNK = 50_000
"""Rows of one transaction. Larger gains little, and keeps the people in it and the log's horizon waiting longer."""

FORMATS = ("csv", "ndjson", "parquet")
_SUFFIXES = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".parquet": "parquet", ".pq": "parquet"}

_CHANGED = InputRefused("file_changed", "The file was changed while it was read; import it again from a copy.")

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Course:
    """How an import runs: the size of its chunks, the clock, whom to tell after each chunk."""

    by: str
    clock: Clock
    size: int = CHUNK
    tell: Callable[[ChoiceImport], None] = lambda one: None


def load(*, path: Path, course: Course, form: str | None = None, again: bool = False) -> ChoiceImport:
    """Take over a file's choices; answers the import when everything was read.

    Each chunk has its own time of recording from `course.clock`. `again` reads a file anew that was done already, for
    lines whose person or purpose is known by now. Raises InputRefused (what lies before the named place
    is recorded), Conflict(`import_under_way`).
    """
    form = form or format_of(path)
    try:
        with path.open("rb") as file:
            fingerprints = _fingerprints(file)
            with journal.alone(fingerprints[0]):
                one = None if again else _known(fingerprints)
                if one is not None and one.state == ImportState.DONE:
                    return one
                if one is None:
                    one = journal.begin(one=_new(path, file, form, fingerprints[0], course.by), at=course.clock())
                _carry_on(one, file, course)
                return one
    except OSError as error:
        raise InputRefused("unreadable", f"{path.name} cannot be read: {error.strerror or 'it is damaged'}.") from error


def format_of(path: Path) -> str:
    """csv, ndjson or parquet, by the name. Raises InputRefused(`unknown_format`)."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    form = _SUFFIXES.get(suffixes[-1]) if suffixes else None
    if form is None:
        raise InputRefused("unknown_format", f"State the format of {path.name}: {', '.join(FORMATS)}.")
    return form


def _carry_on(one: ChoiceImport, file: IO[bytes], course: Course) -> None:
    """Read the next chunk in a thread while the database works on this one."""
    rows, percent = _rows(one, file)
    terms = vetting.terms()
    sender = Sender(source=Source.IMPORT, by=one.by, taken_from=one.pk)
    before = os.fstat(file.fileno())

    def read() -> Chunk:
        chunk = chunks.read(rows, size=course.size, terms=terms, at=course.clock())
        chunk.percent = percent()
        return chunk

    with ThreadPoolExecutor(1, thread_name_prefix="import") as ahead:
        coming = ahead.submit(read)
        while (chunk := coming.result()).rows:
            if not chunk.broken:
                coming = ahead.submit(read)
            if _changed(file, before):
                chunk = Chunk(broken=_CHANGED)
                break
            reach("import.before_chunk")
            journal.settle(one=one, chunk=chunk, sender=sender, at=course.clock())
            reach("import.after_chunk")
            course.tell(one)
            if chunk.broken:
                break
    if chunk.broken:
        journal.stop(one=one, reason=chunk.broken.message, at=course.clock())
        raise chunk.broken
    journal.finish(one=one, at=course.clock())


def _rows(one: ChoiceImport, file: IO[bytes]) -> tuple[Rows, Callable[[], int]]:
    """The rows that are still to do, and what tells how many per cent of the file have been read."""
    file.seek(0)
    if one.format == "parquet":
        total, done = arrow_rows.count(file), one.rows_done
        file.seek(0)
        seen = _Counted(arrow_rows.read_parquet(file, skip=done))
        return iter(seen), lambda: min((done + seen.count) * 100 // max(total, 1), 100)
    is_packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    source: IO[bytes] = gzip.GzipFile(fileobj=file) if is_packed else file  # type: ignore[assignment]
    read = csv_rows.read if one.format == "csv" else ndjson_rows.read
    return islice(read(source), one.rows_done, None), lambda: min(file.tell() * 100 // max(one.size, 1), 100)


class _Counted:
    """An iterator that knows how far it is."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.count = 0

    def __iter__(self) -> Rows:
        for row in self.rows:
            self.count += 1
            yield row


def _fingerprints(file: IO[bytes]) -> list[str]:
    """The keyed digest under each index key: a plain digest of a short file could be guessed."""
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    return [one.hex() for one in crypto.blind_indexes("import-file", digest)]


def _known(fingerprints: list[str]) -> ChoiceImport | None:
    return ChoiceImport.objects.filter(digest__in=fingerprints, key="").order_by("-started_at").first()


def _new(path: Path, file: IO[bytes], form: str, fingerprint: str, by: str) -> ChoiceImport:
    size = os.fstat(file.fileno()).st_size
    index_key = crypto.current_index_key()
    return ChoiceImport(name=path.name[:255], format=form, digest=fingerprint, index_key=index_key, size=size, by=by)


def _changed(file: IO[bytes], before: os.stat_result) -> bool:
    now = os.fstat(file.fileno())
    return (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns)
