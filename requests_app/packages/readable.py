"""An answer as pages to read: one folder that opens from the disk, without a network, a script or a program of ours.

A row is a list of names and values under each other, which fits a telephone and a printer as well as a screen.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

import orjson
from django.conf import settings
from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.html import escape
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from requests_app.packages.parts import Asking, Column, Row
from requests_app.packages.spooling import Spooled, told
from requests_app.states import Ground

ROWS_A_PAGE = 500
BYTES_A_PAGE = 500_000
"""Whichever comes first: a page that a telephone still opens at once."""
_FOLDERS = ("files/", "receipts/")


@dataclass(frozen=True)
class Written:
    """What the overview says of one part; `pages`, `csv` and `json` are names of files."""

    name: str
    title: str
    says: str
    count: int
    left_out: tuple[str, ...]
    unread: str
    pages: tuple[str, ...]
    csv: str
    json: str
    schema: str


def pages(read: Spooled, *, names: "PageNames", asking: Asking) -> Iterator[tuple[str, bytes]]:
    """The part's pages as (file name, content), one at a time; at least one. All of them are in `names` afterwards."""
    number, waiting = 1, next(batches := _batches(read))
    while True:
        following = next(batches, None)
        name = names.take(number)
        context = {
            "title": read.part.title,
            "says": read.part.says,
            "sentences": sentences(read),
            "number": number,
            "before": names.of(number - 1) if number > 1 else "",
            "after": names.of(number + 1) if following is not None else "",
            "rows": mark_safe(waiting),  # noqa: S308 -- every name and value in it is escaped in `_row`
            **shell(asking),
        }
        yield name, render_to_string("packages/part.html", context).encode()
        if following is None:
            return
        number, waiting = number + 1, following


@dataclass
class PageNames:
    """What the pages of one part are called; `taken` are those that were written."""

    part: str

    def __post_init__(self) -> None:
        self.taken: list[str] = []

    def of(self, number: int) -> str:
        return f"{self.part}.html" if number == 1 else f"{self.part}-{number:05}.html"

    def take(self, number: int) -> str:
        self.taken.append(self.of(number))
        return self.taken[-1]


def overview(written: Sequence[Written], *, asking: Asking, about: Sequence[Row]) -> bytes:
    """The first page: what this is, what the law wants told, and the way to each part."""
    request = asking.request
    context = {
        "title": _("Your data"),
        "right": request.get_right_display(),
        "reference": request.reference,
        "made_at": moment(asking.at.isoformat()),
        "parts": written,
        "about": about,
        **shell(asking),
    }
    return render_to_string("packages/overview.html", context).encode()


def shell(asking: Asking) -> dict[str, Any]:
    return {
        "language": asking.language,
        "site_name": settings.SITE_NAME,
        "contact": settings.CONTROLLER["email"],
        "reference": asking.request.reference,
    }


def sentences(read: Spooled) -> tuple[str, ...]:
    """What was left out and on which ground, without saying what."""
    said = [
        ngettext(
            "%(count)s entry was left out, because: %(ground)s.",
            "%(count)s entries were left out, because: %(ground)s.",
            count,
        )
        % {"count": count, "ground": Ground(ground).label}
        for ground, count in told(read.redactor.rows)
    ]
    said += [
        ngettext(
            "In %(count)s entry something was made unreadable, because: %(ground)s.",
            "In %(count)s entries something was made unreadable, because: %(ground)s.",
            count,
        )
        % {"count": count, "ground": Ground(ground).label}
        for ground, count in told(read.redactor.entries)
    ]
    return tuple(said)


def unread(read: Spooled) -> str:
    """Why the part is not whole, in words for the person."""
    return str(read.unread.message) if read.unread else ""


def moment(text: str) -> str:
    return date_format(datetime.fromisoformat(text), pgettext("date format", "j F Y, H:i T"))


def _batches(read: Spooled) -> Iterator[str]:
    """The rows as HTML, as many at a time as a page holds; one empty batch where there are none."""
    held: list[str] = []
    size = 0
    columns = [(column, escape(column.title)) for column in read.columns.values()]
    for number, row in enumerate(read.rows(), start=1):
        shown = _row(number, row, columns)
        if held and (len(held) >= ROWS_A_PAGE or size + len(shown) > BYTES_A_PAGE):
            yield "".join(held)
            held, size = [], 0
        held.append(shown)
        size += len(shown)
    yield "".join(held)


def _row(number: int, row: Row, columns: Sequence[tuple[Column, str]]) -> str:
    shown = "".join(
        f"<dt>{title}</dt><dd>{_linked(row[column.name], column)}</dd>"
        for column, title in columns
        if row.get(column.name) is not None and row[column.name] != ""
    )
    return f'<article id="r{number}"><h2>{number}</h2><dl>{shown}</dl></article>\n'


def _linked(value: Any, column: Column) -> str:
    """The value, escaped; what names a file of the answer leads to it."""
    shown = escape(_shown(value, column))
    return f'<a href="../{escape(quote(value))}">{shown}</a>' if _is_file(value, column) else shown


def _is_file(value: Any, column: Column) -> bool:
    """Not a dataset's own column of that name, nor one that was made unreadable."""
    return column.kind == "file" and isinstance(value, str) and value.startswith(_FOLDERS)


def _shown(value: Any, column: Column) -> str:
    match value:
        case bool():
            return _("yes") if value else _("no")
        case str():
            return _time(value, column.kind) if column.kind in {"time", "day"} else value
        case int() | float():
            return str(value)
        case list() if all(isinstance(one, str) for one in value):
            return "\n".join(value)
        case dict() if value and not any(isinstance(one, dict | list) for one in value.values()):
            return "\n".join(f"{name.replace('_', ' ')}: {_shown(one, column)}" for name, one in value.items())
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _time(text: str, kind: str) -> str:
    try:
        return moment(text) if kind == "time" else date_format(date.fromisoformat(text), "DATE_FORMAT")
    except ValueError:
        # it was made unreadable
        return text
