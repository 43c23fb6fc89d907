"""Packages of the cast, from asking to reading, and what is in one."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from consents import ledger
from consents.models import LedgerEvent, Subject
from consents.vocabulary import Action, Source
from portal import actors, sealed_files
from requests_app import packages
from requests_app.models import Package, Request
from requests_app.packages import building
from requests_app.packages.spooling import KIND
from tests.conftest import AT, BY, dataset_of, write_parquet
from tests.requests_app.asking import asked

SOON = AT + timedelta(hours=1)
LATER = AT + timedelta(hours=2)


def say_no(subject: Subject, purpose: str = "ai-training", *, evidence: str = "") -> LedgerEvent:
    origin = ledger.Origin(source=Source.SELF_SERVICE, by=actors.subject(subject.pk), evidence=evidence)
    return ledger.record(subject=subject, scope=ledger.Scope(purpose), action=Action.DENY, origin=origin, at=AT)


def post(author: str, number: int, text: str = "") -> dict[str, Any]:
    return {"author": f"m_{author}", "number": number, "text": text or f"post {number} of {author}"}


def posts(folder: Path, *rows: dict[str, Any], slug: str = "posts") -> Path:
    """A registered dataset of these rows, in files of three."""
    names = list(rows[0])
    for start in range(0, len(rows), 3):
        piece = rows[start : start + 3]
        columns: dict[str, list[object]] = {name: [row.get(name) for row in piece] for name in names}
        write_parquet(folder, columns, name=f"part-{start:03}.parquet")
    dataset_of(folder, slug=slug)
    return folder


def access(subject: Subject, *, right: str = "access", locale: str = "en", note: str = "") -> Request:
    return asked(subject, right, locale=locale, note=note)[0]


def built(request: Request, *, at: Callable[[], datetime] = lambda: SOON) -> Package:
    package = packages.ask(request=request, by=BY, at=SOON)
    assert packages.build_next(holder="test", clock=at)
    package.refresh_from_db()
    return package


def released(request: Request) -> Package:
    return packages.release(package=built(request), by=BY, at=SOON)


@dataclass(frozen=True)
class Opened:
    """An unpacked answer."""

    files: dict[str, bytes]

    def json(self, part: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.files[f"json/{part}.json"])
        return found

    def rows(self, part: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.json(part)["rows"]
        return rows

    def csv(self, part: str) -> list[dict[str, str]]:
        text = self.files[f"csv/{part}.csv"].decode("utf-8-sig")
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def pages(self, part: str) -> str:
        names = [name for name in self.files if name.startswith((f"pages/{part}.", f"pages/{part}-0"))]
        return "".join(self.files[name].decode() for name in names)

    @property
    def parts(self) -> list[str]:
        return [name[5:-5] for name in self.files if name.startswith("json/") and ".schema." not in name]

    @property
    def everything(self) -> bytes:
        return b"\n".join(self.files.values())


def opened(package: Package) -> Opened:
    key = building.key_of(package)
    assert key is not None
    content = b"".join(sealed_files.read(file_of(package), key=key))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return Opened({name: archive.read(name) for name in archive.namelist()})


def file_of(package: Package) -> Path:
    return sealed_files.path_of(KIND, package.pk)
