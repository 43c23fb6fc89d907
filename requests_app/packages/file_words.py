"""Whether a file, or text that is written in some code, holds words that have to be left out of an answer.

Plain text is looked through however long it is. Documents, PDFs and archives are taken apart elsewhere
(`requests_app.file_contents`). What cannot be looked into is told, with the reason: staff decide about that.
"""

import base64
import binascii
import html
import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from requests_app.file_contents import kinds
from requests_app.file_contents.kinds import HEAD, LARGEST, TAKEN_APART, Unseen
from requests_app.file_contents.reader import Reader, Told

_OVERLAP = 8_192
"""Bytes that are looked at twice: more than the longest words have, so that none hide between two pieces."""
_BYTES = re.compile(
    r"(?:base64:)?((?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?|[A-Za-z0-9+/]{2,3}={1,2})"
)
_CODED = re.compile(r"(?:base64:|data:[^,]{0,200};base64,)?([A-Za-z0-9+/\s]*={0,2})")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_SPACE = re.compile(r"\\[nrt]")
_BROKEN_WORD = re.compile("-\\s*\n\\s*|[\u00ad\u200b-\u200d\u2060\ufeff]")
_FIRST_LETTERS = HEAD * 4 // 3


@dataclass(frozen=True)
class Words:
    """Words to look for: as text has them, and as a page may have them, where gaps need not be what they seem."""

    plain: re.Pattern[str]
    laid_out: re.Pattern[str]


@dataclass
class Look:
    """What one look found: which of the words, where, and why the file could not be looked into as a whole."""

    found: set[int] = field(default_factory=set)
    places: list[str] = field(default_factory=list)
    unseen: dict[Unseen, str] = field(default_factory=dict)
    """Each reason with the first place in the file that it holds for."""


def words_of(text: str) -> Words:
    """The words whatever their case, spacing, and way of writing accents (Unicode NFC and NFD)."""
    # in capitals too, where one letter becomes two ("ß")
    spellings = (text.strip(), text.strip().upper())
    forms = {unicodedata.normalize(form, one) for form in ("NFC", "NFD", "NFKC", "NFKD") for one in spellings}
    plain = {r"\s+".join(re.escape(one) for one in form.split()) for form in forms}
    # on a page a gap may be missing, or stand within a word, whose ends are then ends of words
    close = {r"\s*".join(re.escape(one) for one in form.split()) for form in forms}
    spread = {r"(?<!\w)" + r"\s*".join(re.escape(one) for one in "".join(form.split())) + r"(?!\w)" for form in forms}
    return Words(_any_of(plain), _any_of(close | spread))


def look(pieces: Iterator[bytes], words: Sequence[Words], reader: Reader) -> Look:
    """Look for these words in a file. Memory stays flat for text, and takes LARGEST bytes twice for others."""
    seen, head = Look(), b""
    for piece in pieces:
        head += piece
        if len(head) >= HEAD:
            break
    pieces = itertools.chain([head], pieces)
    kind = kinds.kind_of(head)
    if kind in TAKEN_APART:
        _take_apart(pieces, words, seen, reader)
    else:
        if kind != "text":
            seen.unseen[Unseen.PICTURE if kind == "picture" else Unseen.UNKNOWN] = ""
        _read_on(pieces, words, seen, kinds.encoding_of(head), is_text=kind != "picture")
    return seen


def is_hidden(text: str, pattern: re.Pattern[str]) -> bool:
    """Whether the words are in what this text is the code of: JSON, HTML, an address (RFC 3986), bytes as base64."""
    return any(pattern.search(one) for one in _meanings(text))


def file_in(text: str) -> bytes | None:
    """The PDF, picture or archive that this text is the base64 of; None of any other text."""
    head = _CODED.fullmatch(text[:_FIRST_LETTERS])
    if head is None or len(head[1]) < 8:
        return None
    letters = "".join(head[1].split())
    try:
        begins = base64.b64decode(letters[: len(letters) // 4 * 4])
        if kinds.kind_of(begins) in {"text", "markup", "unknown"}:
            return None
        whole = _CODED.fullmatch(text)
        return base64.b64decode("".join(whole[1].split())) if whole else None
    except binascii.Error:
        return None


def _any_of(spellings: set[str]) -> re.Pattern[str]:
    return re.compile("|".join(sorted(spellings)), re.IGNORECASE)


def _take_apart(pieces: Iterator[bytes], words: Sequence[Words], seen: Look, reader: Reader) -> None:
    content = bytearray()
    for piece in pieces:
        content += piece
        if len(content) > LARGEST:
            seen.unseen[Unseen.TOO_MUCH] = ""
            _read_on(itertools.chain([bytes(content)], pieces), words, seen, "utf-8", is_text=False)
            return
    whole = bytes(content)
    content.clear()
    for one in reader.read(whole):
        if one.unseen is not None:
            seen.unseen.setdefault(one.unseen, one.place)
        for number in _missing(words, seen):
            if _is_told(one, words[number]):
                _found(seen, number, one.place)


def _is_told(one: Told, words: Words) -> bool:
    if not one.is_laid_out:
        return _in_text(one.text, words.plain)
    readings = (one.text, _BROKEN_WORD.sub("", one.text))
    return any(
        words.laid_out.search(each) or words.laid_out.search(unicodedata.normalize("NFKC", each)) for each in readings
    )


def _read_on(pieces: Iterator[bytes], words: Sequence[Words], seen: Look, encoding: str, *, is_text: bool) -> None:
    """Text of any length; of other bytes what is written in plain among them."""
    rest = b""
    for piece in pieces:
        content = rest + piece
        texts = _readings(content, encoding, seen) if is_text else [kinds.plain_runs(content)]
        for number in _missing(words, seen):
            if any(_in_text(one, words[number].plain) for one in texts):
                _found(seen, number, "")
        if len(seen.found) == len(words):
            return
        # from an even place on, where letters of two bytes begin
        rest = content[max(0, len(content) - _OVERLAP) & ~1 :]


def _readings(content: bytes, encoding: str, seen: Look) -> list[str]:
    said = content.decode(encoding, "ignore")
    if kinds.is_no_text(said):
        seen.unseen.setdefault(Unseen.UNKNOWN, "")
        return [kinds.plain_runs(content)]
    if kinds.carries_files(said):
        seen.unseen.setdefault(Unseen.CARRIED, "")
    return [said] if encoding != "utf-8" else [said, content.decode("latin-1")]


def _missing(words: Sequence[Words], seen: Look) -> list[int]:
    return [number for number in range(len(words)) if number not in seen.found]


def _found(seen: Look, number: int, place: str) -> None:
    seen.found.add(number)
    if place not in seen.places:
        seen.places.append(place)


def _in_text(text: str, pattern: re.Pattern[str]) -> bool:
    return bool(pattern.search(text)) or is_hidden(text, pattern)


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
            content = base64.b64decode(found[1], validate=True)
        except binascii.Error:
            return
        yield content.decode("utf-8", "ignore")
        yield content.decode("latin-1")
