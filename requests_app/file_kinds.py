"""Which files are taken in, told by their content: nothing that runs, hides something else, or cannot be looked into.

A short list of kinds, and for each what a file of it must and must not hold. A name only has to agree. It cannot be
complete (a PDF may hide a script in what it compresses), which is why there is a virus scanner beside it, and why no
file is ever shown by a browser on our address.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import puremagic

from portal.errors import DomainError
from requests_app import file_names, office_files

_SURE = 0.4
"""puremagic's confidence in a signature of four bytes; shorter ones are found in any text."""
_TEXTUAL = frozenset({"", ".csv", ".eml", ".json", ".mbox", ".txt"})
_SNIFFED = 1024
"""So much of a file do readers look through for a PDF's beginning, and browsers for markup."""
_ZIP_END, _ZIP_TAIL = b"PK\x05\x06", 22 + 65_535
_MARKUP = re.compile(rb"<(!doctype|!--|\?xml|\?php|html|head|body|script|svg|iframe|style|object|embed|meta)", re.I)
_PAGE = re.compile(rb"<(html|head|body|script|svg|iframe)\b", re.I)
_PROGRAM = re.compile(rb"^(#!|%!PS|\{\\rtf|@echo off)", re.I)
# names may be written with #xx for a letter (ISO 32000-2, 7.3.5), so those are read first
_ACTIVE_PDF = re.compile(rb"/(JavaScript|Launch|EmbeddedFile|EmbeddedFiles|RichMedia|SubmitForm)\b")
_SHORT_NAMES = re.compile(rb"/(JS|XFA|Encrypt)\b")
_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
_STREAM, _STREAM_END = re.compile(rb"\bstream\r?\n"), b"endstream"
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")


class FileRefused(DomainError):
    """A file that is not taken in: its kind, its content, its name."""


@dataclass(frozen=True)
class Kind:
    """One kind of file: the extension it is kept under, others that mean the same, its media type."""

    extension: str
    also: frozenset[str]
    content_type: str
    check: Callable[[bytes], None]
    for_staff_alone: bool = False

    @property
    def names(self) -> frozenset[str]:
        return self.also | {self.extension}


def of(content: bytes, *, name: str, by_staff: bool) -> Kind:
    """The kind of this file. Raises FileRefused: `file_empty`, `file_unknown`, `file_other_kind`, `file_unsafe`."""
    if not content:
        raise FileRefused("file_empty", "The file is empty.", field="files")
    claimed = file_names.extension_of(name)
    kinds = [kind for kind in KINDS if by_staff or not kind.for_staff_alone]
    found = _found(content, claimed, kinds)
    if found is None:
        raise _unknown(kinds)
    if claimed and claimed not in found.names:
        raise FileRefused(
            "file_other_kind",
            f"The name ends like another kind of file: this is {found.extension.upper()}.",
            field="files",
        )
    found.check(content)
    return found


def _found(content: bytes, claimed: str, kinds: Iterable[Kind]) -> Kind | None:
    """The kind by the content; among those that are text the name decides, because nothing else tells them apart."""
    by_name = {kind.extension: kind for kind in kinds}
    if content.startswith(b"%PDF-"):
        return by_name["pdf"]
    if content.startswith(b"\xff\xd8\xff"):
        return by_name["jpg"]
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return by_name["png"]
    if content.startswith(b"PK\x03\x04"):
        return by_name.get(office_files.kind_of(content))
    if _is_plain(content):
        return by_name.get(claimed) if claimed in {"csv", "json"} else by_name["txt"]
    return None


def _is_plain(content: bytes) -> bool:
    """Whether it is text in UTF-8, and neither a page nor a program that happens to be text."""
    if _CONTROL.search(content):
        return False
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    head = content.removeprefix(b"\xef\xbb\xbf")[:_SNIFFED].lstrip()
    hidden = _MARKUP.search(head) or _PROGRAM.search(head) or b"%PDF-" in head
    return not hidden and not _known_as(content) - _TEXTUAL


