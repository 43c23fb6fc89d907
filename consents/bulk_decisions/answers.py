"""The answer to one question for every row of a snapshot, derived by `evaluation.evaluate` itself.

People who live in the same place, are of the same age group and said the same things get the same answer. So the
function that decides for one is asked once for each such combination, and numpy spreads what it says. Rules, notices,
holds, signals and minors need no logic here. What time changes is known beforehand: the rulebook's next moment of
change, and when each yes lapses.
"""

import heapq
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from consents import evaluation, purposes
from consents.bulk_decisions.snapshots import ACTIONS, EPOCH, NOBODY, Sayings, Snapshot, microseconds
from consents.evaluation import Question
from consents.regime import Book, Regime
from consents.told import Held, Person, is_within
from consents.vocabulary import EVERY, Action, Slot

_DAY = 86_400_000_000
_NEVER = np.iinfo(np.int64).max
_CODES = 32
"""More than there are actions, fresh and stale."""
_FEW = 4_000_000
_GRANT = ACTIONS.index(Action.GRANT.value)
_NOBODY_ID = uuid.UUID(int=0)


@dataclass(frozen=True)
class Asked:
    """A question, and whose people the asker may see (no jurisdictions: everybody's)."""

    question: Question
    within: tuple[str, ...] = ()


@dataclass
class Answers:
    """Allow or deny for each row, true from `since` on under this rulebook until its next moment of change.

    `lapses` are rows whose yes lapses, in order of time. `brought` is the latest moment as of which some rows were
    decided anew: before it, by the rules of a later time than was asked for.
    """

    asked: Asked
    book: Book
    since: datetime
    allow: npt.NDArray[np.bool_]
    lapse_times: npt.NDArray[np.int64]
    lapse_rows: npt.NDArray[np.int32]
    brought: datetime = EPOCH
    lapsed: int = 0
    later_lapses: list[tuple[int, int]] = field(default_factory=list)

    def holds_at(self, book: Book, at: datetime) -> bool:
        """Whether only lapses lie between this and `at`."""
        return self.book is book and max(self.since, self.brought) <= at and book.span(self.since) == book.span(at)


class _Judge:
    """Asks `evaluate` for people of a profile who said something, as of a moment."""

    def __init__(self, asked: Asked, standing: Regime) -> None:
        self.asked, self.standing = asked, standing

    def allows(self, profile: tuple[str, bool], said: Sequence[Held]) -> bool:
        jurisdiction, is_minor = profile
        if not jurisdiction or not is_within(jurisdiction, self.asked.within):
            return False
        someone = Person(_NOBODY_ID, jurisdiction, is_minor, registered_at=EPOCH)
        return evaluation.evaluate(someone, said, self.standing, self.asked.question).allow

    def lifetime(self, profile: tuple[str, bool]) -> tuple[int, int]:
        """From when on a yes counts, and for how many microseconds."""
        rule = self.standing.rule_for(profile[0], self.asked.question.recipient) if profile[0] else None
        counts = evaluation.lifetime(self.standing, rule)
        since = microseconds(counts.since) if counts.since else -_NEVER
        return since, _NEVER if counts.days is None else counts.days * _DAY


def derive(snapshot: Snapshot, asked: Asked, *, book: Book, at: datetime) -> Answers:
    """The answer for every row: one vectorised pass."""
    snapshot.fold()
    judge = _Judge(asked, book.at(purpose=asked.question.purpose, at=at))
    silent = np.array([judge.allows(profile, ()) for profile in snapshot.profiles])
    allow = silent[snapshot.profile]
    said = _bearing(snapshot, asked.question)
    ends = _ends(snapshot, said, judge)
    fresh = ends > microseconds(at)
    combinations, rows, firsts = _combinations(snapshot, said, fresh)
    verdicts = np.array([_verdict(snapshot, said, judge, first) for first in firsts], dtype=bool)
    if len(rows):
        allow[rows] = verdicts[combinations]
    lapsing = np.flatnonzero(fresh & (ends != _NEVER))
    lapsing = lapsing[np.argsort(ends[lapsing], kind="stable")]
    return Answers(asked, book, at, allow, ends[lapsing], said.rows[lapsing])


