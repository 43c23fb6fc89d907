"""Everybody of one identifier scheme, as arrays: who they are and what they said, at a position of the log.

A row is a person. Row 0 is nobody: unknown names and erased people, who are always denied. Only hashes and codes are
kept, never a name: see docs/decisions/0008-bulk-decisions.md.
"""

import threading
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from consents.bulk_decisions.hashed_names import Hashes, NameTable, Rows, Seeds
from consents.told import Held
from consents.vocabulary import Action

if TYPE_CHECKING:
    from consents.bulk_decisions.answers import Answers

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ACTIONS = tuple(action.value for action in Action)
NOBODY = 0
_KINDS = (np.int32, np.uint16, np.uint8, np.int64)
_Word = TypeVar("_Word")
Scope = tuple[str, str, str, str]
"""Slot, purpose, recipient, category."""


def microseconds(moment: datetime) -> int:
    """Since 1970, exactly: PostgreSQL keeps no finer time."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment(since: int) -> datetime:
    return EPOCH + timedelta(microseconds=int(since))


@dataclass(frozen=True)
class Sayings:
    """What people said, one entry each, in order of rows; codes of scopes and actions, microseconds since 1970."""

    rows: npt.NDArray[np.int32]
    scopes: npt.NDArray[np.uint16]
    actions: npt.NDArray[np.uint8]
    times: npt.NDArray[np.int64]

    @staticmethod
    def none() -> "Sayings":
        return entries([])

    def of(self, row: int) -> slice:
        first, last = np.searchsorted(self.rows, [row, row + 1])
        return slice(int(first), int(last))

    def chosen(self, which: npt.NDArray[np.bool_]) -> "Sayings":
        return Sayings(self.rows[which], self.scopes[which], self.actions[which], self.times[which])


@dataclass
class Snapshot:
    """See the module. `latest` is the time of the latest thing in it: as of earlier moments it cannot answer.

    `marker` is the event at `position`, by which a snapshot of another log, or of another past, is known.
    """

    scheme: str
    salt: bytes
    seeds: Seeds
    position: int
    marker: uuid.UUID | None
    latest: datetime
    names: NameTable
    people: Hashes
    profile: npt.NDArray[np.uint16]
    profiles: list[tuple[str, bool]]
    sayings: Sayings
    scopes: list[Scope]
    # what the log brought since
    later_names: dict[int, tuple[int, int]] = field(default_factory=dict)
    later_table: NameTable | None = None
    later_people: dict[int, int] = field(default_factory=dict)
    later_sayings: dict[int, list[Held]] = field(default_factory=dict)
    unplaced: frozenset[uuid.UUID] = frozenset()
    answers: "dict[object, Answers]" = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def size(self) -> int:
        """Rows in use, with row 0."""
        return len(self.people) + len(self.later_people)

    def rows_of(self, people: Hashes) -> Rows:
        """The row of each person by the hash of their id, 0 where they have none yet."""
        places = np.searchsorted(self.people, people)
        places[places == len(self.people)] = 0
        rows = np.where(self.people[places] == people, places, NOBODY)
        if self.later_people:
            later = [self.later_people.get(int(one), NOBODY) for one in people]
            rows = np.where(rows == NOBODY, later, rows)
        return rows

    def find(self, hashes: Hashes, tags: Hashes) -> Rows:
        """The row of each name, 0 where there is none."""
        return find(self.names, self.later_table, hashes, tags)

    def said_by(self, row: int) -> list[Held]:
        """What the person of this row last said."""
        later = self.later_sayings.get(row)
        if later is not None:
            return later
        which = self.sayings.of(row)
        every = zip(self.sayings.scopes[which], self.sayings.actions[which], self.sayings.times[which], strict=True)
        return [self.held(int(scope), int(action), int(time)) for scope, action, time in every]

    def held(self, scope: int, action: int, time: int) -> Held:
        """One entry in the words of `evaluation.evaluate`, which needs no id of it to say yes or no."""
        return Held(*self.scopes[scope], ACTIONS[action], uuid.UUID(int=0), moment(time))

    def profile_code(self, jurisdiction: str, is_minor: bool) -> int:
        """The code of such people, a new one if there were none yet."""
        return _code(self.profiles, (jurisdiction, is_minor))

    def _scope_code(self, one: Held) -> int:
        return _code(self.scopes, (one.slot, one.purpose, one.recipient, one.category))

    def fold(self) -> None:
        """Take what people said since into the arrays."""
        if not self.later_sayings:
            return
        said = entries(
            (row, self._scope_code(one), ACTIONS.index(one.action), microseconds(one.occurred_at))
            for row, held in self.later_sayings.items()
            for one in held
        )
        changed = np.fromiter(self.later_sayings, dtype=np.int32, count=len(self.later_sayings))
        kept = self.sayings.chosen(~np.isin(self.sayings.rows, changed))
        self.sayings = in_order([kept, said])
        self.later_sayings = {}


def find(names: NameTable, later: NameTable | None, hashes: Hashes, tags: Hashes) -> Rows:
    """The row of each name in one table or the other."""
    rows = names.find(hashes, tags)
    if later is not None:
        missing = np.flatnonzero(rows == NOBODY)
        if len(missing):
            rows[missing] = later.find(hashes[missing], tags[missing])
    return rows


def entries(listed: Iterable[tuple[int, int, int, int]]) -> Sayings:
    """Sayings out of rows, scopes, actions and times."""
    columns = list(zip(*listed, strict=True)) or [(), (), (), ()]
    return Sayings(*(np.array(one, dtype=kind) for one, kind in zip(columns, _KINDS, strict=True)))


def in_order(parts: Sequence[Sayings]) -> Sayings:
    """The parts as one, in order of rows."""
    rows = np.concatenate([part.rows for part in parts])
    order = np.argsort(rows, kind="stable")
    return Sayings(
        rows[order],
        np.concatenate([part.scopes for part in parts])[order],
        np.concatenate([part.actions for part in parts])[order],
        np.concatenate([part.times for part in parts])[order],
    )


def _code(words: list[_Word], word: _Word) -> int:
    if word not in words:
        words.append(word)
    return words.index(word)
