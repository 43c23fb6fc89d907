"""Choices from a CSV file into a ledger that holds as many already, every trigger, check and lock in force.

The floors are a plain COPY of the very rows that the import wrote into a table of the ledger's columns: without any
index, and with the ledger's indexes. `import_choices` writes beside each of them a preference under its foreign key,
finds and locks the person, and leaves out what is known already. On a machine with other work, the processor's time
in the note (this process and its PostgreSQL backend together) says more than the rate.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from uuid_utils import uuid7

from tests.load.bench import Row, Scale, cpu_seconds, peak_mib

_PEOPLE = 1_000_000
_TARGET = ">= 15,000/s, aim 25,000/s"


def run(scale: Scale) -> Iterator[Row]:
    from consents import rules
    from portal import clock

    rules.load(path=Path(settings.BASE_DIR) / "tests" / "world.toml", by="command:bench", at=clock.now())
    people = scale.of(_PEOPLE)
    _register(people)
    folder = Path(os.environ.get("HEED_BENCH_DIR", "/tmp"))  # noqa: S108 -- a file of made-up people
    _imported(_file(folder / f"before-{os.getpid()}.csv", people, "marketing", "grant"))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE consents_ledgerevent, consents_preference, consents_identifier, consents_subject")
    before, used = peak_mib(), cpu_seconds(_processes())
    seconds = _imported(_file(folder / f"now-{os.getpid()}.csv", people, "ai-training", "deny"))
    ours = people / seconds
    spent = (cpu_seconds(_processes()) - used) / people * 1e6
    floors = {kind: people / _floor(kind) for kind in ("bare", "indexed")}
    note = f"{spent:.0f} µs CPU a row; peak {peak_mib():.0f} MiB ({before:.0f} before)"
    for kind, name in (("bare", "COPY, no index"), ("indexed", "COPY, the ledger's indexes")):
        size = f"{people:,} into {people:,}"
        yield Row("import a CSV file", size, "rows/s", ours, floors[kind], name, True, _TARGET, note)


def _processes() -> list[int]:
    """This one, and the backend that serves it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return [os.getpid(), cursor.fetchone()[0]]


def _imported(path: Path) -> float:
    """Seconds that the import of a file takes, from its name to its end."""
    from consents.importing import files
    from portal import clock

    try:
        start = time.perf_counter()
        size = int(os.environ.get("HEED_BENCH_CHUNK", files.CHUNK))
        one = files.load(path=path, course=files.Course(by="command:bench", clock=clock.now, size=size))
        seconds = time.perf_counter() - start
    finally:
        path.unlink()
    assert (one.accepted, one.rejected) == (one.rows_done, 0), one.reason
    return seconds


def _file(path: Path, people: int, purpose: str, action: str) -> Path:
    """A choice of everyone, in an order that is nobody's order of registration."""
    step = 7_919
    with path.open("w") as file:
        file.write("scheme,value,purpose,action,occurred_at\n")
        for number in range(people):
            who, second = number * step % people, number % 60
            file.write(f"account,m_{who:08d},{purpose},{action},2026-03-02T12:{number % 59:02d}:{second:02d}Z\n")
    return path


def _register(people: int) -> None:
    """People by COPY: registering is not what is measured."""
    from portal import crypto

    wrapped = crypto.new_subject_key(subject_id="bench")
    ids = [uuid7() for _ in range(people)]
    with connection.cursor() as cursor:
        columns = "id, jurisdiction, locale, is_minor, wrapped_key, registered_at"
        with cursor.copy(f"COPY consents_subject ({columns}) FROM STDIN") as copy:
            for one in ids:
                copy.write(f"{one}\tUS\ten\tf\t\\\\x{wrapped.hex()}\t2026-01-01T00:00:00Z\n")
        with cursor.copy(
            "COPY consents_identifier (subject_id, scheme, value, fingerprint, index_key) FROM STDIN"
        ) as copy:
            for number, one in enumerate(ids):
                name = f"m_{number:08d}"
                copy.write(f"{one}\taccount\t{name}\t\\\\x{crypto.blind_index('account', name).hex()}\tk\n")
        cursor.execute("ANALYZE consents_subject, consents_identifier")


def _floor(kind: str) -> float:
    """Seconds of a plain COPY of the rows that the import wrote into a table of the ledger's shape."""
    including = "DEFAULTS INCLUDING CONSTRAINTS" if kind == "bare" else "ALL"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE floor_{kind} (LIKE consents_ledgerevent INCLUDING {including})")
        rows: list[Any] = []
        query = "COPY (SELECT * FROM consents_ledgerevent WHERE purpose = 'ai-training') TO STDOUT"
        with cursor.copy(query) as copy:
            rows.extend(bytes(block) for block in copy)
        start = time.perf_counter()
        with cursor.copy(f"COPY floor_{kind} FROM STDIN") as copy:
            for at in range(0, len(rows), 1_000):
                copy.write(b"".join(rows[at : at + 1_000]))
        seconds = time.perf_counter() - start
        cursor.execute(f"DROP TABLE floor_{kind}")
    return seconds
