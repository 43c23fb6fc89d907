"""Everything about one request in one file for an authority, signed, so that it can be checked long afterwards.

A ZIP of JSON files, a summary to read (HTML, PDF), and a manifest with the SHA-256 of each file; `manifest.jws` is
that manifest as a JWS of this house. `check` opens such a file again and says what of it does not hold.
"""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

import orjson
from django.db import transaction
from django.utils import translation

from portal import signing
from portal.errors import DomainError
from requests_app import timeline
from requests_app.evidence import gathering, summary
from requests_app.models import Request

TYPE = "heed-evidence+json"
"""The `typ` of the manifest's JWS; no receipt opens as one."""
MANIFEST, SIGNATURE = "manifest.json", "manifest.jws"
_LARGEST = 200 * 1024 * 1024
"""Of one file inside, when it is checked: what claims to be larger is none of ours."""


class EvidenceError(DomainError):
    """A file that is no evidence of this house, or not as it left."""


@dataclass(frozen=True)
class Checked:
    """A file whose signature holds: of which request it is, when it was made, by which key it was signed."""

    reference: str
    made_at: datetime
    key_id: str
    files: int


def export(*, request: Request, by: str, at: datetime) -> Iterator[bytes]:
    """The ZIP, piece by piece. That it is made is on the timeline and in the audit trail before the first byte."""
    with transaction.atomic():
        request = (
            Request.objects.select_for_update(no_key=True, of=("self",))
            .select_related("subject", "agent", "duplicate_of", "about")
            .get(pk=request.pk)
        )
        timeline.tell(request, "evidence_exported", by=by, at=at)
    return _pieces(request, by=by, at=at)


def file_name(request: Request) -> str:
    return f"evidence-{request.reference}.zip"


def check(file: BinaryIO) -> Checked:
    """Whether the file is whole and as it was signed. Raises EvidenceError, SignatureError."""
    try:
        with zipfile.ZipFile(file) as archive:
            return _checked(archive)
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, NotImplementedError) as error:
        raise EvidenceError("no_evidence", "This is no evidence file of ours, or a part of it is missing.") from error


def _checked(archive: zipfile.ZipFile) -> Checked:
    if any(entry.file_size > _LARGEST for entry in archive.infolist()):
        raise EvidenceError("no_evidence", "This is no evidence file of ours: it is too large.")
    manifest, key_id = signing.open_jws(archive.read(SIGNATURE).decode("ascii", "replace"), typ=TYPE)
    names = [name for name in archive.namelist() if name not in {MANIFEST, SIGNATURE}]
    if sorted(names) != sorted(manifest["files"]) or orjson.loads(archive.read(MANIFEST)) != manifest:
        raise EvidenceError("files_differ", "Other files are in it than were signed.")
    for name in names:
        if hashlib.sha256(archive.read(name)).hexdigest() != manifest["files"][name]["sha256"]:
            raise EvidenceError("file_altered", f"{name} was altered since it was signed.")
    made_at = datetime.fromisoformat(manifest["made_at"])
    return Checked(manifest["request"], made_at, key_id, len(names))


def _pieces(request: Request, *, by: str, at: datetime) -> Iterator[bytes]:
    said: dict[str, Any] = {}
    known: dict[str, dict[str, Any]] = {}
    sink = _Sink()
    with translation.override("en"), zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:

        def put(name: str, content: bytes) -> bytes:
            entry = zipfile.ZipInfo(name, date_time=at.timetuple()[:6])
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            archive.writestr(entry, content)
            known[name] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            return sink.taken()

        for name, content in gathering.of(request, at=at):
            said[name] = content
            yield put(f"{name}.json", orjson.dumps(content, option=orjson.OPT_INDENT_2))
        found = summary.sections(said)
        yield put("summary.html", summary.page(request.reference, found, at=at))
        yield put("summary.pdf", summary.print_out(request.reference, found, at=at))
        manifest = _manifest(request, dict(known), by=by, at=at)
        yield put(MANIFEST, orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        yield put(SIGNATURE, signing.seal_jws(manifest, typ=TYPE).encode())
    yield sink.taken()


def _manifest(request: Request, known: dict[str, dict[str, Any]], *, by: str, at: datetime) -> dict[str, Any]:
    return {
        "kind": "evidence of a data subject request",
        "request": request.reference,
        "made_at": at.isoformat(),
        "made_by": by,
        "files": known,
    }


class _Sink(io.RawIOBase):
    """Keeps what a ZIP writes until it is taken away. It cannot seek."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]  # a narrower buffer
        self._held += data
        return len(data)

    def taken(self) -> bytes:
        content = bytes(self._held)
        self._held.clear()
        return content
