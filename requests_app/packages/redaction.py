"""What staff leave out of an answer because it is about somebody else (GDPR Art. 15(4)), and what the person is told.

A redaction names a part and in it rows, a column, or words. Rows are named by their content, not by their number:
when a dataset has changed meanwhile, none is left out in another's place. It takes effect at the next build.
"""

import hashlib
import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import orjson
from django.db import transaction
from django.utils.translation import gettext as _

from portal.errors import Conflict, DomainError
from requests_app import sealing, timeline
from requests_app.file_contents.reader import Reader
from requests_app.models import Clearance, Redaction, Request
from requests_app.packages import file_words
from requests_app.packages.parts import Row
from requests_app.states import Ground

EVERYWHERE = "*"
"""In place of a part: all of them. Only words are left out everywhere."""
_SHORTEST_WORDS, _LONGEST = 2, 500
_MOST_ROWS = 5_000
MOST_UNSEEN = _MOST_ROWS
"""Files of one part that are told by name; where there are more, they cannot all be decided."""


class RedactionError(DomainError):
    """Something to leave out that cannot be taken as it was said."""


@dataclass(frozen=True)
class What:
    """Which rows, column or words of a part; `rows` are their marks, as the preview shows them."""

    part: str
    column: str = ""
    rows: tuple[str, ...] = ()
    words: str = ""


@dataclass(frozen=True)
class InForce:
    """One redaction, opened."""

    pk: uuid.UUID
    what: What
    ground: str


@dataclass(frozen=True)
class File:
    """A file that a row names in this column; `name` is what it is called, `file` where it is in the answer."""

    column: str
    name: str
    file: str
    read: Callable[[], Iterator[bytes]] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Unseen:
    """A file that cannot be looked into, and each reason with its place in the file.

    It is named by its part, the mark of its row, and its column.
    """

    part: str
    mark: str
    column: str
    name: str
    file: str
    whys: tuple[tuple[str, str], ...]


@dataclass
class Redactor:
    """Takes out of one part what has to go, and counts it: rows left out and entries made unreadable, by ground."""

    part: str
    has_own_names: bool
    """Whether the columns' names come from the data too."""
    redactions: Sequence[InForce]
    reader: Reader
    """Takes files apart."""
    rows: Counter[str] = field(default_factory=Counter)
    entries: Counter[str] = field(default_factory=Counter)
    worked: set[uuid.UUID] = field(default_factory=set)
    held: list[tuple[File, tuple[str, ...]]] = field(default_factory=list)
    """Files that were left out because of what they say, and where in each it stands."""
    unseen: list[Unseen] = field(default_factory=list)
    """Files that could not be looked into: the first MOST_UNSEEN of `count_of_unseen`."""
    count_of_unseen: int = 0

    @property
    def seeks_words(self) -> bool:
        """Whether files have to be looked into at all."""
        return bool(self._words)

    def __post_init__(self) -> None:
        mine = [one for one in self.redactions if one.what.part in (self.part, EVERYWHERE)]
        # the longest words first: "Bob" would take a piece out of "Bob Smith", and leave "Smith"
        mine.sort(key=lambda one: -len(one.what.words))
        words = [file_words.words_of(one.what.words) if one.what.words.strip() else None for one in mine]
        known = [(one, frozenset(one.what.rows), say) for one, say in zip(mine, words, strict=True)]
        self._mine = [(one, rows, say.plain if say else None) for one, rows, say in known]
        self._words = [(one, rows, say) for one, rows, say in known if say]
        self._marker = marker()
        self._counted: set[str] = set()

    def apply(self, row: Row) -> Row | None:
        """The row as the person gets it; None where all of it is left out."""
        if not self._mine:
            return row
        before, mark = row, mark_of(row)
        self._counted = set()
        found = [one for one in self._mine if not one[1] or mark in one[1]]
        for one, _rows, pattern in found:
            if pattern is None and not one.what.column:
                self.rows[one.ground] += 1
                self.worked.add(one.pk)
                return None
        for one, _rows, pattern in found:
            # what longer words have taken out already was found by this one too
            if self._changed(before, one.what.column, pattern) != before:
                self._count(one)
            row = self._changed(row, one.what.column, pattern)
        return row

    def look_into(self, row: Row, before: Row, found: File) -> Row:
        """The same without this file where it holds words that have to go; else it is noted if it cannot be told.

        `before` is the row as it was gathered. A file is left out whole: it is not ours to write anew.
        """
        mark = mark_of(before) if self._words else ""
        mine = [
            (one, words)
            for one, rows, words in self._words
            if one.what.column in ("", found.column) and (not rows or mark in rows)
        ]
        if not mine:
            return row
        seen = file_words.look(found.read(), [words for _one, words in mine], self.reader)
        for number in seen.found:
            self._count(mine[number][0])
        if seen.found:
            self.held.append((found, tuple(seen.places)))
            return {**row, found.column: self._marker}
        if seen.unseen:
            self.count_of_unseen += 1
            if len(self.unseen) < MOST_UNSEEN:
                whys = tuple((str(why), place) for why, place in seen.unseen.items())
                self.unseen.append(Unseen(self.part, mark, found.column, found.name, found.file, whys))
        return row

    def _changed(self, row: Row, column: str, pattern: re.Pattern[str] | None) -> Row:
        if pattern is None:
            return {**row, column: self._marker} if row.get(column) is not None else row
        if column:
            return {**row, column: _without(row[column], pattern, self._marker)} if column in row else row
        if self.has_own_names:
            return dict(_without(row, pattern, self._marker))
        return {name: _without(value, pattern, self._marker) for name, value in row.items()}

    def _count(self, one: InForce) -> None:
        """An entry counts once for each ground, however much of it was made unreadable."""
        self.worked.add(one.pk)
        if one.ground not in self._counted:
            self._counted.add(one.ground)
            self.entries[one.ground] += 1


