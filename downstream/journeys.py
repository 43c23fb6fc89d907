"""Where one person's "no" has arrived: the state of each dataset that serves a purpose."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Q, QuerySet, Sum

from consents import holds, jurisdictions, notice_turns, purposes, rules
from consents.evaluation import Decision
from consents.models import LedgerEvent, Preference, Subject
from consents.vocabulary import EVERY, Action, Kind, Slot
from downstream import purging, registry
from downstream.models import Dataset, Exemption, Propagation, PurgeReceipt, RemovalReceipt, Target
from downstream.propagation_states import Status

WAITING, WORKING, FAILED, LATE = "waiting", "working", "failed", "late"
REMOVED, NOT_IN, GAP = "removed", "not_in", "gap"
ASKED, TOLD_REMOVED, TOLD_NOT_IN = "asked", "told_removed", "told_not_in"
"""Where somebody else holds the dataset: they were asked, and what they then said, which nobody of ours has seen."""
EXEMPT = "exempt"
"""It keeps the rows of this erased person, because a law says so; `Stop.reason_code` is the ground."""
MOVING = frozenset({WAITING, WORKING, ASKED, FAILED, LATE})
ATTESTED = frozenset({TOLD_REMOVED, TOLD_NOT_IN})


@dataclass(frozen=True)
class Stop:
    """One dataset on the way of a no."""

    dataset: Dataset
    state: str
    rows_removed: int
    verified_at: datetime | None
    due_at: datetime | None
    reason_code: str = ""
    is_kept: bool = False
    """Readers no longer see the rows, and their bytes are not known to be gone."""
    kept_until: datetime | None = None
    unreachable: tuple[str, ...] = ()
    """What the store says that nobody can search from here, such as backups."""


def origin(*, subject: Subject, decision: Decision, purpose: str, at: datetime) -> int | None:
    """The log position from which a dataset knows of this no at `at`; None while one of its causes has none yet.

    The latest of what can have made it a no: the choice, hold or rule that decided; the person's last amendment (they
    may have moved to where it is off) and last lapse of a yes; where a rule decided, the rules and notices that bear
    on their place and this purpose, which also begin and end. Not before the person was registered: until then no
    run could look for them. The number of statements does not depend on how much there is.
    """
    if _is_untold(subject, decision, purpose, at):
        return None
    places: list[int | None] = []
    for events in _causes(subject, decision, purpose):
        places += events.values_list("placed__position", flat=True)
    known = [place for place in places if place is not None]
    return max(known, default=0) if len(known) == len(places) else None


def _is_untold(subject: Subject, decision: Decision, purpose: str, at: datetime) -> bool:
    """Whether time made it a no by itself, and beat has yet to tell the log of that."""
    if any(reason.code == "stale_consent" for reason in decision.reasons):
        own = Preference.objects.filter(subject_id=subject.pk, slot=Slot.CHOICE, purpose=purpose, action=Action.GRANT)
        if own.filter(recipient=EVERY, category=EVERY, expired_at__isnull=True).exists():
            return True
    return _is_by_rule(decision) and (rules.has_untold_turns(at=at) or notice_turns.has_untold(at=at))


def _causes(subject: Subject, decision: Decision, purpose: str) -> "Iterator[QuerySet[LedgerEvent]]":
    """By what they are looked up by, so that each is found by an index."""
    whole = purposes.lineage(purpose)
    if subject.registered_in is None:
        # of before registrations were kept with the person
        yield LedgerEvent.objects.filter(
            kind=Kind.PEOPLE,
            subject_id__isnull=True,
            recorded_at=subject.registered_at,
            details__jurisdictions__contains=[subject.jurisdiction],
        )
    named = [one for one in (subject.registered_in, decision.choice.event_id if decision.choice else None) if one]
    if decision.hold is not None:
        named.append(holds.opening_event(decision.hold))
    yield LedgerEvent.objects.filter(pk__in=named)
    yield LedgerEvent.objects.filter(
        Q(kind=Kind.AMENDMENT) | Q(kind=Kind.EXPIRY, purpose__in=whole), subject_id=subject.pk
    )
    if _is_by_rule(decision):
        yield _of_rules(subject.jurisdiction, whole, decision)


def _is_by_rule(decision: Decision) -> bool:
    """Whether a rule had a part in it: as the default, as what heeds a signal, or as what admits no minors."""
    return decision.hold is None and (decision.choice is None or decision.decisive.code == "gpc")


def _of_rules(place: str, whole: Sequence[str], decision: Decision) -> "QuerySet[LedgerEvent]":
    """Events of rules and notices that bear on the place and purpose: few hundred at most, under an index of kinds."""
    bears = Q(
        details__jurisdictions__has_any_keys=list(jurisdictions.widening(place)),
        details__purposes__has_any_keys=list(whole),
    )
    if decision.rule is not None and decision.rule.notice:
        # its publication names no places
        bears |= Q(kind=Kind.NOTICE, details__notice=decision.rule.notice)
    return LedgerEvent.objects.filter(bears, kind__in=[Kind.RULE, Kind.NOTICE], subject_id__isnull=True)


def stops(*, subject_id: uuid.UUID, purpose: str, position: int | None, at: datetime) -> list[Stop]:
    """Each living dataset of the purpose; `position` is the no's place in the log, None until it has one."""
    datasets = Dataset.objects.living().serving(purpose).select_related("owner")
    return _stops(datasets, subject_id, position, at)


