"""Documents of word processors, which are archives: whether one is what it says, and holds nothing that runs.

DOCX is ISO/IEC 29500, ODT is ISO/IEC 26300. Nothing is unpacked but two small parts, and those with a limit.
"""

import io
import struct
import zipfile
import zlib

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
ODT = "application/vnd.oasis.opendocument.text"
LOCKED = "locked"
_DOCX_MAIN = b"wordprocessingml.document.main+xml"
_MOST_PARTS = 2_000
_LARGEST_WHOLE = 200 * 1024 * 1024
_LARGEST_PART = 1024 * 1024
_END = struct.Struct("<4s4H2LH")
# programs, other files, and what is fetched from elsewhere as the document is opened
_FORBIDDEN = ("vbaproject", "vbadata", "activex", "embeddings/", "basic/", "scripts/", "macros/", "object ", ".bin")


def kind_of(content: bytes) -> str:
    """`docx`, `odt`, or nothing for an archive of another kind."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if archive.namelist()[:1] == ["mimetype"] and _part(archive, "mimetype") == ODT.encode():
                return "odt"
            if _DOCX_MAIN in _part(archive, "[Content_Types].xml"):
                return "docx"
    except (zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError, RuntimeError, ValueError, EOFError, OSError):
        # whatever the archive's own code says of a broken or locked one
        pass
    return ""


def trouble_of(content: bytes) -> str:
    """Why a document is not taken in: LOCKED or a sentence; empty where nothing is wrong."""
    # what is before the first part or behind the end may be another file
    if not content.startswith(b"PK\x03\x04") or not _ends_well(content):
        return "Something else is in front of the document, or follows it."
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = archive.infolist()
        if len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > _LARGEST_WHOLE:
            return "The document is too large when it is unpacked."
        if any(part.flag_bits & 1 for part in parts) or _is_locked(archive):
            return LOCKED
        names = [part.filename.lower() for part in parts]
        if any(mark in name for name in names for mark in _FORBIDDEN) or _is_active(archive):
            return "The document holds a macro or another file. Save it without, or as a PDF."
    return ""


def _ends_well(content: bytes) -> bool:
    """Whether the archive's end (APPNOTE, 4.3.16) is the file's, and what it says begins where it says."""
    if len(content) < _END.size:
        return False
    mark, _disk, _start, _here, _all, size, offset, comment = _END.unpack(content[-_END.size :])
    return bool(mark == b"PK\x05\x06" and not comment and offset + size == len(content) - _END.size)


def _is_locked(archive: zipfile.ZipFile) -> bool:
    return b"encryption-data" in _part(archive, "META-INF/manifest.xml")


def _is_active(archive: zipfile.ZipFile) -> bool:
    kinds = _part(archive, "[Content_Types].xml").lower()
    # a template, a frame or an object from elsewhere is fetched on opening
    links = _part(archive, "word/_rels/document.xml.rels") + _part(archive, "word/_rels/settings.xml.rels")
    fetched = any(b'targetmode="external"' in one and b"/hyperlink" not in one for one in links.lower().split(b"<"))
    return b"macroenabled" in kinds or b"vbaproject" in kinds or fetched


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    """So much of a part as is looked at; nothing where there is none."""
    if name not in archive.NameToInfo:
        return b""
    with archive.open(name) as part:
        return part.read(_LARGEST_PART)
