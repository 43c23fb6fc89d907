"""Whether a version of a dataset may be trained on for a purpose; every reason why not, at once.

Where something cannot be told, the answer is no. What is asked of a version, and why so, is in
docs/decisions/0016-permits.md.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, QuerySet

from consents import holds, log, purposes, regime, sequencer, subjects
from consents.models import Hold, Position
from consents.vocabulary import Default
from downstream import registry, statements, versions
from downstream.models import Correction, Dataset, DatasetVersion, Exemption, Propagation, RemovalReceipt, Target
from downstream.propagation_states import OPEN

_MOST_LOOKED_AT = 5_000
"""Log entries past a dataset's deadline that are looked at one by one; with more, it is behind in any case."""


@dataclass(frozen=True)
class Reason:
    """Why not: a stable code, words for whoever asked, and which dataset; none where it is the whole run."""

    code: str
    text: str
    dataset: str = ""


@dataclass(frozen=True)
class Use:
    """For what, and by which recipient, data would be used."""

    purpose: str
    recipient: str


@dataclass(frozen=True)
class Pause:
    """A hold, and its place in the log; None while it has none."""

    hold: Hold
    position: int | None


def of_rules(use: Use, *, at: datetime) -> Iterator[Reason]:
    """Whether people were told, under every rule by which somebody we know is in by default."""
    book = regime.current()
    standing = book.at(purpose=use.purpose, at=max(at, book.latest))
    if not standing.rules:
        yield Reason("no_rule", f"No rule is in force for {use.purpose}, so nobody can tell what may be used.")
    relied_on = {standing.rule_for(place, use.recipient) for place in subjects.places()}
    for rule in sorted((one for one in relied_on if one is not None), key=lambda one: one.pk):
        if rule.default != Default.ALLOW:
            continue
        where = f"the rule for {rule.jurisdiction} relies on the notice {rule.notice}"
        if standing.notice_missing(rule):
            yield Reason("notice_missing", f"Use by default without notice: {where}, which is not published.")
        elif not standing.notice_over(rule):
            yield Reason("notice_not_over", f"People have not been told long enough ago: {where}.")


def of_dataset(dataset: Dataset, use: Use) -> Iterator[Reason]:
    """Whether the dataset is there for such a use at all, in whatever version."""
    if registry.is_remote(dataset):
        text = "Somebody else holds it: of what we cannot look into there are no versions, and no permits."
        yield Reason("held_by_another", text, dataset.slug)
    if dataset.retired_at is not None:
        yield Reason("retired", "It is retired: nothing is removed from it any longer.", dataset.slug)
    if dataset.owner_id != use.recipient:
        text = f"It is kept for {dataset.owner_id}: what people said about {use.recipient} is not removed from it."
        yield Reason("other_owner", text, dataset.slug)
    if use.purpose not in dataset.purposes:
        # neither a part nor the whole will do: each has rules and choices of its own
        served = ", ".join(dataset.purposes)
        yield Reason("purpose_not_served", f"It serves {served}, and only for that are people removed.", dataset.slug)


def of_version(version: DatasetVersion, use: Use, paused: Iterable[Pause], *, at: datetime) -> Iterator[Reason]:
    """Whether everybody who may not be in it is out of this version, and nothing is paused or unknown."""
    dataset = version.dataset
    yield from _content(version)
    yield from _progress(dataset, at)
    yield from _holds(dataset, paused)
    yield from _gaps(dataset)
    yield from _exempted(dataset)
    yield from _uncorrected(dataset, at)
    yield from _own_words(dataset, use)


def verified_up_to(version: DatasetVersion) -> int:
    """The position up to which every no is verified in this content."""
    return versions.verified_up_to(_as_now(version))


def _as_now(version: DatasetVersion) -> DatasetVersion:
    """The newest version where that has the same content and was looked through: then this one is as clean."""
    newest = versions.newest(version.dataset)
    if newest is None or newest.has_arrivals or newest.manifest_digest != version.manifest_digest:
        return version
    return newest


def pauses(use: Use, *, at: datetime) -> list[Pause]:
    """Holds in force that pause such a use for somebody or other, to be looked at for each of several datasets."""
    every = holds.standing_since(at)
    bearing = [one for one in every if holds.bears_on(one, purpose=use.purpose, recipients=[use.recipient])]
    return [Pause(one, sequencer.position_of(holds.opening_event(one))) for one in bearing]


