"""Whether a file holds words that have to be left out of an answer.

Text is looked through however long it is, and so are office documents, which are XML in a ZIP. What is drawn or
compressed otherwise (pictures, PDF) cannot be: staff look into those themselves.
"""

import codecs
import html
import io
import re
import zipfile
import zlib
from collections.abc import Iterator

_OVERLAP = 4_096
"""Characters that are looked at twice: more than the longest words have, so that none hide between two pieces."""
_LARGEST_OFFICE = 64 * 1024 * 1024
"""Bytes of a document as it is kept, and of one part of it unpacked; larger ones come from nobody's desk."""
_TAG = re.compile(r"<[^>]*>")


def holds(pieces: Iterator[bytes], pattern: re.Pattern[str]) -> bool:
    """Whether the words are in this file, as far as it can be read."""
    first = next(pieces, b"")
    if first.startswith(b"PK\x03\x04"):
        return _in_office(first, pieces, pattern)
    decoder = codecs.getincrementaldecoder("utf-8")("ignore")
    text = decoder.decode(first)
    while not pattern.search(text):
        following = next(pieces, None)
        if following is None:
            return False
        text = text[-_OVERLAP:] + decoder.decode(following)
    return True


def _in_office(first: bytes, pieces: Iterator[bytes], pattern: re.Pattern[str]) -> bool:
    content = bytearray(first)
    for piece in pieces:
        content += piece
        if len(content) > _LARGEST_OFFICE:
            return False
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = [one for one in archive.infolist() if one.filename.endswith(".xml")]
            return any(_in_xml(archive.read(one), pattern) for one in parts if one.file_size <= _LARGEST_OFFICE)
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError, RuntimeError):
        return False


def _in_xml(content: bytes, pattern: re.Pattern[str]) -> bool:
    """Marks may stand within a word, each part with its own look, or between two words, each in a paragraph."""
    text = content.decode(errors="ignore")
    return any(pattern.search(html.unescape(_TAG.sub(between, text))) for between in ("", " "))
