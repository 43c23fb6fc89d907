"""May this purpose be served with this person's data? Asked of one person, by name, or of many.

What the answer needs is read in `consents.told`; which it is, one pure function says for one and for many alike:
`evaluation.evaluate`.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from consents import purposes, regime, told
from consents.evaluation import Decision, Question, evaluate, for_unknown
from consents.models import Rule, Subject
from consents.subjects import Name
from consents.told import Held, Person
from consents.vocabulary import EVERY, Slot
from portal.errors import NotFound

_BATCH = 5_000


@dataclass(frozen=True)
class NamedDecision:
    """The decision about whoever is called so, as of `at`, and the log's head when it was read.

    `subject_id` None: nobody seen.
    """

    decision: Decision
    subject_id: uuid.UUID | None
    position: int
    at: datetime


@dataclass(frozen=True)
class Answer:
    """A decision with the rule of the place, also where it did not decide, and the choice of exactly this scope."""

    decision: Decision
    rule: Rule | None
    own: Held | None


# `at` is a moment of the past, as of which is decided: nothing recorded after it counts. With `now`, `at` is what the
# asker's clock shows, and everything committed counts, also what a clock ahead of theirs has recorded.


def decide(
    *, subject: Subject | None, question: Question, at: datetime, jurisdiction: str | None = None, now: bool = False
) -> Decision:
    """Decide for one person as of `at`, or as of `now`; nobody in the future (at most two statements).

    For an unknown person (`subject` None, or not registered yet at `at`) the stated `jurisdiction`'s default
    answers; without one, deny.
    """
    read = told.of_subject(subject.pk if subject else None, purposes=_wanted([question]), at=at, now=now)
    return _decided(read, question, jurisdiction=jurisdiction)


def decide_named(
    *,
    name: Name,
    question: Question,
    at: datetime,
    jurisdiction: str | None = None,
    within: Sequence[str] = (),
    now: bool = False,
) -> NamedDecision:
    """Find the person by name and decide, in the same statement (at most two).

    `within` are the jurisdictions whose people the asker may see, by where they live now (empty: everybody's). No
    default speaks for somebody whom the name means elsewhere, or meant until they were erased. Raises
    NotFound(`unknown_purpose`, `unknown_recipient`).
    """
    read = told.of_name(name, purposes=_wanted([question]), at=at, now=now)
    if question.purpose not in read.book.purposes:
        raise NotFound("unknown_purpose", "There is no such purpose.", field="purpose")
    if question.recipient != EVERY and question.recipient not in read.book.recipients:
        raise NotFound("unknown_recipient", "There is no such recipient.", field="recipient")
    hidden = read.was_erased if read.lives_in is None else not told.is_within(read.lives_in, within)
    if hidden:
        decision = for_unknown(read.book.at(purpose=question.purpose, at=read.at), question, None)
        return NamedDecision(decision, None, read.position, read.at)
    decision = _decided(read, question, jurisdiction=jurisdiction)
    return NamedDecision(decision, read.person.pk if read.person else None, read.position, read.at)


def decide_all(*, subject: Subject, questions: Sequence[Question], at: datetime, now: bool = False) -> list[Answer]:
    """Several questions about one person, with what a page shows beside (at most two statements for all of them)."""
    read = told.of_subject(subject.pk, purposes=_wanted(questions), at=at, now=now)
    return [_answer(read, question) for question in questions]


def _answer(read: told.Told, question: Question) -> Answer:
    rule = None
    if read.person is not None:
        standing = read.book.at(purpose=question.purpose, at=read.at)
        rule = standing.rule_for(read.person.jurisdiction, question.recipient)
    scope = (Slot.CHOICE, question.purpose, question.recipient, question.category)
    own = (held for held in read.said if (held.slot, held.purpose, held.recipient, held.category) == scope)
    return Answer(_decided(read, question, jurisdiction=None), rule, next(own, None))


def decide_each(
    *, subjects: Iterable[Subject], question: Question, at: datetime, now: bool = False
) -> Iterator[tuple[Subject, Decision]]:
    """The same answers as `decide`, for many people at hand, in batches of one statement or two each.

    For millions by name, without reasons, see `consents.bulk_decisions`.
    """
    book = regime.current()
    people = iter(subjects)
    while batch := list(islice(people, _BATCH)):
        persons = [told.person(one) for one in batch]
        if now:
            held = told.said_now([one.pk for one in persons], purposes=_wanted([question]))
            found: list[tuple[Person, Sequence[Held]]] = [(one, held.get(one.pk, [])) for one in persons]
            at = max(at, book.latest, *(moment for one, said in found for moment in told.moments(one, said)))
        else:
            found = told.of_many(persons, purposes=_wanted([question]), at=at)
        standing = book.at(purpose=question.purpose, at=at)
        for subject, (person, said) in zip(batch, found, strict=True):
            yield subject, evaluate(person, said, standing, question)


def preferences(
    subject_ids: Sequence[uuid.UUID], *, question: Question, at: datetime
) -> dict[uuid.UUID, Sequence[Held]]:
    """What these people had last said by `at` about this purpose and what it is part of, for `evaluate`."""
    # what they said does not depend on who they are
    people = [Person(pk, jurisdiction=EVERY, is_minor=False, registered_at=at) for pk in subject_ids]
    return {one.pk: said for one, said in told.of_many(people, purposes=_wanted([question]), at=at)}


def _decided(read: told.Told, question: Question, *, jurisdiction: str | None) -> Decision:
    standing = read.book.at(purpose=question.purpose, at=read.at)
    if read.person is None or read.person.registered_at > read.at:
        return for_unknown(standing, question, jurisdiction)
    return evaluate(read.person, read.said, standing, question)


def _wanted(questions: Sequence[Question]) -> list[str]:
    """What must be known of a person to answer: what they said of these purposes, of what these are part of, of all."""
    return [*dict.fromkeys(part for one in questions for part in purposes.lineage(one.purpose)), EVERY]
