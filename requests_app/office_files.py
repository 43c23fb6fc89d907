"""Documents of word processors, which are archives: whether one is what it says, and holds nothing that runs.

DOCX is ISO/IEC 29500, ODT is ISO/IEC 26300. Only what says how its parts hang together is unpacked, and of an ODT its
text, each with a limit.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from xml.parsers import expat

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
ODT = "application/vnd.oasis.opendocument.text"
LOCKED = "locked"
_DOCX_MAIN = b"wordprocessingml.document.main+xml"
_MOST_PARTS = 2_000
_LARGEST_WHOLE = 200 * 1024 * 1024
_LARGEST_PART = 1024 * 1024
_LARGEST_READ = 10 * 1024 * 1024
"""Bytes of XML that are gone through element by element, which takes a second or two; with more it is refused."""
_END = struct.Struct("<4s4H2LH")
# programs, other files, and what is fetched from elsewhere as the document is opened
_PROGRAMS = (
    *(".exe", ".dll", ".scr", ".com", ".bat", ".cmd", ".ps1", ".vbs", ".js", ".jse", ".wsf", ".hta", ".sct", ".lnk"),
    *(".jar", ".swf", ".htm", ".html", ".mht", ".mhtml", ".rtf"),
)
_CARRIED = ("/afchunk", "/oleobject", "/package", "/control", "/vbaproject", "/subdocument")
_RUNS = frozenset({"event-listener", "dde-source", "dde-connection-decl"})
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|/|\\\\|\.\./")
_FORBIDDEN = ("vbaproject", "vbadata", "activex", "embeddings/", "basic/", "scripts/", "macros/", "object ", ".bin")
_BROKEN = (zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError, RuntimeError, ValueError, EOFError, OSError)
"""Whatever the archive's own code says of a broken or locked one."""


def kind_of(content: bytes) -> str:
    """`docx`, `odt`, or nothing for an archive of another kind."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if archive.namelist()[:1] == ["mimetype"] and _part(archive, "mimetype") == ODT.encode():
                return "odt"
            if _DOCX_MAIN in _part(archive, "[Content_Types].xml"):
                return "docx"
    except _BROKEN:
        pass
    return ""


def trouble_of(content: bytes) -> str:
    """Why a document is not taken in: LOCKED or a sentence; empty where nothing is wrong."""
    # what is before the first part or behind the end may be another file
    if not content.startswith(b"PK\x03\x04") or not _ends_well(content):
        return "Something else is in front of the document, or follows it."
    try:
        return _trouble_within(content)
    except _BROKEN:
        return "The document is damaged. Save it anew."


def _trouble_within(content: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = archive.infolist()
        if len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > _LARGEST_WHOLE:
            return "The document is too large when it is unpacked."
        if any(part.flag_bits & 1 for part in parts) or _is_locked(archive):
            return LOCKED
        names = [part.filename.lower() for part in parts]
        if len(set(names)) < len(names):
            return "Two parts of the document have one name, so that programs would read either."
        if (
            any(mark in name for name in names for mark in _FORBIDDEN)
            or any(map(_is_program, names))
            or _is_active(archive)
        ):
            return "The document holds a macro or another file. Save it without, or as a PDF."
    return ""


def _is_program(name: str) -> bool:
    return name.endswith(_PROGRAMS)


def _ends_well(content: bytes) -> bool:
    """Whether the archive's end (APPNOTE, 4.3.16) is the file's, and what it says begins where it says."""
    if len(content) < _END.size:
        return False
    mark, _disk, _start, _here, _all, size, offset, comment = _END.unpack(content[-_END.size :])
    return bool(mark == b"PK\x05\x06" and not comment and offset + size == len(content) - _END.size)


def _is_locked(archive: zipfile.ZipFile) -> bool:
    return b"encryption-data" in _part(archive, "META-INF/manifest.xml")


def _is_active(archive: zipfile.ZipFile) -> bool:
    """Whether it runs something, brings a file along, or has one fetched from elsewhere as it is opened."""
    kinds = _part(archive, "[Content_Types].xml").lower()
    if b"macroenabled" in kinds or b"vbaproject" in kinds:
        return True
    tests = {part: _is_carried for part in archive.namelist() if part.lower().endswith(".rels")}
    tests |= {part: _is_linked for part in ("content.xml", "styles.xml") if part in archive.NameToInfo}
    if sum(archive.getinfo(part).file_size for part in tests) > _LARGEST_READ:
        return True
    return any(_has(archive, part, test) for part, test in tests.items())


def _is_carried(name: str, values: Mapping[str, str]) -> bool:
    """Of DOCX, in any part's relationships: a file within, or one from elsewhere; a link that one clicks is none."""
    kind, mode = values.get("type", "").strip(), values.get("targetmode", "").strip()
    return kind.endswith(_CARRIED) or (mode == "external" and not kind.endswith("/hyperlink"))


def _is_linked(name: str, values: Mapping[str, str]) -> bool:
    """Of ODT: the same, and what runs as the document is opened or clicked."""
    leads = values.get("href", "").strip()
    if name == "a":
        return leads.startswith(("vnd.sun.star.", "macro:"))
    return name in _RUNS or _ELSEWHERE.match(leads) is not None


def _has(archive: zipfile.ZipFile, part: str, test: Callable[[str, Mapping[str, str]], bool]) -> bool:
    """Whether an element passes the test, by its name and attributes in small letters without their namespaces.

    So does what is no XML, or has a type of its own, which could say it in other words.
    """
    found: list[bool] = []

    def start(name: str, values: dict[str, str]) -> None:
        told = {key.rpartition(" ")[2].lower(): value.lower() for key, value in values.items()}
        if test(name.rpartition(" ")[2].lower(), told):
            found.append(True)

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = lambda *_: found.append(True)
    try:
        with archive.open(part) as content:
            parser.Parse(content.read(), True)
    except (expat.ExpatError, zlib.error, zipfile.BadZipFile, EOFError, ValueError):
        return True
    return bool(found)


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    """So much of a part as is looked at; nothing where there is none."""
    if name not in archive.NameToInfo:
        return b""
    with archive.open(name) as part:
        return part.read(_LARGEST_PART)
