"""Which kind a file is, by how it begins, and why some cannot be looked into."""

import re
from enum import StrEnum

HEAD = 1024
"""So many bytes tell the kind."""
LARGEST = 64 * 1024 * 1024
"""Bytes of what is taken apart, as it is kept and unpacked; larger ones come from nobody's desk."""
TAKEN_APART = frozenset({"pdf", "zip", "gzip", "tar", "markup"})
_TAR_MARK, _TAR_AT = b"ustar", 257
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\x00", b"MM\x00*", b"\x00\x00\x01\x00", b"8BPS")
_FAMILIES = {b"heic", b"heix", b"mif1", b"msf1", b"avif"}
_RTF = b"{\\rtf"
# beside tab, the ends of lines and of pages, and what terminals are told by
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_CARRIES = re.compile(
    r"data:(?!text/)[\w.+-]+/[\w.+-]+[^,\s\"'<>]{0,200};base64,|content-transfer-encoding:\s*base64", re.I
)

# long enough that what is compressed holds few by chance
_RUNS = re.compile(rb"(?:[\t\n\r\x20-\x7e]|[\xc2-\xf4][\x80-\xbf]{1,3}){8,}")
_WIDE_RUNS = re.compile(rb"(?:[\x20-\x7e\xa0-\xff]\x00){4,}")


class Unseen(StrEnum):
    """Why a file, or a part of one, cannot be looked into."""

    PICTURE = "picture"
    DRAWN = "drawn"
    FONTS = "fonts"
    VERSIONS = "versions"
    CARRIED = "carried"
    LOCKED = "locked"
    DAMAGED = "damaged"
    TOO_MUCH = "too_much"
    NO_TIME = "no_time"
    UNKNOWN = "unknown"


def kind_of(head: bytes) -> str:
    """One of TAKEN_APART, `picture`, `unknown` (RTF, whose letters are in a code of its own), or `text`.

    `text` is what has to show whether it is.
    """
    if b"%PDF-" in head[:HEAD]:
        return "pdf"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return "zip"
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head[_TAR_AT : _TAR_AT + len(_TAR_MARK)] == _TAR_MARK:
        return "tar"
    if head.startswith(_PICTURES) or _is_in_a_container(head):
        return "picture"
    begins = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if begins.startswith(_RTF):
        return "unknown"
    return "markup" if begins.startswith(b"<") else "text"


def encoding_of(head: bytes) -> str:
    """By the mark at its beginning; else UTF-8, which says by itself when it is not."""
    return {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(head[:2], "utf-8")


def is_no_text(text: str) -> bool:
    """Whether there is in it what no text has."""
    return _CONTROL.search(text) is not None


def plain_runs(content: bytes) -> str:
    """What is written in plain among bytes that are no text: who took a picture, for whom."""
    runs = [found[0].decode("utf-8", "replace") for found in _RUNS.finditer(content)]
    runs += [found[0].decode("utf-16-le", "replace") for found in _WIDE_RUNS.finditer(content)]
    return "\n".join(runs)


def carries_files(text: str) -> bool:
    """Whether other files are written in it: pictures in a page (RFC 2397), attachments of a mail (RFC 2045)."""
    return _CARRIES.search(text) is not None


def _is_in_a_container(head: bytes) -> bool:
    """WebP in RIFF, HEIC and AVIF in ISO/IEC 14496-12; BMP, whose two letters alone begin many a text."""
    if head.startswith(b"BM") and head[6:10] == bytes(4):
        return True
    return (head[:4] == b"RIFF" and head[8:12] == b"WEBP") or (head[4:8] == b"ftyp" and head[8:12] in _FAMILIES)
