"""What a part of an answer is: a name, columns with words for a reader, and rows that come one after the other.

Every row is plain: text, numbers, true or false, nothing, lists and objects of these. So the same row is written as
JSON, CSV and HTML, and what was left out of it is left out of all three.
"""

import base64
import math
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import PurePosixPath
from typing import Any, Literal

from portal.errors import DomainError
from requests_app.models import Request

Row = dict[str, Any]
Kind = Literal["text", "time", "day", "number", "flag", "file", "any"]

_LARGEST_EXACT = 2**53
"""RFC 7493 (I-JSON): beyond it readers of JSON lose digits, so it is written as text."""


class Unreadable(DomainError):
    """A part that ends here, because what holds it cannot be read (on)."""


@dataclass(frozen=True)
class Content:
    """Bytes that a row has beside its values, such as a picture; they become the file `file` of the answer.

    They can be read until the next row is asked for.
    """

    name: str
    size: int
    sha256: str
    file: str
    read: Callable[[], Iterator[bytes]] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Column:
    """One column: its name for machines, its title for readers, and what is in it."""

    name: str
    title: str
    kind: Kind = "text"


@dataclass(frozen=True)
class Part:
    """One part of an answer. `rows` is called once and may end with Unreadable.

    An `open` part has further columns, which its rows bring. `file` opens what a row names in its column `file`.
    """

    name: str
    title: str
    says: str
    columns: tuple[Column, ...]
    rows: Callable[[], Iterator[Row]]
    is_open: bool = False
    file: Callable[[str], Iterator[bytes] | None] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Asking:
    """For whom an answer is gathered: the request, whose person is known, the language, and the moment.

    `base` is the site's address without a path, for links in receipts.
    """

    request: Request
    language: str
    base: str
    at: datetime

    @property
    def subject_id(self) -> uuid.UUID:
        assert self.request.subject_id is not None  # noqa: S101 -- `asking` refuses a request of nobody
        return self.request.subject_id


def plain(value: Any) -> Any:
    """The value as JSON can say it without loss; bytes that are no text become `base64:…`."""
    match value:
        case None | bool():
            return value
        case str():
            return str(value) if value.isascii() else value.encode("utf-8", "replace").decode()
        case int():
            return int(value) if abs(value) < _LARGEST_EXACT else str(value)
        case float():
            return float(value) if math.isfinite(value) else str(value)
        case datetime() | date() | time():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            return _text(bytes(value))
        case Content():
            return {"name": plain(value.name), "size": value.size, "sha256": value.sha256, "file": value.file}
        case Mapping():
            return {str(plain(key)): plain(one) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(one) for one in value]
    return plain(str(value))


def ending(name: str) -> str:
    """The ending of a file's name, if it is one that tells a kind: of names from outside nothing else is kept."""
    suffix = PurePosixPath(name).suffix
    return suffix.lower() if suffix[1:].isascii() and suffix[1:].isalnum() and len(suffix) <= 6 else ""


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(value).decode()
