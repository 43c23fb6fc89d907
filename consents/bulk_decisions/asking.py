"""Asking: names in, answers out, some tens of thousands at a time, so that memory stays flat."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from consents import regime, sequencer
from consents.bulk_decisions import exact, keeping
from consents.bulk_decisions.answers import Answers, Asked
from consents.bulk_decisions.hashed_names import NameTable, Seeds, hashed
from consents.bulk_decisions.snapshots import NOBODY, Snapshot, find
from consents.evaluation import Question
from consents.models import Hold
from consents.regime import Book
from consents.vocabulary import CONTACT_SCHEMES
from portal.errors import DomainError

STEP = 65_536
"""So many names at a time: what belongs to them stays in the processor's cache."""
_SPACE = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
"""What str.strip removes, as `subjects.name` does."""


if TYPE_CHECKING:
    # pyarrow's classes take parameters only for the type checker
    Texts = pa.Array[Any]
    Names = Texts | Sequence[str | None]


class BulkError(DomainError):
    """Names that cannot be read as text."""


@dataclass(frozen=True)
class BulkAnswer:
    """Allow or deny for each name asked, in order; everything up to `position` of the log is in it."""

    position: int
    allow: pa.BooleanArray


@dataclass(frozen=True)
class _Table:
    """What answers for a name: where its row is, and what is answered for the row."""

    seeds: Seeds
    names: NameTable
    later: NameTable | None
    allow: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Asking:
    """A question on its way: the position and moment of its answers.

    `spans` are holds on a span of data that the question left open; without a `table` the exact path answers, as of a
    past moment or `now`, as `decisions.decide` does.
    """

    scheme: str
    asked: Asked
    position: int
    at: datetime
    spans: tuple[Hold, ...] = ()
    table: _Table | None = None
    now: bool = False

    def answer(self, names: "Names") -> pa.BooleanArray:
        """Allow or deny for each name, in order. Raises BulkError(`ids_not_text`)."""
        texts = _texts(names)
        parts = [self._part(texts.slice(start, STEP)) for start in range(0, len(texts), STEP)]
        return parts[0] if len(parts) == 1 else pa.concat_arrays([pa.array([], type=pa.bool_()), *parts])

    def _part(self, texts: "Texts") -> pa.BooleanArray:
        if self.table is not None:
            return pa.array(_looked_up(self.table, texts))
        allow = exact.allowed(
            texts.to_pylist(),
            scheme=self.scheme,
            question=self.asked.question,
            at=self.at,
            within=self.asked.within,
            now=self.now,
        )
        return pa.array(allow, type=pa.bool_())


def decide_many(
    ids: Iterable["Names"],
    *,
    scheme: str,
    question: Question,
    now: datetime,
    at: datetime | None = None,
    within: Sequence[str] = (),
) -> Iterator[BulkAnswer]:
    """Allow or deny for each of these names of one scheme, batch by batch as they come.

    Unknown names are denied. `at` asks as of a past moment; without it, as of `now`, whatever was committed before
    the call included. `within` are the jurisdictions whose people the asker may see (empty: everybody's); others are
    denied. Raises BulkError(`ids_not_text`). For reasons, ask `decisions.decide` about one.
    """
    asking = begin(scheme=scheme, question=question, now=now, at=at, within=within)
    for names in ids:
        yield BulkAnswer(asking.position, asking.answer(names))


def begin(
    *, scheme: str, question: Question, now: datetime, at: datetime | None = None, within: Sequence[str] = ()
) -> Asking:
    """Bring the snapshot forward and hold the answers ready; see `decide_many`."""
    asked = Asked(question, tuple(within))
    if scheme not in CONTACT_SCHEMES:
        snapshot = keeping.fetch(scheme, now=now)
        # position, names and answers of one state
        with snapshot.lock:
            found = keeping.answered(snapshot, asked, now=now, at=at)
            if found is not None:
                return of_snapshot(asked, snapshot, found)
    # before the rulebook, so that what the position covers is in it
    position = sequencer.head()
    book = regime.current()
    moment = at or max(now, book.latest)
    return Asking(scheme, asked, position, moment, spans_of(asked, book, moment), now=at is None)


def of_snapshot(asked: Asked, snapshot: Snapshot, found: Answers) -> Asking:
    """The question with the answers that this snapshot has."""
    table = _Table(snapshot.seeds, snapshot.names, snapshot.later_table, found.allow)
    spans = spans_of(asked, found.book, found.since)
    return Asking(snapshot.scheme, asked, snapshot.position, found.since, spans, table)


def spans_of(asked: Asked, book: Book, at: datetime) -> tuple[Hold, ...]:
    question = asked.question
    if question.created_at is not None:
        return ()
    standing = book.at(purpose=question.purpose, at=at)
    return tuple(
        hold
        for hold in standing.open_holds
        if hold.has_window and (not hold.recipients or question.recipient in hold.recipients)
    )


def _texts(names: "Names") -> "Texts":
    try:
        texts: Texts = names if isinstance(names, pa.Array) else pa.array(names, type=pa.large_string())
        if pa.types.is_dictionary(texts.type) or pa.types.is_string_view(texts.type):
            texts = texts.cast(pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError) as error:
        raise BulkError("ids_not_text", "Names are text.", field="id") from error
    check_type(texts.type)
    return texts


def check_type(kind: "pa.DataType") -> None:
    """Raises BulkError(`ids_not_text`) unless a column of this type holds text."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise BulkError("ids_not_text", "Ids are text.", field="id")


def _looked_up(table: _Table, texts: "Texts") -> npt.NDArray[np.bool_]:
    rows = _rows(table, texts)
    missing = np.flatnonzero(rows == NOBODY)
    if len(missing):
        # names are kept without space around them
        as_sent = texts.take(missing)
        trimmed = pc.utf8_trim(as_sent, characters=_SPACE)
        if not trimmed.equals(as_sent):
            rows[missing] = _rows(table, trimmed)
    return table.allow.take(rows)


def _rows(table: _Table, texts: "Texts") -> npt.NDArray[np.int64]:
    series = pl.from_arrow(texts)
    assert isinstance(series, pl.Series)  # noqa: S101 -- an array makes a series
    hashes, tags = hashed(series, table.seeds.name), hashed(series, table.seeds.tag)
    rows = find(table.names, table.later, hashes, tags)
    if texts.null_count:
        rows[~np.asarray(texts.is_valid())] = NOBODY
    return rows
