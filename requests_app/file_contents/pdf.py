"""What a PDF says: the text of its pages, and every other text in it, wherever it is kept (ISO 32000-2).

Pages are read in the order of their text. Beside them every object is gone through, whether a page shows it or not:
metadata, remarks, forms, bookmarks, links, scripts, and files within. What the words cannot be told of is told so.
"""

import io
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pypdf
from pypdf import PageObject, PdfReader
from pypdf.errors import DependencyError, LimitReachedError
from pypdf.generic import ByteStringObject, DictionaryObject, IndirectObject, NameObject, StreamObject, TextStringObject

from requests_app.file_contents import kinds
from requests_app.file_contents.kinds import LARGEST, Unseen
from requests_app.file_contents.telling import Teller, TooMuch

_MOST_PAGES = 5_000
_MOST_OBJECTS = 200_000
_PAINTS = frozenset({b"f", b"F", b"f*", b"S", b"s", b"B", b"B*", b"b", b"b*", b"sh", b"Tj", b"TJ", b"'", b'"'})
_IN_LINE = b"INLINE IMAGE"
_STRUCTURE = frozenset({"/XRef", "/ObjStm"})
_OTHER_MEDIA = frozenset({"/3D", "/Sound", "/Movie"})
_FONT_FILES = ("/FontFile", "/FontFile2", "/FontFile3")
_NAME = re.compile(rb"/[A-Za-z0-9#_.+:-]+")
# somebody may be called Page, and every PDF has some; what is no word of PDF's own was named by somebody
_OWN_WORD = re.compile(r"/[A-Za-z0-9.+_:-]*")
# names of letters say which letter they are; those that count say nothing
_COUNTED = re.compile(r"/(?!uni[0-9A-Fa-f]{4}|u[0-9A-Fa-f]{4,6}$)[A-Za-z.]*\d+")
Attached = Callable[[bytes, str], None]


