"""What staff see of an answer before it is released: some rows of one part, as they are and as the person gets them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.db import transaction
from django.utils import translation

from portal import audit
from requests_app.file_contents.reader import Reader
from requests_app.models import Request
from requests_app.packages import building, contents, redaction, spooling
from requests_app.packages.parts import Asking, Column, Part, Row, Unreadable, plain
from requests_app.packages.redaction import File, Redactor, Unseen, What

MOST = 50
_MOST_LOOKED_AT = 20_000
"""Rows that one look goes through: a page has to be there within seconds."""
_LOOKED_FOR = 10.0
"""Seconds for the files in them; what is not reached is told so, and the build looks into it."""


@dataclass(frozen=True)
class Seen:
    """One row: its mark, its values as gathered, and as the person gets it (None: left out)."""

    mark: str
    before: Row
    after: Row | None
    held: tuple[tuple[File, tuple[str, ...]], ...] = ()
    """Files that are left out because of what they say, and where in each it stands."""
    unseen: tuple[Unseen, ...] = ()
    """Files that cannot be looked into."""

    @property
    def is_changed(self) -> bool:
        return self.after != self.before


@dataclass(frozen=True)
class Preview:
    """Some rows of a part. `matching` rows of the `looked_at` hold what was searched for; `is_whole`: no more there."""

    part: Part
    columns: tuple[Column, ...]
    rows: tuple[Seen, ...]
    looked_at: int
    matching: int
    is_whole: bool
    unread: str


def look(*, request: Request, part: str, find: str = "", trying: What | None = None, by: str, at: datetime) -> Preview:
    """The first rows of the part, those that hold `find` alone where it is given; each look is audited.

    With `trying`, also what that redaction would do. Raises NotFound(`unknown_part`), Conflict(`erased`).
    """
    building.check_can_ask(request)
    # a transaction of its own: reading may take long, and the log waits for whoever has written and not committed
    with transaction.atomic():
        audit.record(
            at=at, by=by, action="request.package_previewed", of=("request", request.pk), details={"part": part}
        )
    asking = building.asking_for(request, at=at)
    with translation.override(asking.language):
        return _look(request, contents.part(asking, part), find.casefold(), trying)


def names(request: Request, *, at: datetime) -> list[tuple[str, str]]:
    """Each part's name and title, in the staff's language; nothing is read."""
    asking = Asking(request, "en", "", at)
    return [(one.name, one.title) for one in contents.of(asking)]


def _look(request: Request, part: Part, find: str, trying: What | None) -> Preview:
    redactions = redaction.in_force(request)
    if trying is not None:
        redactions = [*redactions, redaction.InForce(request.pk, trying, "")]
    with Reader(seconds=_LOOKED_FOR) as reader:
        return _rows(part, Redactor(part.name, part.is_open, redactions, reader), find)


def _rows(part: Part, redactor: Redactor, find: str) -> Preview:
    seen: list[Seen] = []
    columns = {one.name: one for one in part.columns}
    looked_at = matching = 0
    unread, is_whole = "", True
    try:
        for gathered in part.rows():
            if looked_at >= _MOST_LOOKED_AT or (len(seen) >= MOST and not find):
                is_whole = False
                break
            looked_at += 1
            row = {name: plain(value) for name, value in gathered.items()}
            if find and find not in _text(row):
                continue
            matching += 1
            if len(seen) < MOST:
                seen.append(_seen(part, redactor, gathered, row))
                columns |= {name: Column(name, name, "any") for name in row if name not in columns}
    except Unreadable as error:
        unread = error.message
    return Preview(part, tuple(columns.values()), tuple(seen), looked_at, matching, is_whole, unread)


def _seen(part: Part, redactor: Redactor, gathered: Row, row: Row) -> Seen:
    held, unseen = len(redactor.held), len(redactor.unseen)
    left = redactor.apply(row)
    if left is not None:
        left = spooling.without_files(part, redactor, gathered, row, left)
    return Seen(redaction.mark_of(row), row, left, tuple(redactor.held[held:]), tuple(redactor.unseen[unseen:]))


def _text(row: dict[str, Any]) -> str:
    return orjson.dumps(list(row.values())).decode().casefold()