def _known_as(content: bytes) -> frozenset[str]:
    """The extensions of everything whose signature this content bears."""
    try:
        return frozenset(one.extension for one in puremagic.magic_string(content) if one.confidence >= _SURE)
    except puremagic.PureError:
        return frozenset()


def _check_pdf(content: bytes) -> None:
    if b"%%EOF" not in content[-_SNIFFED:]:
        raise _unsafe("The PDF is cut off, or something follows it.")
    short = {found[1] for found in _SHORT_NAMES.finditer(_spelled(_outside_streams(content)))}
    if b"Encrypt" in short:
        raise FileRefused("file_locked", "The PDF is protected by a password. Save it without one.", field="files")
    # what looks like a stream may be a remark or a text, with live objects between two of them
    if short or _ACTIVE_PDF.search(_spelled(content)):
        raise _unsafe("The PDF holds a script, a form that sends something, or another file. Print it as a PDF anew.")
    if _PAGE.search(content[:_SNIFFED]):
        raise _unsafe("The PDF is a page for browsers as well.")
    _check_alone(content)


def _spelled(content: bytes) -> bytes:
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), content)


def _outside_streams(content: bytes) -> bytes:
    """A PDF without what is compressed in it, which holds any three letters by chance. Takes one walk."""
    pieces, at = [], 0
    while begin := _STREAM.search(content, at):
        end = content.find(_STREAM_END, begin.end())
        if end < 0:
            break
        pieces.append(content[at : begin.start()])
        at = end + len(_STREAM_END)
    return b" ".join([*pieces, content[at:]])


def _check_jpeg(content: bytes) -> None:
    # cameras write their own data behind the picture's end, so the end is only looked for
    if b"\xff\xd9" not in content:
        raise _unsafe("The picture is cut off.")
    _check_picture(content)


def _check_png(content: bytes) -> None:
    if not content.endswith(b"IEND\xaeB`\x82"):
        raise _unsafe("The picture is cut off, or something follows it.")
    _check_picture(content)


def _check_picture(content: bytes) -> None:
    if b"%PDF-" in content[:_SNIFFED] or _MARKUP.search(content[:_SNIFFED]):
        raise _unsafe("The picture is another kind of file as well.")
    _check_alone(content)


def _check_alone(content: bytes) -> None:
    """Archives are read from their end, so one may hide behind anything."""
    if _ZIP_END in content[-_ZIP_TAIL:]:
        raise _unsafe("An archive hides in this file.")


def _check_text(content: bytes) -> None:
    """Everything was looked at when it was found to be text."""


def _check_office(content: bytes) -> None:
    trouble = office_files.trouble_of(content)
    if trouble == office_files.LOCKED:
        raise FileRefused("file_locked", "The document is protected by a password. Save it without one.", field="files")
    if trouble:
        raise _unsafe(trouble)


def _unsafe(message: str) -> FileRefused:
    return FileRefused("file_unsafe", message, field="files")


def _unknown(kinds: Iterable[Kind]) -> FileRefused:
    taken = ", ".join(kind.extension.upper() for kind in kinds)
    return FileRefused("file_unknown", f"Such files are not taken in. Send one of these: {taken}.", field="files")


KINDS = (
    Kind("pdf", frozenset(), "application/pdf", _check_pdf),
    Kind("jpg", frozenset({"jpeg", "jpe", "jfif"}), "image/jpeg", _check_jpeg),
    Kind("png", frozenset(), "image/png", _check_png),
    Kind("txt", frozenset({"text", "log", "md"}), "text/plain", _check_text),
    Kind("docx", frozenset(), office_files.DOCX, _check_office),
    Kind("odt", frozenset(), office_files.ODT, _check_office),
    # a table program may carry out what is in them, so they come from staff alone
    Kind("csv", frozenset(), "text/csv", _check_text, for_staff_alone=True),
    Kind("json", frozenset(), "application/json", _check_text, for_staff_alone=True),
)
"""Every kind that is taken in."""
