"""Writing an answer as one ZIP, part by part, to a stream that cannot seek; memory does not grow with what is in it."""

import io
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

import orjson

from requests_app.packages import readable, spooling, tabular
from requests_app.packages.parts import Asking, Part, Row
from requests_app.packages.redaction import InForce, Unseen
from requests_app.packages.spooling import Spooled

ABOUT = "about"
_LEVEL = 1
"""Of deflate: higher ones cost several times as much and save a tenth."""


@dataclass
class Summary:
    """What is in a package: per part its name, rows, and what was left out; and which redactions had an effect."""

    parts: list[dict[str, Any]] = field(default_factory=list)
    worked: set[uuid.UUID] = field(default_factory=set)
    unseen: list[Unseen] = field(default_factory=list)
    """Files that could not be looked into for the words that have to go."""


def write(
    target: io.RawIOBase,
    *,
    asking: Asking,
    parts: Iterable[Part],
    redactions: Sequence[InForce],
    tell: Callable[[str], object],
) -> Summary:
    """Write the whole ZIP (ZIP64 where it is large). `tell` is called with each part's name before it is read.

    Texts are in the active language, which has to be that of `asking`.
    """
    summary, written = Summary(), []
    about: list[Row] = []
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        into = _Folder(archive, asking)
        for part in parts:
            tell(part.name)
            with spooling.spool(part, redactions, keep=into.put) as read:
                if part.name == ABOUT:
                    about = list(read.rows())
                written.append(_written(into, read, asking))
                summary.parts.append(_told(read))
                summary.worked |= read.redactor.worked
                summary.unseen += read.redactor.unseen
        into.put("index.html", [readable.overview(written, asking=asking, about=about)])
        into.put("package.json", [_manifest(asking, summary)])
    return summary


class _Folder:
    """Files of one ZIP, all of the same moment."""

    def __init__(self, archive: zipfile.ZipFile, asking: Asking) -> None:
        self._archive, self._moment = archive, asking.at.timetuple()[:6]

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        entry = zipfile.ZipInfo(name, date_time=self._moment)
        entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
        # Python 3.13 calls it compress_level
        entry._compresslevel = _LEVEL  # type: ignore[attr-defined]  # open() takes a level for no entry
        opened: IO[bytes]
        with self._archive.open(entry, "w", force_zip64=True) as opened:
            for piece in pieces:
                opened.write(piece)


def _written(into: _Folder, read: Spooled, asking: Asking) -> readable.Written:
    name, names = read.part.name, readable.PageNames(read.part.name)
    into.put(f"json/{name}.json", tabular.json_pieces(read))
    into.put(f"json/{name}.schema.json", [orjson.dumps(tabular.schema(read), option=orjson.OPT_INDENT_2)])
    into.put(f"csv/{name}.csv", tabular.csv_pieces(read))
    for page, content in readable.pages(read, names=names, asking=asking):
        into.put(f"pages/{page}", [content])
    _put_files(into, read)
    return readable.Written(
        name=name,
        title=read.part.title,
        says=read.part.says,
        count=read.count,
        left_out=readable.sentences(read),
        unread=readable.unread(read),
        pages=tuple(names.taken[:1]),
        csv=f"{name}.csv",
        json=f"{name}.json",
        schema=f"{name}.schema.json",
    )


def _put_files(into: _Folder, read: Spooled) -> None:
    """What rows name in their column `file`; not of rows that were left out, nor where the name itself was."""
    if read.part.file is None:
        return
    for row in read.rows():
        pieces = _opened(read.part, row)
        if pieces is not None:
            into.put(str(row["file"]), pieces)


def _opened(part: Part, row: Row) -> Iterator[bytes] | None:
    name = row.get("file")
    return part.file(name) if part.file is not None and isinstance(name, str) else None


def _told(read: Spooled) -> dict[str, Any]:
    return {
        "name": read.part.name,
        "rows": read.count,
        "rows_left_out": dict(spooling.told(read.redactor.rows)),
        "entries_left_out": dict(spooling.told(read.redactor.entries)),
        "unread": read.unread.code if read.unread else "",
        "unseen": read.redactor.count_of_unseen,
    }


def _manifest(asking: Asking, summary: Summary) -> bytes:
    said = {
        "request": asking.request.reference,
        "right": asking.request.right,
        "language": asking.language,
        "made_at": asking.at.isoformat(),
        # what staff decide about is not the person's to read
        "parts": [{name: said for name, said in part.items() if name != "unseen"} for part in summary.parts],
    }
    return orjson.dumps(said, option=orjson.OPT_INDENT_2)
