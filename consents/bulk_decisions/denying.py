"""Who is denied, as a list and not as answers to names: everybody of one scheme whose data must not be used.

The same answers as `asking` gives, so the same as `decisions.decide`; only that names nobody is registered by are
not denied here, because nobody could list them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from consents import decisions, regime, sequencer
from consents.bulk_decisions import keeping
from consents.bulk_decisions.answers import Asked
from consents.bulk_decisions.asking import spans_of
from consents.bulk_decisions.hashed_names import NameTable, Seeds, hashed
from consents.bulk_decisions.snapshots import NOBODY, Snapshot, find
from consents.evaluation import Question
from consents.models import Hold, Subject
from consents.told import is_within


@dataclass(frozen=True)
class Denying:
    """The state from which names are told: its position in the log, its moment, and holds that the question left open.

    `state` is a digest of everything that decides who is denied; equal digests mean the same list.
    """

    position: int
    at: datetime
    state: str
    spans: tuple[Hold, ...]
    denied: npt.NDArray[np.bool_] = field(repr=False)
    seeds: Seeds = field(repr=False)
    names: NameTable = field(repr=False)
    later: NameTable | None = field(repr=False)

    def among(self, names: Sequence[str]) -> list[str]:
        """Those of the names whose person is denied, in order."""
        series = pl.Series(names, dtype=pl.String)
        rows = find(self.names, self.later, hashed(series, self.seeds.name), hashed(series, self.seeds.tag))
        return [names[place] for place in np.flatnonzero(self.denied.take(rows)).tolist()]


def begin(*, scheme: str, question: Question, now: datetime, within: Sequence[str] = ()) -> Denying:
    """Bring the snapshot of the scheme forward and hold ready who is denied now, of people in these jurisdictions."""
    asked = Asked(question, tuple(within))
    snapshot = keeping.fetch(scheme, now=now)
    # position, names and answers of one state
    with snapshot.lock:
        found = keeping.answered(snapshot, asked, now=now, at=None)
        assert found is not None  # noqa: S101 -- only as of a past moment there may be no answers
        denied = ~found.allow & _seen(snapshot, within)
        denied[NOBODY] = False
        return Denying(
            position=snapshot.position,
            at=found.since,
            state=_digest(snapshot, denied),
            spans=spans_of(asked, found.book, found.since),
            denied=denied,
            seeds=snapshot.seeds,
            names=snapshot.names,
            later=snapshot.later_table,
        )


def exactly(people: Sequence[Subject], *, question: Question, now: datetime, within: Sequence[str]) -> set[Subject]:
    """Those of these people who are denied, by the exact path: for schemes of which no snapshot is kept."""
    seen = [one for one in people if is_within(one.jurisdiction, within)]
    answers = decisions.decide_each(subjects=seen, question=question, at=now, now=True)
    return {subject for subject, decision in answers if not decision.allow}


def spans(*, question: Question, now: datetime) -> tuple[int, tuple[Hold, ...]]:
    """The log's head, and the holds over a span of data that the question leaves open, for the exact path."""
    position = sequencer.head()
    return position, spans_of(Asked(question), regime.current(), now)


def _seen(snapshot: Snapshot, within: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which rows are people whom the asker may see, and people at all: whoever was erased has no place any more."""
    kinds = np.array([bool(place) and is_within(place, within) for place, _ in snapshot.profiles], dtype=bool)
    return kinds[snapshot.profile]


def _digest(snapshot: Snapshot, denied: npt.NDArray[np.bool_]) -> str:
    """Names may be added to somebody without their row's answer changing: the log's place says so."""
    made = hashlib.sha256(np.packbits(denied).tobytes())
    made.update(snapshot.salt + str((snapshot.position, sorted(map(str, snapshot.unplaced)))).encode())
    return made.hexdigest()