class _Doubts(logging.Handler):
    """The library goes on where a file is not as it should be, and says so here; it may have missed something."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.raised = False

    def emit(self, record: logging.LogRecord) -> None:
        self.raised = True


def read(content: bytes, teller: Teller, *, place: str, attached: Attached) -> None:
    """Tell everything that it says; `attached` is given what files are within. Raises TooMuch, MemoryError."""
    doubts, logger = _Doubts(), logging.getLogger("pypdf")
    logger.addHandler(doubts)
    try:
        with pypdf.apply_configuration(**_limits()):
            _read(content, teller, place, attached)
    except (MemoryError, TooMuch):
        raise
    except (LimitReachedError, RecursionError):
        raise TooMuch from None
    except Exception:  # whatever a hostile file makes of the library
        doubts.raised = True
    finally:
        logger.removeHandler(doubts)
    if doubts.raised:
        teller.unseen(Unseen.DAMAGED, place)


def _limits() -> dict[str, Any]:
    lengths = ("maximum_declared_stream_length", "array_based_stream_maximum_output_length")
    outputs = ("lzw", "run_length", "zlib", "brotli")
    return {
        **dict.fromkeys((*lengths, *(f"{one}_maximum_output_length" for one in outputs)), LARGEST),
        # no other program is started
        "jbig2dec_binary": None,
        "disable_legacy_handling": True,
    }


def _read(content: bytes, teller: Teller, place: str, attached: Attached) -> None:
    reader = PdfReader(io.BytesIO(content))
    if reader.is_encrypted and not _opens(reader):
        teller.unseen(Unseen.LOCKED, place)
        return
    # one that is made for the web has two ends as well, the first of which is at its beginning
    if len(re.findall(rb"startxref\s", content)) > (2 if b"/Linearized" in content[: 2 * kinds.HEAD] else 1):
        teller.unseen(Unseen.VERSIONS, place)
    for number, page in enumerate(reader.pages, start=1):
        if number > _MOST_PAGES:
            raise TooMuch
        _page(page, teller, place, number)
    teller.at(place)
    # also between the objects, where no reader of PDF looks
    teller.text(kinds.plain_runs(_NAME.sub(b"", content)))
    _objects(reader, teller, place, attached)


def _opens(reader: PdfReader) -> bool:
    """Without a password: many are locked against changes alone."""
    try:
        return bool(reader.decrypt(""))
    except DependencyError:
        return False


def _page(page: PageObject, teller: Teller, place: str, number: int) -> None:
    seen: set[bytes] = set()
    told = page.extract_text(visitor_operand_before=lambda operator, *_rest: seen.add(operator))
    here = f"{place}, page {number}" if place else f"page {number}"
    teller.at(here)
    if _IN_LINE in seen:
        teller.unseen(Unseen.PICTURE, here)
    if not told.strip() and seen & _PAINTS:
        teller.unseen(Unseen.DRAWN, here)
    teller.laid_out(told)


def _objects(reader: PdfReader, teller: Teller, place: str, attached: Attached) -> None:
    within: dict[int, str] = {}
    skipped: set[int] = set()
    streams: list[tuple[int, StreamObject]] = []
    _strings(reader.trailer, teller)
    for number, generation in _numbers(reader):
        one = reader.get_object(IndirectObject(number, generation, reader))
        if isinstance(one, StreamObject):
            streams.append((number, one))
        for inner in _strings(one, teller):
            _look_at(inner, teller, place, within, skipped)
    for number, stream in streams:
        if number not in skipped:
            _stream(stream, reader, teller, place, attached, within.get(number))


def _numbers(reader: PdfReader) -> Iterator[tuple[int, int]]:
    free = reader.xref_free_entry
    found = [
        (number, generation)
        for generation, offsets in reader.xref.items()
        for number in offsets
        if not free.get(generation, {}).get(number)
    ]
    found += [(number, 0) for number in reader.xref_objStm if number not in reader.xref.get(0, {})]
    if len(found) > _MOST_OBJECTS:
        raise TooMuch
    yield from found


def _strings(one: Any, teller: Teller) -> list[DictionaryObject]:
    """Tell all text in an object, not in those that it refers to; answers the dictionaries in it."""
    said, found, waiting = list[str](), list[DictionaryObject](), [one]
    while waiting:
        match waiting.pop():
            case DictionaryObject() as dictionary:
                found.append(dictionary)
                said += [str(name) for name in dictionary if not _OWN_WORD.fullmatch(name)]
                waiting += [dictionary.raw_get(name) for name in dictionary]
            case list() as items:
                waiting += items
            case TextStringObject() as text:
                said.append(str(text))
            case NameObject() as name if not _OWN_WORD.fullmatch(name):
                said.append(str(name))
            case ByteStringObject() as data:
                said.append(bytes(data).decode("utf-8", "replace") + "\n" + bytes(data).decode("latin-1"))
    teller.text("\n".join(said))
    return found


def _look_at(one: DictionaryObject, teller: Teller, place: str, within: dict[int, str], skipped: set[int]) -> None:
    """Which streams are files within, and which are the shapes of letters; and fonts that do not say their letters."""
    files = one.get("/EF")
    if isinstance(files, DictionaryObject):
        name = str(one.get("/UF", one.get("/F", "file")))
        within |= {ref.idnum: name for ref in map(files.raw_get, files) if isinstance(ref, IndirectObject)}
    for key in _FONT_FILES:
        if key in one and isinstance(ref := one.raw_get(key), IndirectObject):
            skipped.add(ref.idnum)
    if one.get("/Type") == "/Font" and _says_no_letters(one):
        teller.unseen(Unseen.FONTS, place)


def _says_no_letters(font: DictionaryObject) -> bool:
    """Whether what is written in this font can be drawn, but not told (9.10.2)."""
    kind, encoding = font.get("/Subtype"), font.get("/Encoding")
    if "/ToUnicode" in font or kind in {"/CIDFontType0", "/CIDFontType2"}:
        return False
    if kind == "/Type0":
        return encoding is None or str(encoding).startswith("/Identity")
    if isinstance(encoding, DictionaryObject):
        names = encoding.get("/Differences", [])
        return any(_COUNTED.fullmatch(str(name)) for name in names if isinstance(name, NameObject))
    about = font.get("/FontDescriptor")
    is_embedded = isinstance(about, DictionaryObject) and any(key in about for key in _FONT_FILES)
    return kind == "/Type3" or (encoding is None and is_embedded)


def _stream(
    one: StreamObject, reader: PdfReader, teller: Teller, place: str, attached: Attached, name: str | None
) -> None:
    kind, subtype = str(one.get("/Type", "")), str(one.get("/Subtype", ""))
    if kind in _STRUCTURE:
        return
    if name is not None or kind == "/EmbeddedFile":
        attached(_data(one, teller), name or "file")
        teller.at(place)
    elif subtype == "/Image" or ("/Width" in one and "/Height" in one):
        teller.unseen(Unseen.PICTURE, place)
    elif kind in _OTHER_MEDIA or subtype == "/U3D":
        teller.unseen(Unseen.UNKNOWN, place)
    else:
        _told(one, reader, teller, is_form=subtype == "/Form")


def _told(one: StreamObject, reader: PdfReader, teller: Teller, *, is_form: bool) -> None:
    """What draws (pages, forms, looks of remarks) and what is written in plain (metadata, forms as XML, scripts)."""
    data = _data(one, teller)
    said = data.decode("utf-8", "replace")
    if not kinds.is_no_text(said) and "\N{REPLACEMENT CHARACTER}" not in said:
        teller.text(said)
        if said.lstrip().startswith("<"):
            teller.text(re.sub(r"<[^<>]*>", "", said))
    if is_form:
        teller.laid_out(PageObject(reader).extract_xform_text(one))  # type: ignore[arg-type]  # any stream will do


def _data(one: StreamObject, teller: Teller) -> bytes:
    data = one.get_data()
    teller.unpacked(len(data))
    return data
