"""One, many, and the same moment seen from later must give one answer, for every history.

So must the bulk path: a snapshot built anew, one brought forward step by step, and batches as of the past.
"""

import itertools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consents import amendments, bulk_decisions, decisions, holds, notices, rules, sequencer, subjects
from consents.bulk_decisions import building, keeping
from consents.bulk_decisions.answers import Asked
from consents.bulk_decisions.asking import of_snapshot
from consents.bulk_decisions.log_forward import bring_forward
from consents.bulk_decisions.snapshots import Snapshot
from consents.evaluation import Decision, Question
from consents.models import Hold, Purpose, Recipient, Subject
from consents.notices import Draft
from consents.rules import Proposal
from consents.subjects import Newcomer
from consents.vocabulary import EVERY, SLOT_OF, Action, Slot
from portal.errors import Conflict
from tests.conftest import AT, BY, OTHER
from tests.consents.asking import ask, say

# committed for real: one long transaction would hold back everybody's sequencer
pytestmark = pytest.mark.django_db(transaction=True)

PLACES = ["US", "US-CA", "DE", "GB-SCT"]
SCOPES = ["*", "EEA", "GB", "US", "US-CA"]
RECIPIENTS = ["", "one", "two"]
CATEGORIES = ["", "posts"]
ASKED = [("", ""), ("one", "posts"), ("two", "")]
EXAMPLES = itertools.count()
HOUR = timedelta(hours=1)
MADE = AT - timedelta(days=100)


@dataclass
class World:
    """An example's own purposes and people, so that examples need no cleaning up."""

    purposes: list[str]
    people: list[Subject]
    names: list[str]
    began: datetime


Step = Callable[[World, datetime], None]


def on_the_hour(at: datetime) -> datetime:
    """So that time alone changes nothing within the seconds by which clocks differ."""
    return at.replace(minute=0, second=0)


@st.composite
def choices(draw: st.DrawFn) -> Step:
    who, part = draw(st.integers(0, 3)), draw(st.integers(0, 1))
    # some so late that a yes that counts for a day lapses a step later
    late = draw(st.sampled_from([0, 1, 2, 3, 22, 23, 30]))
    action, everything = draw(st.sampled_from(list(Action))), draw(st.booleans())
    recipient, category = draw(st.sampled_from(RECIPIENTS)), draw(st.sampled_from(CATEGORIES))

    def step(world: World, at: datetime) -> None:
        purpose, then = world.purposes[part], on_the_hour(at) - timedelta(hours=late)
        if everything and SLOT_OF[action] != Slot.CHOICE:
            purpose = EVERY
        say(world.people[who], action, purpose, at=at, occurred_at=then, recipient=recipient, category=category)

    return step


@st.composite
def enacted(draw: st.DrawFn) -> Step:
    basis, default = draw(
        st.sampled_from([("consent", "deny"), ("legitimate_interest", "allow"), ("legitimate_interest", "deny")])
    )
    fixed: dict[str, Any] = {
        "jurisdiction": draw(st.sampled_from(SCOPES)),
        "recipient": draw(st.sampled_from(RECIPIENTS)),
        "notice": draw(st.sampled_from(["", "agreeing"])),
        "notice_days": draw(st.sampled_from([0, 1])),
        "consent_days": draw(st.sampled_from([None, 1])),
        "admits_minors": draw(st.booleans()),
        "gpc_denies": draw(st.booleans()),
    }
    part, shift = draw(st.integers(0, 1)), draw(st.integers(-2, 2))
    ends = draw(st.sampled_from([None, 3]))

    def step(world: World, at: datetime) -> None:
        start = on_the_hour(at) + timedelta(hours=shift)
        proposal = Proposal(
            purpose=world.purposes[part],
            legal_basis=basis,
            default=default,
            explanation="",
            source="",
            effective_from=start,
            effective_to=start + timedelta(hours=ends) if ends else None,
            **fixed,
        )
        rules.enact(proposal=proposal, by=BY, at=at)

    return step


@st.composite
def held(draw: st.DrawFn) -> Step:
    part, lift = draw(st.integers(0, 1)), draw(st.booleans())
    places = draw(st.lists(st.sampled_from(SCOPES), max_size=1))
    recipients = draw(st.lists(st.sampled_from(["one", "two"]), max_size=1))

    def step(world: World, at: datetime) -> None:
        scope = holds.HoldScope([world.purposes[part]], places, recipients)
        hold = holds.open(scope=scope, reason="r", by=BY, at=at)
        if lift:
            holds.ask_to_lift(hold=hold, by=BY, at=at)
            holds.lift(hold=hold, by=OTHER, at=at + timedelta(minutes=30))

    return step


