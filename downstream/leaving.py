"""Who has to leave a dataset, and which of their rows."""

import uuid
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from django.db.models import Max, Q, QuerySet

from consents import decisions, evaluation, holds, log
from consents.models import LedgerEvent, Position, Subject
from consents.vocabulary import ANYWHERE, Kind
from downstream.connectors.base import Part, Span, Spans
from downstream.models import Dataset, Exemption, Propagation, Target

Stored = list[list[str | None]]
Going = dict[uuid.UUID, tuple[Span, ...]]
"""People by id, and in which spans their rows were made that have to go; no spans: every row."""


def people(dataset: Dataset, *, after: int, until: int, at: datetime) -> Going:
    """Who must leave the dataset, of those whom the log concerns between two positions, and which of their rows.

    Every row (no spans) leaves when any purpose that the dataset serves is denied to its owner. Where holds pause
    only data made in spans of time, rows of these spans leave.
    """
    at = _not_before_the_log(after=after, until=until, at=at)
    touched = log.touched(after=after, until=until, purposes=frozenset(dataset.purposes))
    if after == 0:
        # a dataset that was just taken in: everyone is looked at, also where no rule speaks at all
        touched.jurisdictions.add(ANYWHERE)
    return _going(dataset, _concerned(touched), erased=touched.erased, at=at)


def everybody(dataset: Dataset, *, at: datetime) -> Going:
    """Everybody living who must not be in the dataset, whenever they said so, and which of their rows."""
    living = Subject.objects.filter(erased_at__isnull=True)
    return _going(dataset, living, erased=set(being_erased()), at=at)


def among(dataset: Dataset, people: Iterable[uuid.UUID], *, at: datetime) -> Going:
    """The same of these people alone."""
    going: Going = {}
    each = iter(people)
    while batch := list(islice(each, 5_000)):
        living = Subject.objects.filter(erased_at__isnull=True, pk__in=batch)
        erased = being_erased().filter(subject_id__in=batch)
        going |= _going(dataset, living, erased=set(erased), at=at)
    return going


def being_erased() -> "QuerySet[LedgerEvent, uuid.UUID]":
    """Ids of people whose erasure is under way: no decision speaks of it, and nothing of them may stay."""
    living = Subject.objects.filter(erased_at__isnull=True).values("pk")
    asked = LedgerEvent.objects.filter(kind=Kind.ERASURE, subject_id__in=living)
    return asked.values_list("subject_id", flat=True)  # type: ignore[return-value]  # an erasure names its person


def _going(dataset: Dataset, candidates: "QuerySet[Subject]", *, erased: set[uuid.UUID], at: datetime) -> Going:
    denied = set(erased)
    for purpose in dataset.purposes:
        question = evaluation.Question(purpose, recipient=dataset.owner_id, category=dataset.category)
        each = candidates.iterator(chunk_size=5_000)
        # now: what somebody said in the meantime is in the stretch that comes next, and may as well count here
        answers = decisions.decide_each(subjects=each, question=question, at=at, now=True)
        denied |= {subject.pk for subject, decision in answers if not decision.allow}
    going: Going = dict.fromkeys(denied, ())
    for pk, spans in _over_spans(dataset, candidates, at=at):
        going.setdefault(pk, spans)
    for pk in kept_back(dataset):
        going.pop(pk, None)
    return going


def kept_back(dataset: Dataset) -> "QuerySet[Exemption, uuid.UUID]":
    """Ids of people whose rows stay although they are erased: exempted, as nobody is from a no of any other kind."""
    # a dataset that is only looked at has no id yet
    exempted = Exemption.objects.in_force().of_erased().filter(dataset_id=dataset.pk)
    return exempted.values_list("subject_id", flat=True)


def _concerned(touched: log.Touched) -> "QuerySet[Subject]":
    # nothing names whoever was forgotten, and that happened only once they were out of every dataset
    living = Subject.objects.filter(erased_at__isnull=True)
    if ANYWHERE in touched.jurisdictions:
        return living
    codes = Subject.objects.values_list("jurisdiction", flat=True).distinct() if touched.jurisdictions else ()
    covered = [code for code in codes if touched.covers(code)]
    return living.filter(
        Q(pk__in=touched.subjects) | Q(registered_in__in=touched.registrations) | Q(jurisdiction__in=covered)
    )


def _over_spans(
    dataset: Dataset, candidates: "QuerySet[Subject]", *, at: datetime
) -> Iterator[tuple[uuid.UUID, tuple[Span, ...]]]:
    paused = holds.over_spans(purposes_served=dataset.purposes, recipient=dataset.owner_id, at=at)
    if not paused:
        return
    by_code: dict[str, tuple[Span, ...]] = {}
    for pk, code in candidates.values_list("pk", "jurisdiction").iterator(chunk_size=5_000):
        if code not in by_code:
            here = [hold for hold in paused if holds.covers_place(hold, code)]
            by_code[code] = tuple(dict.fromkeys(Span(hold.data_from, hold.data_until) for hold in here))
        if by_code[code]:
            yield pk, by_code[code]


def _not_before_the_log(*, after: int, until: int, at: datetime) -> datetime:
    """`at`, or the time of the stretch's latest entry where another machine's clock is ahead of ours.

    A decision as of an earlier moment would not know that entry, and the log would pass over it for good.
    """
    stretch = Position.objects.filter(position__gt=after, position__lte=until)
    latest = stretch.aggregate(at=Max("event__recorded_at"))["at"]
    return max(at, latest) if latest else at


def target(propagation: Propagation, subject_id: uuid.UUID, spans: tuple[Span, ...], *, is_named: bool) -> Target:
    """The run's target, not yet saved; a gap where the dataset has no name for them, or does not tell times."""
    reason = "" if is_named else Target.NO_NAME
    if spans and not propagation.dataset.created_column:
        # whole removals go on in the same run; this one waits for somebody who knows the column
        reason = Target.NO_TIME
    return Target(
        propagation=propagation,
        subject_id=subject_id,
        is_gap=bool(reason),
        reason_code=reason,
        spans=stored(spans),
    )


def as_spans(wanted: dict[str, Stored]) -> Spans:
    """The keys of whom only rows of some spans go, those of the same spans together."""
    alike: dict[tuple[Span, ...], set[str]] = {}
    for key, pairs in wanted.items():
        spans = tuple(Span(*(datetime.fromisoformat(end) if end else None for end in pair)) for pair in pairs)
        alike.setdefault(spans, set()).add(key)
    return Spans(tuple(Part(spans, frozenset(keys)) for spans, keys in alike.items()))


def stored(spans: Iterable[Span]) -> Stored:
    """The spans as they are stored with a target: pairs of times as ISO 8601, from and before."""
    return [[moment.isoformat() if moment else None for moment in (span.start, span.end)] for span in spans]
