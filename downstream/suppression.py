"""Suppression lists: every key that must not be used for a purpose, as of a position of the log.

The same answers as decisions give, for every living person of a scheme, and everybody whose erasure is under way. What
cannot be listed is counted: names of people who were erased are gone, and only keyed fingerprints are left of them.
"""

import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from consents import bulk_names, subjects
from consents.bulk_decisions import denying
from consents.bulk_decisions.denying import Denying
from consents.evaluation import Question
from consents.models import Hold, Subject
from consents.told import is_within
from consents.vocabulary import CONTACT_SCHEMES
from downstream import leaving, naming
from downstream.models import Dataset
from downstream.naming import Hash
from portal.errors import DomainError


class SuppressionError(DomainError):
    """A list that is not given out."""


@dataclass(frozen=True)
class Wanted:
    """Which list: for which use (purpose, recipient, category), by which names, of whose people (empty: everybody's).

    With a `dataset` the keys are written as its key column writes them.
    """

    question: Question
    scheme: str
    within: tuple[str, ...] = ()
    dataset: Dataset | None = None


@dataclass(frozen=True)
class SuppressionList:
    """A list at a position; `batches` gives its keys out, as often as it is called. Not for logs.

    `state` is a digest of what decides who is on it, empty where only reading it tells. `spans` are holds over a span
    of data: rows made in them must be left out as well, whoever they are of.
    """

    wanted: Wanted
    position: int
    at: datetime
    state: str
    spans: tuple[Hold, ...]
    erased_not_listed: int
    _denying: Denying | None = field(repr=False)
    _erasing: frozenset[str] = field(repr=False)
    _spelled: Hash | None = field(repr=False)

    def batches(self) -> Iterator[list[str]]:
        """The keys, some tens of thousands at a time, each once; in order where they are not hashed."""
        for page in self._names():
            if page:
                yield [self._spelled(one) for one in page] if self._spelled else page

    def _names(self) -> Iterator[list[str]]:
        if self._denying is None:
            yield from _by_the_exact_path(self.wanted, self._erasing, now=self.at)
            return
        for page in bulk_names.pages(scheme=self.wanted.scheme):
            listed = set(self._denying.among(page))
            yield [one for one in page if one in listed or one in self._erasing]


def begin(wanted: Wanted, *, now: datetime) -> SuppressionList:
    """Fix the state that the list is of. Raises SuppressionError(`addresses_not_listed`), ConnectorError."""
    spelled = naming.spelling(wanted.dataset) if wanted.dataset else None
    is_contact = wanted.scheme in CONTACT_SCHEMES
    if is_contact and spelled is None:
        raise SuppressionError(
            "addresses_not_listed",
            "Addresses leave here only hashed: register the dataset with a key hash and name it.",
            field="scheme",
        )
    # first, so that who is forgotten in between is on the list or counted
    erased = bulk_names.how_many_erased(wanted.scheme)
    going = _being_erased(wanted)
    question, within = wanted.question, wanted.within
    if is_contact:
        position, spans = denying.spans(question=question, now=now)
        told: Denying | None = None
        at, state = now, ""
    else:
        told = denying.begin(scheme=wanted.scheme, question=question, now=now, within=within)
        position, spans, at = told.position, told.spans, told.at
        state = _digest(told, going, erased)
    return SuppressionList(wanted, position, at, state, spans, erased, told, going, spelled)


def _digest(told: Denying, going: frozenset[str], erased: int) -> str:
    parts = [told.state, erased, sorted(str(hold.pk) for hold in told.spans), sorted(going)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _being_erased(wanted: Wanted) -> frozenset[str]:
    """Names of people whose erasure is under way: no decision speaks of it, and their data must not be used."""
    people: dict[uuid.UUID, str] = dict(
        Subject.objects.filter(pk__in=leaving.being_erased()).values_list("pk", "jurisdiction")
    )
    seen = [pk for pk, place in people.items() if is_within(place, wanted.within)]
    return frozenset(subjects.keys(seen, scheme=wanted.scheme))


def _by_the_exact_path(wanted: Wanted, erasing: frozenset[str], *, now: datetime) -> Iterator[list[str]]:
    for page in bulk_names.every(scheme=wanted.scheme):
        people = Subject.objects.in_bulk(set(page.values()))
        denied = denying.exactly(list(people.values()), question=wanted.question, now=now, within=wanted.within)
        out = {subject.pk for subject in denied}
        yield [name for name, subject_id in page.items() if subject_id in out or name in erasing]