@st.composite
def held_on_a_span(draw: st.DrawFn) -> Step:
    begins = draw(st.integers(-3, 3))

    def step(world: World, at: datetime) -> None:
        since = MADE + timedelta(hours=begins)
        Hold.objects.create(
            purposes=[world.purposes[0]],
            reason="r",
            opened_at=at,
            opened_by=BY,
            data_from=since,
            data_until=since + HOUR,
        )

    return step


@st.composite
def amended(draw: st.DrawFn) -> Step:
    who, place, minor = draw(st.integers(0, 3)), draw(st.sampled_from(PLACES)), draw(st.booleans())

    def step(world: World, at: datetime) -> None:
        amendments.amend(subject=world.people[who], jurisdiction=place, is_minor=minor, by=BY, at=at)

    return step


def linked(world: World, at: datetime) -> None:
    name = f"also-{len(world.names)}-{world.names[0]}"
    amendments.link(subject=world.people[1], names=[subjects.name("account", name)], by=BY, at=at)
    world.names.append(name)


def joined(world: World, at: datetime) -> None:
    name = f"new-{len(world.names)}-{world.names[0]}"
    newcomer = Newcomer((subjects.name("account", name),), "DE")
    world.people.append(subjects.register(newcomer=newcomer, by=BY, at=at))
    world.names.append(name)


def told(world: World, at: datetime) -> None:
    notices.publish(draft=Draft("agreeing", {"en": ("N", "n")}, at, at), by=BY, at=at)


def forgotten(world: World, at: datetime) -> None:
    subjects.forget(subject=world.people[3], by=BY, at=at)


def new_world() -> World:
    number = next(EXAMPLES)
    for slug in ("one", "two"):
        Recipient.objects.get_or_create(slug=slug, defaults={"name": slug, "country": "US"})
    slugs = [f"p{number}", f"p{number}/part"]
    for slug in slugs:
        Purpose.objects.create(slug=slug, name=slug, description="", dpv_term="")
    # each example later than those before it, whose people are still there
    began, names = AT + number * timedelta(days=10), [f"m{number}-{place}" for place in PLACES]
    if number % 2 == 0:
        told(World([], [], [], began), began)
    newcomers = [
        Newcomer((subjects.name("account", name),), place, is_minor=place == "US-CA")
        for name, place in zip(names, PLACES, strict=True)
    ]
    people = subjects.register_many(newcomers=newcomers, by=BY, at=began)
    return World(slugs, people, [*names, "nobody"], began)


def seen(decision: Decision) -> tuple[object, ...]:
    choice = decision.choice.event_id if decision.choice else None
    return decision.allow, decision.is_gap, decision.reasons, decision.rule, decision.hold, choice


def all_answers(world: World, at: datetime) -> dict[tuple[object, ...], tuple[object, ...]]:
    """Every question about everyone, one by one; and the same asked of all at once must not differ."""
    people = list(Subject.objects.filter(pk__in=[one.pk for one in world.people]))
    answers: dict[tuple[object, ...], tuple[object, ...]] = {}
    for purpose, (recipient, category) in itertools.product(world.purposes, ASKED):
        question = Question(purpose, recipient, category, MADE if category else None)
        for subject, decision in decisions.decide_each(subjects=people, question=question, at=at):
            one = seen(decisions.decide(subject=subject, question=question, at=at))
            assert one == seen(decision), (question, subject.jurisdiction)
            answers[question, subject.pk] = one
        assert by_name(world, question, at) == in_bulk(world, question, at)
    return answers


def by_name(world: World, question: Question, at: datetime, *, now: bool = False) -> list[bool]:
    """Allow or deny for each name, one by one."""
    names = [subjects.name("account", name) for name in world.names]
    return [decisions.decide_named(name=one, question=question, at=at, now=now).decision.allow for one in names]


def in_bulk(world: World, question: Question, at: datetime) -> list[Any]:
    asked = bulk_decisions.decide_many([world.names], scheme="account", question=question, now=at, at=at)
    return [allow for answer in asked for allow in answer.allow.to_pylist()]