def bring_up(snapshot: Snapshot, answers: Answers, rows: Iterable[int], *, at: datetime) -> None:
    """Decide anew for these rows, whose people changed or whose yes lapsed."""
    judge = _Judge(answers.asked, answers.book.at(purpose=answers.asked.question.purpose, at=at))
    answers.brought = max(answers.brought, at)
    for row in set(rows):
        profile, said = snapshot.profiles[snapshot.profile[row]], snapshot.said_by(row)
        answers.allow[row] = row != NOBODY and judge.allows(profile, said)
        since, lasts = judge.lifetime(profile)
        for held in said:
            end = _end(microseconds(held.occurred_at), since, lasts)
            if held.action == Action.GRANT and microseconds(at) < end < _NEVER:
                heapq.heappush(answers.later_lapses, (end, row))


def let_lapse(snapshot: Snapshot, answers: Answers, *, at: datetime) -> None:
    """Decide anew for those whose yes lapsed since, up to and with `at`."""
    now = microseconds(at)
    last = int(np.searchsorted(answers.lapse_times, now, side="right"))
    rows = answers.lapse_rows[answers.lapsed : last].tolist()
    while answers.later_lapses and answers.later_lapses[0][0] <= now:
        rows.append(heapq.heappop(answers.later_lapses)[1])
    answers.lapsed, answers.since = max(answers.lapsed, last), at
    if rows:
        bring_up(snapshot, answers, rows, at=at)


def _bearing(snapshot: Snapshot, question: Question) -> Sayings:
    """Those sayings that `evaluate` could look at: of the purpose and what it is part of, for such a recipient."""
    wanted = {*purposes.lineage(question.purpose), EVERY}
    scopes = set(evaluation.scopes(question))
    bears = [purpose in wanted and (who, what) in scopes for _, purpose, who, what in snapshot.scopes]
    if not bears:
        return Sayings.none()
    return snapshot.sayings.chosen(np.array(bears)[snapshot.sayings.scopes])


def _ends(snapshot: Snapshot, said: Sayings, judge: _Judge) -> npt.NDArray[np.int64]:
    """Until when each saying counts: a yes under consent may be too old or lapse, all else counts for ever."""
    ends = np.full(len(said.rows), _NEVER, dtype=np.int64)
    slots = np.array([scope[0] == Slot.CHOICE for scope in snapshot.scopes], dtype=bool)
    for code in np.unique(snapshot.profile[said.rows]).tolist():
        since, lasts = judge.lifetime(snapshot.profiles[code])
        if (since, lasts) == (-_NEVER, _NEVER):
            continue
        yes = np.flatnonzero((said.actions == _GRANT) & (snapshot.profile[said.rows] == code) & slots[said.scopes])
        times = said.times[yes]
        ends[yes] = np.where(times < since, 0, times + lasts if lasts != _NEVER else _NEVER)
    return ends


def _end(time: int, since: int, lasts: int) -> int:
    if time < since:
        return 0
    return _NEVER if lasts == _NEVER else time + lasts


def _combinations(
    snapshot: Snapshot, said: Sayings, fresh: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], list[int]]:
    """For each person who said something the number of their combination, their row, and one person for each number."""
    begins = np.diff(said.rows, prepend=np.int32(-1)) != 0
    rows, person = said.rows[begins], np.cumsum(begins) - 1
    value = 1 + 2 * said.actions.astype(np.int64) + fresh
    numbers = snapshot.profile[rows].astype(np.int64)
    for scope in np.unique(said.scopes).tolist():
        here = said.scopes == scope
        column = np.zeros(len(rows), dtype=np.int64)
        column[person[here]] = value[here]
        numbers = _renumbered(numbers * _CODES + column)
    firsts = np.zeros(int(numbers.max()) + 1 if len(numbers) else 0, dtype=np.int64)
    # backwards, so that the first of each number stays
    firsts[numbers[::-1]] = rows[::-1]
    return numbers, rows, firsts.tolist()


def _renumbered(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The same numbers without holes."""
    top = int(numbers.max()) if len(numbers) else 0
    if top > _FEW:
        return np.unique(numbers, return_inverse=True)[1].astype(np.int64)
    used = np.bincount(numbers, minlength=top + 1) > 0
    return (np.cumsum(used) - 1)[numbers]


def _verdict(snapshot: Snapshot, said: Sayings, judge: _Judge, row: int) -> bool:
    which = said.of(row)
    every = zip(said.scopes[which], said.actions[which], said.times[which], strict=True)
    held = [snapshot.held(int(scope), int(action), int(time)) for scope, action, time in every]
    return judge.allows(snapshot.profiles[snapshot.profile[row]], held)
