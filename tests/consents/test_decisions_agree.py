"""One, many, and the same moment seen from later: three ways that must give one answer, for every history."""

import itertools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consents import decisions, holds, notices, rules, subjects
from consents.decisions import Decision, Question
from consents.models import Purpose, Recipient, Subject
from consents.notices import Draft
from consents.rules import Proposal
from consents.subjects import Newcomer
from consents.vocabulary import Action
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


@dataclass
class World:
    """An example's own purposes and people, so that examples need no cleaning up."""

    purposes: list[str]
    people: list[Subject]


Step = Callable[[World, datetime], None]


@st.composite
def choices(draw: st.DrawFn) -> Step:
    who, part, late = draw(st.integers(0, 3)), draw(st.integers(0, 1)), draw(st.integers(0, 3))
    action = draw(st.sampled_from(list(Action)))
    recipient, category = draw(st.sampled_from(RECIPIENTS)), draw(st.sampled_from(CATEGORIES))

    def step(world: World, at: datetime) -> None:
        purpose, then = world.purposes[part], at - timedelta(hours=late)
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
    }
    part, shift = draw(st.integers(0, 1)), draw(st.integers(-2, 2))
    ends = draw(st.sampled_from([None, 3]))

    def step(world: World, at: datetime) -> None:
        start = at + timedelta(hours=shift)
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
    if number == 0:
        told(World([], []), AT)
    newcomers = [
        Newcomer((subjects.name("account", f"m{number}-{place}"),), place, is_minor=place == "US-CA")
        for place in PLACES
    ]
    return World(slugs, subjects.register_many(newcomers=newcomers, by=BY, at=AT))


def seen(decision: Decision) -> tuple[object, ...]:
    choice = decision.choice.event_id if decision.choice else None
    return decision.allow, decision.reasons, decision.rule, decision.hold, choice


def all_answers(world: World, at: datetime) -> dict[tuple[object, ...], tuple[object, ...]]:
    """Every question about everyone, one by one; and the same asked of all at once must not differ."""
    people = list(Subject.objects.filter(pk__in=[one.pk for one in world.people]))
    answers: dict[tuple[object, ...], tuple[object, ...]] = {}
    for purpose, (recipient, category) in itertools.product(world.purposes, ASKED):
        question = Question(purpose, recipient, category)
        for subject, decision in decisions.decide_each(subjects=people, question=question, at=at):
            one = seen(decisions.decide(subject=subject, question=question, at=at))
            assert one == seen(decision), (question, subject.jurisdiction)
            answers[question, subject.pk] = one
    return answers


STEPS = st.one_of(choices(), choices(), enacted(), held(), st.just(told), st.just(forgotten))
MODERATE = settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


@MODERATE
@given(history=st.lists(STEPS, min_size=1, max_size=8))
def test_one_and_many_and_later_agree(history: list[Step]) -> None:
    world = new_world()
    moments: list[tuple[datetime, dict[tuple[object, ...], tuple[object, ...]]]] = []
    for number, step in enumerate(history, start=1):
        at = AT + timedelta(hours=number)
        # whoever was forgotten says nothing more
        with suppress(Conflict):
            step(world, at)
        moments.append((at, all_answers(world, at)))
    for at, answers in moments:
        assert all_answers(world, at) == answers


ACTIONS = st.sampled_from([Action.GRANT, Action.DENY, Action.RESTRICT, Action.UNRESTRICT])


@settings(MODERATE, max_examples=40)
@given(said=st.lists(st.tuples(ACTIONS, st.integers(0, 3)), min_size=3, max_size=8))
def test_choices_out_of_order_are_later_what_they_were_then(said: list[tuple[Action, int]]) -> None:
    """One person, one scope, up to three hours late: ties and overtaking in plenty."""
    world = new_world()
    alice, purpose, moments = world.people[0], world.purposes[0], []
    for number, (action, late) in enumerate(said, start=4):
        at = AT + timedelta(hours=number)
        say(alice, action, purpose, at=at, occurred_at=at - timedelta(hours=late))
        moments.append((at, seen(ask(alice, purpose, at=at))))
    for at, answer in moments:
        assert seen(ask(alice, purpose, at=at)) == answer
