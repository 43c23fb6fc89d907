"""Whether a file, or text that is written in some code, holds words that have to be left out of an answer.

Text is looked through however long it is, and so are office documents, which are XML in a ZIP. What is drawn or
compressed otherwise (pictures, PDF) cannot be: staff look into those themselves.
"""

import base64
import binascii
import html
import io
import itertools
import re
import zipfile
import zlib
from collections.abc import Iterator
from urllib.parse import unquote_plus

_OVERLAP = 8_192
"""Bytes that are looked at twice: more than the longest words have, so that none hide between two pieces."""
_LARGEST_OFFICE = 64 * 1024 * 1024
"""Bytes of a document as it is kept, and of one part of it unpacked; larger ones come from nobody's desk."""
_TAG = re.compile(r"<[^>]*>")
_BYTES = re.compile(
    r"(?:base64:)?((?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?|[A-Za-z0-9+/]{2,3}={1,2})"
)
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_SPACE = re.compile(r"\\[nrt]")


def holds(pieces: Iterator[bytes], pattern: re.Pattern[str]) -> bool:
    """Whether the words are in this file, as far as it can be read."""
    first = next(pieces, b"")
    if first.startswith(b"PK\x03\x04"):
        return _in_office(first, pieces, pattern)
    marked = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(first[:2])
    rest = b""
    for piece in itertools.chain([first], pieces):
        if any(_in_text(one, pattern) for one in _texts(rest + piece, marked)):
            return True
        rest = (rest + piece)[-_OVERLAP:]
    return False


def is_hidden(text: str, pattern: re.Pattern[str]) -> bool:
    """Whether the words are in what this text is the code of: JSON, HTML, an address (RFC 3986), bytes as base64."""
    return any(pattern.search(one) for one in _meanings(text))


def _in_text(text: str, pattern: re.Pattern[str]) -> bool:
    return bool(pattern.search(text)) or is_hidden(text, pattern)


def _texts(content: bytes, marked: str | None) -> Iterator[str]:
    """The bytes as each text that they may be."""
    for encoding in (marked,) if marked else ("utf-8", "latin-1"):
        yield content.decode(encoding, errors="ignore")


def _meanings(text: str) -> Iterator[str]:
    if "\\" in text:
        said = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), _SPACE.sub(" ", text))
        # beyond U+FFFF JSON writes two halves
        yield said.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if "&" in text:
        yield html.unescape(text)
    if "%" in text or "+" in text:
        yield unquote_plus(text)
    if found := _BYTES.fullmatch(text):
        try:
            yield from _texts(base64.b64decode(found[1], validate=True), None)
        except binascii.Error:
            return


def _in_office(first: bytes, pieces: Iterator[bytes], pattern: re.Pattern[str]) -> bool:
    content = bytearray(first)
    for piece in pieces:
        content += piece
        if len(content) > _LARGEST_OFFICE:
            return False
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = [one for one in archive.infolist() if one.file_size <= _LARGEST_OFFICE]
            return any(_in_xml(archive.read(one), pattern) for one in parts)
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError, RuntimeError):
        return False


def _in_xml(content: bytes, pattern: re.Pattern[str]) -> bool:
    """Marks may stand within a word, each part with its own look, or between two words, each in a paragraph.

    Within a mark stand who commented, and where a link leads.
    """
    text = content.decode(errors="ignore")
    readings = (text, _TAG.sub("", text), _TAG.sub(" ", text))
    return any(pattern.search(html.unescape(one)) for one in readings)