def everywhere(*, subject_id: uuid.UUID, position: int | None, at: datetime) -> list[Stop]:
    """Each living dataset, whatever it serves: the way of an erasure."""
    datasets = Dataset.objects.living().select_related("owner")
    return _stops(datasets, subject_id, position, at)


def _stops(datasets: "QuerySet[Dataset]", subject_id: uuid.UUID, position: int | None, at: datetime) -> list[Stop]:
    exempted = Exemption.objects.in_force().of_erased().filter(subject_id=subject_id)
    grounds = dict(exempted.values_list("dataset_id", "ground"))
    return [
        Stop(one, EXEMPT, 0, None, None, grounds[one.pk]) if one.pk in grounds else _stop(one, subject_id, position, at)
        for one in datasets
    ]


def among(datasets: Iterable[Dataset], *, subject_id: uuid.UUID, position: int | None, at: datetime) -> list[Stop]:
    """The same of these datasets alone, in their order."""
    return [_stop(dataset, subject_id, position, at) for dataset in datasets]


def _stop(dataset: Dataset, subject_id: uuid.UUID, position: int | None, at: datetime) -> Stop:
    if position is None or dataset.position < position:
        return _on_the_way(dataset, at)
    gaps = Target.objects.gaps().filter(
        propagation__dataset=dataset, propagation__to_position__gte=position, subject_id=subject_id
    )
    if gaps.exists():
        return Stop(dataset, GAP, 0, None, None)
    receipts = RemovalReceipt.objects.filter(dataset=dataset, subject_id=subject_id)
    last = receipts.order_by("-verified_at").first()
    removed = receipts.aggregate(rows=Sum("rows_removed"))["rows"] or 0
    if registry.is_remote(dataset):
        return _told(dataset, receipts, last, removed)
    state = REMOVED if removed else NOT_IN
    stop = Stop(dataset, state, removed, last.verified_at if last else dataset.verified_at, None)
    return _with_bytes(stop, subject_id) if removed else stop


def _with_bytes(stop: Stop, subject_id: uuid.UUID) -> Stop:
    """Whether the removed rows' bytes are gone too, and what could not be looked at."""
    kept = purging.kept(subject_id=subject_id).filter(dataset=stop.dataset)
    untils = list(kept.values_list("kept_until", flat=True))
    searched = PurgeReceipt.objects.filter(
        dataset=stop.dataset,
        propagation_id__in=RemovalReceipt.objects.filter(
            dataset=stop.dataset, subject_id=subject_id, rows_removed__gt=0
        ).values("propagation_id"),
    )
    unreachable = {place for places in searched.values_list("unreachable", flat=True) for place in places}
    return replace(
        stop,
        is_kept=bool(untils),
        kept_until=max((until for until in untils if until), default=None),
        unreachable=tuple(sorted(unreachable)),
    )


def _told(dataset: Dataset, receipts: "QuerySet[RemovalReceipt]", last: RemovalReceipt | None, removed: int) -> Stop:
    """What the holder said of this person; of whom it was never asked, it said nothing."""
    if last is None:
        return Stop(dataset, GAP, 0, None, None)
    # one that was not counted may have been any number of rows
    was_in = removed or receipts.filter(is_counted=False).exists()
    return Stop(dataset, TOLD_REMOVED if was_in else TOLD_NOT_IN, removed, last.verified_at, None)


def _on_the_way(dataset: Dataset, at: datetime) -> Stop:
    current: Propagation | None = dataset.propagations.open().first()
    if current is None:
        return Stop(dataset, WAITING, 0, None, None)
    states = {Status.WORKING: WORKING, Status.AWAITING: ASKED, Status.FAILED: FAILED, Status.STOPPED: FAILED}
    state = states.get(Status(current.status), WAITING)
    if current.is_late(at):
        state = LATE
    return Stop(dataset, state, 0, None, current.deadline, current.reason_code)