def marker() -> str:
    """What stands in place of what was made unreadable, in the active language."""
    return _("[left out]")


def mark_of(row: Row) -> str:
    """What a row is called in a redaction: 16 hexadecimal digits of its content as it was gathered."""
    content = orjson.dumps(row, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return hashlib.blake2b(content, digest_size=8).hexdigest()


@transaction.atomic
def redact(*, request: Request, what: What, ground: str, reason: str, by: str, at: datetime) -> Redaction:
    """Leave this out of the next build. Raises RedactionError, Conflict(`closed`), Conflict(`erased`)."""
    _check(what, ground, reason)
    request = lock(request)
    redaction = Redaction.objects.create(
        request=request,
        sealed_what=sealing.seal_json(request, asdict(what), context=sealing.REDACTION),
        ground=ground,
        sealed_reason=sealing.seal(request, reason.strip(), context=sealing.REDACTION),
        made_at=at,
        made_by=by,
    )
    timeline.tell(request, "redacted", by=by, at=at, details={"ground": ground})
    return redaction


@transaction.atomic
def undo(*, redaction: Redaction, by: str, at: datetime) -> None:
    """Take a redaction back; the next build has it all again. Raises Conflict(`undone` | `closed`)."""
    request = take_back(redaction, by=by, at=at)
    timeline.tell(request, "redaction_undone", by=by, at=at, details={"ground": redaction.ground})


def take_back(one: Redaction | Clearance, *, by: str, at: datetime) -> Request:
    """Write down that it does not count any more; answers its request, locked. Raises Conflict(`undone` | `closed`)."""
    request = lock(one.request)
    one = type(one).objects.select_for_update().get(pk=one.pk)
    if one.undone_at is not None:
        raise Conflict("undone", "This was taken back already.")
    one.undone_at, one.undone_by = at, by
    one.save(update_fields=["undone_at", "undone_by"])
    return request


def in_force(request: Request) -> list[InForce]:
    """Those that count now, opened, the oldest first."""
    return [_opened(request, one) for one in request.redactions.filter(undone_at__isnull=True)]


def reason_of(redaction: Redaction) -> str | None:
    """Why, in staff's words; None once the person was erased."""
    return sealing.unseal(redaction.request, redaction.sealed_reason, context=sealing.REDACTION)


def what_of(redaction: Redaction) -> What | None:
    """What it takes out; None once the person was erased."""
    said = sealing.unseal_json(redaction.request, redaction.sealed_what, context=sealing.REDACTION)
    return None if said is None else _what(said)


def _opened(request: Request, redaction: Redaction) -> InForce:
    said = sealing.unseal_json(request, redaction.sealed_what, context=sealing.REDACTION)
    if said is None:
        raise Conflict("erased", "This person was erased; nothing more is gathered about them.")
    return InForce(redaction.pk, _what(said), redaction.ground)


def _what(said: Mapping[str, Any]) -> What:
    return What(said["part"], said["column"], tuple(said["rows"]), said["words"])


def _check(what: What, ground: str, reason: str) -> None:
    if not what.part:
        raise RedactionError("part_missing", "Say in which part.", field="part")
    if ground not in Ground.values:
        raise RedactionError("unknown_ground", "Choose one of the grounds.", field="ground")
    if not reason.strip():
        raise RedactionError("reason_missing", "Say why: an authority may ask.", field="reason")
    if len(what.words) > _LONGEST or len(reason) > _LONGEST * 4 or len(what.rows) > _MOST_ROWS:
        raise RedactionError("too_long", "That is too much at once.", field="words")
    if what.part == EVERYWHERE and not what.words.strip():
        raise RedactionError("words_missing", "Everywhere only words can be left out.", field="words")
    if what.words and len(what.words.strip()) < _SHORTEST_WORDS:
        raise RedactionError("words_too_short", "One letter would make everything unreadable.", field="words")
    if not all(re.fullmatch(r"[0-9a-f]{16}", one) for one in what.rows):
        raise RedactionError("unknown_row", "Name rows by their marks in the preview.", field="rows")


def lock(request: Request) -> Request:
    """The request, to change what its answer has. Raises Conflict(`closed` | `not_proven`)."""
    request = Request.objects.select_for_update(no_key=True, of=("self",)).select_related("subject").get(pk=request.pk)
    if request.is_closed:
        raise Conflict("closed", "This request is closed; its answer stays as it is.")
    if request.subject_id is None:
        raise Conflict("not_proven", "It is not known yet who asks.")
    return request


def _without(value: Any, pattern: re.Pattern[str], marker: str) -> Any:
    match value:
        case str():
            return _text_without(value, pattern, marker)
        case bool() | None:
            return value
        case int() | float():
            return marker if pattern.search(str(value)) else value
        case list():
            return [_without(one, pattern, marker) for one in value]
        case dict():
            return {_text_without(name, pattern, marker): _without(one, pattern, marker) for name, one in value.items()}
    return value


def _text_without(text: str, pattern: re.Pattern[str], marker: str) -> str:
    """All of it goes where the words stand in it in some code: it is not ours to write anew."""
    changed = pattern.sub(lambda _found: marker, text)
    return marker if file_words.is_hidden(changed, pattern) else changed