def check_brought_forward(world: World, snapshot: Snapshot, at: datetime) -> None:
    """What a snapshot knows that was brought forward step by step is what one by one is answered."""
    bring_forward(snapshot, at=at)
    for purpose, (recipient, category) in itertools.product(world.purposes, ASKED):
        question = Question(purpose, recipient, category, MADE if category else None)
        asked = Asked(question)
        found = keeping.answered(snapshot, asked, now=at, at=at)
        assert found is not None
        answer = of_snapshot(asked, snapshot, found).answer(world.names)
        assert answer.to_pylist() == by_name(world, question, at), question


STEPS = st.one_of(
    choices(),
    choices(),
    choices(),
    enacted(),
    enacted(),
    held(),
    held_on_a_span(),
    amended(),
    st.sampled_from([told, forgotten, linked, joined]),
)
MODERATE = settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


@MODERATE
@given(history=st.lists(STEPS, min_size=1, max_size=8))
def test_one_and_many_and_later_agree(history: list[Step]) -> None:
    world = new_world()
    snapshot = building.build("account")
    moments: list[tuple[datetime, dict[tuple[object, ...], tuple[object, ...]]]] = []
    for number, step in enumerate(history, start=1):
        at = world.began + timedelta(hours=number)
        # whoever was forgotten says nothing more
        with suppress(Conflict):
            step(world, at)
        if number % 3 == 0:
            # some have a position by then, others wait for one
            sequencer.advance(at=at)
        check_brought_forward(world, snapshot, at)
        moments.append((at, all_answers(world, at)))
    for at, answers in moments:
        # who joined since was unknown then
        assert all_answers(world, at).items() >= answers.items()


@MODERATE
@given(history=st.lists(st.tuples(STEPS, st.sampled_from([0, 2])), min_size=1, max_size=8))
def test_now_is_everything_committed_whatever_the_clocks_show(history: list[tuple[Step, int]]) -> None:
    """Some steps are recorded by a machine whose clock is two seconds ahead of the one that asks."""
    world = new_world()
    snapshot = building.build("account")
    for number, (step, ahead) in enumerate(history, start=1):
        at = world.began + timedelta(hours=number)
        with suppress(Conflict):
            step(world, at + timedelta(seconds=ahead))
        if number % 3 == 0:
            sequencer.advance(at=at)
        check_now(world, snapshot, at)


def check_now(world: World, snapshot: Snapshot, at: datetime) -> None:
    bring_forward(snapshot, at=at)
    people = list(Subject.objects.filter(pk__in=[one.pk for one in world.people]))
    # late enough that nothing committed was written after it, also the lifting of a hold
    afterwards = at + timedelta(minutes=31)
    for purpose, (recipient, category) in itertools.product(world.purposes, ASKED):
        question = Question(purpose, recipient, category, MADE if category else None)
        for subject, decision in decisions.decide_each(subjects=people, question=question, at=at, now=True):
            one = seen(decisions.decide(subject=subject, question=question, at=at, now=True))
            assert one == seen(decision), (question, subject.jurisdiction)
            assert one == seen(decisions.decide(subject=subject, question=question, at=afterwards))
        singly = by_name(world, question, at, now=True)
        assert [one for many in _now_in_bulk(world, question, at) for one in many] == singly
        asked = Asked(question)
        found = keeping.answered(snapshot, asked, now=at, at=None)
        assert found is not None
        assert of_snapshot(asked, snapshot, found).answer(world.names).to_pylist() == singly, question


def _now_in_bulk(world: World, question: Question, at: datetime) -> list[list[Any]]:
    asked = bulk_decisions.decide_many([world.names], scheme="account", question=question, now=at)
    return [answer.allow.to_pylist() for answer in asked]


ACTIONS = st.sampled_from([Action.GRANT, Action.DENY, Action.RESTRICT, Action.UNRESTRICT])


@settings(MODERATE, max_examples=40)
@given(said=st.lists(st.tuples(ACTIONS, st.integers(0, 3)), min_size=3, max_size=8))
def test_choices_out_of_order_are_later_what_they_were_then(said: list[tuple[Action, int]]) -> None:
    """One person, one scope, up to three hours late: ties and overtaking in plenty."""
    world = new_world()
    alice, purpose, moments = world.people[0], world.purposes[0], []
    for number, (action, late) in enumerate(said, start=4):
        at = world.began + timedelta(hours=number)
        say(alice, action, purpose, at=at, occurred_at=at - timedelta(hours=late))
        moments.append((at, seen(ask(alice, purpose, at=at))))
    for at, answer in moments:
        assert seen(ask(alice, purpose, at=at)) == answer