def _content(version: DatasetVersion) -> Iterator[Reason]:
    """A version is as clean as the dataset is now if no run came after it, or if its content is the newest one's.

    What came in later is no matter of its own: a run that went through that alone, for what was verified here already,
    does not count.
    """
    same, slug, number = _as_now(version), version.dataset.slug, version.number
    if same.has_arrivals:
        text = f"Version {number} holds what came in by others, and nobody has looked through that yet."
        yield Reason("not_looked_through", text, slug)
        return
    position = versions.verified_up_to(same)
    later = version.dataset.versions.filter(number__gt=same.number, propagation_id__isnull=False)
    runs = Propagation.objects.filter(pk__in=later.values("propagation_id")).exclude(
        from_position__gte=position, to_position__lte=position
    )
    if not runs.exists():
        return
    left = RemovalReceipt.objects.filter(propagation_id__in=runs.values("pk"), rows_removed__gt=0)
    people = left.values("subject_id").distinct().count()
    if people:
        text = f"{people} people left the dataset since version {number}; take a newer version."
        yield Reason("people_left_since", text, slug)
    else:
        text = f"People said no since version {number}, and they were looked for in later ones only."
        yield Reason("not_looked_since", text, slug)


def _progress(dataset: Dataset, at: datetime) -> Iterator[Reason]:
    if dataset.position == 0 and sequencer.head():
        yield Reason("not_verified", "Nobody was looked for in it yet.", dataset.slug)
        return
    run = dataset.propagations.filter(status__in=OPEN).first()
    if run is not None and run.is_late(at):
        text = f"A no did not arrive in time: the run that was due by {_moment(run.deadline)} is {run.status}."
        yield Reason("propagation_late", text, dataset.slug)
    elif run is None and _is_behind(dataset, at):
        hours = dataset.deadline_hours
        text = f"It is verified up to position {dataset.position} only, and what follows is older than {hours} hours."
        yield Reason("behind", text, dataset.slug)


def _is_behind(dataset: Dataset, at: datetime) -> bool:
    """Whether an entry that bears on the dataset is past its deadline and not carried out."""
    due = at - timedelta(hours=dataset.deadline_hours)
    overdue = Position.objects.filter(position__gt=dataset.position, event__recorded_at__lt=due)
    last = overdue.order_by("-position").values_list("position", flat=True).first()
    if last is None or last > dataset.position + _MOST_LOOKED_AT:
        return last is not None
    touched = log.touched(after=dataset.position, until=last, purposes=frozenset(dataset.purposes))
    return bool(touched.subjects or touched.erased or touched.registrations or touched.jurisdictions)


def _holds(dataset: Dataset, paused: Iterable[Pause]) -> Iterator[Reason]:
    """A hold that is carried out leaves the rest to be used, unless it leaves no rest. No deadline counts here."""
    for one in paused:
        opened = _moment(one.hold.opened_at)
        if holds.is_of_everyone(one.hold):
            yield Reason("hold_on_everything", f"Paused for everybody since {opened}.", dataset.slug)
        elif one.position is None or one.position > dataset.position:
            text = f"The pause of {opened} is not carried out in it yet."
            yield Reason("hold_not_carried_out", text, dataset.slug)


def _gaps(dataset: Dataset) -> Iterator[Reason]:
    people = _unnamed(dataset).values("subject_id").distinct().count()
    if people:
        text = f"Of {people} people who may not be in it nobody can tell which rows are theirs."
        yield Reason("gap", text, dataset.slug)


def _exempted(dataset: Dataset) -> Iterator[Reason]:
    """Rows that a law has it keep are there to be kept, and for nothing else."""
    kept = Exemption.objects.in_force().of_erased().filter(dataset=dataset)
    people = kept.values("subject_id").distinct().count()
    if people:
        text = f"It keeps rows of {people} erased people because a law says so; they must not be trained on."
        yield Reason("exempted_rows", text, dataset.slug)


def _uncorrected(dataset: Dataset, at: datetime) -> Iterator[Reason]:
    """What people said is wrong must not be learned once it should have been put right."""
    late = Correction.objects.overdue(at).filter(dataset=dataset).count()
    if late:
        yield Reason("correction_late", f"{late} corrections in it are past their deadline.", dataset.slug)


def _unnamed(dataset: Dataset) -> "QuerySet[Target]":
    """Gaps that no later run has closed by finding the person after all."""
    found = RemovalReceipt.objects.filter(
        dataset=dataset,
        subject_id=OuterRef("subject_id"),
        position__gt=OuterRef("propagation__to_position"),
        spans=[],
    )
    return Target.objects.gaps().filter(~Exists(found), propagation__dataset=dataset)


def _own_words(dataset: Dataset, use: Use) -> Iterator[Reason]:
    """What rows say themselves, where the use is training."""
    if not purposes.covers(statements.TRAINING, use.purpose) or not statements.has_columns(dataset):
        return
    if dataset.statements_read_at is None or "failed" in dataset.row_statements:
        text = "Its rows say themselves how they may be used, and that was not read."
        yield Reason("statements_unread", text, dataset.slug)
    elif rows := statements.still_there(dataset):
        yield Reason("rows_say_no", f"{rows} rows say no by themselves and are still there.", dataset.slug)


def distinct(reasons: Sequence[Reason]) -> list[Reason]:
    """Each once, in their order."""
    return list(dict.fromkeys(reasons))


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
