"""A part as JSON, with the schema that it fulfils, and as CSV that no spreadsheet takes for formulas."""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import orjson

from requests_app.packages.parts import Row
from requests_app.packages.spooling import Spooled, told

BOM = b"\xef\xbb\xbf"
"""Without it spreadsheets read UTF-8 as something else, and names lose their letters."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_IN_ANOTHER_CELL = re.compile(r"([;\r\n][ \"]*)(?==|＝|[+\-＋－]\w|@\w+\()")
"""Where spreadsheets part cells at semicolons, as in German and French, quotes within a line mean nothing to them."""
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_FORMATS = {"time": "date-time", "day": "date"}
_TYPES = {
    "text": {"string"},
    "time": {"string"},
    "day": {"string"},
    "file": {"string"},
    "number": {"integer"},
    "flag": {"boolean"},
    "any": set(),
}


def json_pieces(read: Spooled) -> Iterator[bytes]:
    """One object: the part, what was left out, why it may be incomplete, and its rows."""
    head = {
        "part": read.part.name,
        "title": read.part.title,
        "count": read.count,
        "left_out": _left_out(read),
        "unread": read.unread.code if read.unread else None,
    }
    yield orjson.dumps(head)[:-1] + b',"rows":['
    before = b"\n"
    for row in read.rows():
        yield before + orjson.dumps(_whole(read, row))
        before = b",\n"
    yield b"\n]}\n"


def schema(read: Spooled) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) that the part's JSON file fulfils."""
    properties = {
        name: {"title": column.title, "type": _allowed(read, name)} | _format(read, name)
        for name, column in read.columns.items()
    }
    row = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    ground = {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}}
    return {
        "$schema": _DRAFT,
        "title": read.part.title,
        "description": read.part.says,
        "type": "object",
        "required": ["part", "title", "count", "left_out", "unread", "rows"],
        "additionalProperties": False,
        "properties": {
            "part": {"const": read.part.name},
            "title": {"type": "string"},
            "count": {"type": "integer", "minimum": 0},
            "left_out": {
                "type": "object",
                "required": ["rows", "entries"],
                "properties": {"rows": ground, "entries": ground},
                "additionalProperties": False,
            },
            "unread": {"type": ["string", "null"]},
            "rows": {"type": "array", "items": row},
        },
    }


def csv_pieces(read: Spooled) -> Iterator[bytes]:
    """RFC 4180 in UTF-8 with a byte-order mark; lists and objects are written as JSON.

    What a spreadsheet would take for a formula has an apostrophe before it, wherever that spreadsheet parts cells.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    names = list(read.columns)
    writer.writerow([_cell(name) for name in names])
    yield BOM + _taken(buffer)
    for row in read.rows():
        writer.writerow([_cell(row.get(name)) for name in names])
        if buffer.tell() > 1 << 16:
            yield _taken(buffer)
    yield _taken(buffer)


def _cell(value: Any) -> str | int | float:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return value
        case str():
            text = value
        case _:
            text = orjson.dumps(value).decode()
    text = _IN_ANOTHER_CELL.sub(r"\1'", text)
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA[:4]) else text


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    # csv writes what it is given; a lone NUL would end the line for some readers
    return text.replace("\0", "\ufffd").encode()


def _whole(read: Spooled, row: Row) -> Row:
    """With every column, also those that only other rows have."""
    return {name: row.get(name) for name in read.columns}


def _left_out(read: Spooled) -> dict[str, dict[str, int]]:
    return {"rows": dict(told(read.redactor.rows)), "entries": dict(told(read.redactor.entries))}


def _allowed(read: Spooled, name: str) -> list[str]:
    """What a column promises, what is really in it, and nothing at all."""
    column = read.columns[name]
    seen = _TYPES[column.kind] | read.types[name] | {"null"}
    if "number" in seen:
        seen -= {"integer"}
    return sorted(seen)


def _format(read: Spooled, name: str) -> dict[str, str]:
    # what was made unreadable is no time any more
    format_ = None if read.redactor.entries else _FORMATS.get(read.columns[name].kind)
    return {"format": format_} if format_ else {}
