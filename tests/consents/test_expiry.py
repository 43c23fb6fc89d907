"""Agreements that lapse by time or by a change of the notice are told to the log, once, as decisions see them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from consents import change_feed, evaluation, expiry, log, notices, regime, rules, subjects
from consents.models import LedgerEvent, Preference, Subject
from consents.notices import Draft
from consents.rules import Proposal
from consents.told import Held
from consents.vocabulary import Action, Kind
from downstream import propagation
from downstream.models import Target
from portal.models import AuditEntry
from tests.conftest import AT, BY, WORLD, dataset_of, person, sequenced, write_parquet
from tests.consents.asking import ask, say, why

DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)
YEAR = 365 * DAY
CONSENT = Proposal(
    jurisdiction="US",
    purpose="marketing",
    legal_basis="consent",
    default="deny",
    explanation="Off until you say yes.",
    source="test",
    effective_from=AT - 10 * DAY,
)


def enact(at: datetime = AT, **changes: Any) -> None:
    rules.enact(proposal=replace(CONSENT, **{"effective_from": at, **changes}), by=BY, at=at)


def publish(
    at: datetime, *, slug: str = "offers", is_material: bool = True, effective_at: datetime | None = None
) -> None:
    texts = {"en": ("Offers", "Text")}
    draft = Draft(slug, texts, published_at=at, effective_at=effective_at or at, is_material=is_material)
    notices.publish(draft=draft, by=BY, at=at)


def lapses() -> list[tuple[str, str, str]]:
    events = LedgerEvent.objects.filter(kind=Kind.EXPIRY).order_by("id")
    return [(one.purpose, one.recipient, one.details["reason"]) for one in events]


@pytest.mark.django_db
class TestALifetime:
    def test_a_yes_lapses_in_the_instant_in_which_decisions_no_longer_count_it(self, alice: Subject) -> None:
        say(alice, Action.GRANT, "marketing")
        assert expiry.expire(at=AT + YEAR - INSTANT) == 0
        assert why(ask(alice, "marketing", at=AT + YEAR - INSTANT)) == (True, "own_choice")
        assert expiry.expire(at=AT + YEAR) == 1
        assert why(ask(alice, "marketing", at=AT + YEAR))[0] is False
        assert lapses() == [("marketing", "", "lifetime")]

    def test_it_is_told_once(self, alice: Subject) -> None:
        say(alice, Action.GRANT, "marketing")
        assert [expiry.expire(at=AT + YEAR + n * DAY) for n in range(3)] == [1, 0, 0]

    def test_the_event_names_the_person_the_choice_and_why_and_the_trail_has_it(self, alice: Subject) -> None:
        choice = say(alice, Action.GRANT, "marketing", category="profile")
        expiry.expire(at=AT + YEAR)
        event = LedgerEvent.objects.get(kind=Kind.EXPIRY)
        assert (event.subject_id, event.category, event.actor) == (alice.pk, "profile", "system:heed")
        assert event.details["choice"] == str(choice.pk)
        assert AuditEntry.objects.get(action="agreement.expire").details["agreements"] == 1

    def test_a_new_yes_counts_anew_and_lapses_anew(self, alice: Subject) -> None:
        say(alice, Action.GRANT, "marketing")
        expiry.expire(at=AT + YEAR)
        say(alice, Action.GRANT, "marketing", at=AT + YEAR + DAY)
        assert Preference.objects.get().expired_at is None
        assert expiry.expire(at=AT + YEAR + 2 * DAY) == 0
        assert expiry.expire(at=AT + 2 * YEAR + DAY) == 1

    def test_neither_a_no_nor_somebody_who_was_erased_lapses(self, alice: Subject, charlie: Subject) -> None:
        say(alice, Action.DENY, "marketing")
        say(charlie, Action.GRANT, "marketing")
        subjects.forget(subject=charlie, by=BY, at=AT)
        assert expiry.expire(at=AT + 2 * YEAR) == 0

    def test_where_consent_is_not_the_basis_nothing_lapses(self, alice: Subject) -> None:
        say(alice, Action.GRANT, "ai-training")
        assert expiry.expire(at=AT + 5 * YEAR) == 0

    def test_a_lifetime_beyond_the_calendar_has_no_end(self, alice: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
        # as a rule may have that was enacted before there was a bound
        monkeypatch.setattr(rules, "_MOST_DAYS", {})
        enact(consent_days=2_000_000)
        say(alice, Action.GRANT, "marketing", at=AT + DAY)
        assert expiry.expire(at=AT + 5 * YEAR) == 0

    def test_the_nearest_rule_says_how_long(self, alice: Subject, grace: Subject) -> None:
        enact(jurisdiction="GB", consent_days=30)
        for one in (alice, grace):
            say(one, Action.GRANT, "marketing")
        assert expiry.expire(at=AT + 30 * DAY) == 1
        assert LedgerEvent.objects.get(kind=Kind.EXPIRY).subject_id == grace.pk

    def test_a_yes_that_counts_again_under_a_longer_rule_lapses_again(self, alice: Subject) -> None:
        enact(consent_days=30)
        say(alice, Action.GRANT, "marketing")
        assert expiry.expire(at=AT + 30 * DAY) == 1
        enact(at=AT + 40 * DAY, consent_days=60)
        assert expiry.expire(at=AT + 41 * DAY) == 0
        assert Preference.objects.get().expired_at is None
        assert expiry.expire(at=AT + 60 * DAY) == 1

    def test_a_yes_to_all_lapses_for_the_one_recipient_that_has_a_rule_of_its_own(self, alice: Subject) -> None:
        enact(recipient="linkwell", consent_days=30)
        say(alice, Action.GRANT, "marketing")
        assert [expiry.expire(at=AT + n * DAY) for n in (29, 30, 31)] == [0, 1, 0]
        assert not ask(alice, "marketing", recipient="linkwell", at=AT + 30 * DAY).allow
        assert ask(alice, "marketing", recipient="northlight", at=AT + 30 * DAY).allow
        assert expiry.expire(at=AT + YEAR) == 1
        assert lapses() == [("marketing", "linkwell", "lifetime"), ("marketing", "", "lifetime")]


@pytest.mark.django_db
class TestAChangeInSubstance:
    def test_a_yes_lapses_when_the_change_takes_effect_and_not_when_it_is_published(self, alice: Subject) -> None:
        publish(AT - DAY)
        enact(at=AT - DAY, notice="offers")
        say(alice, Action.GRANT, "marketing")
        publish(AT + DAY, effective_at=AT + 5 * DAY)
        assert expiry.expire(at=AT + 5 * DAY - INSTANT) == 0
        assert expiry.expire(at=AT + 5 * DAY) == 1
        assert lapses() == [("marketing", "", "material_change")]

    def test_a_change_of_wording_alone_ends_no_agreement(self, alice: Subject) -> None:
        publish(AT - DAY)
        enact(at=AT - DAY, notice="offers")
        say(alice, Action.GRANT, "marketing")
        publish(AT + DAY, is_material=False)
        assert expiry.expire(at=AT + 2 * DAY) == 0

    def test_a_yes_in_the_instant_of_the_change_is_one_to_the_new_text(self, alice: Subject) -> None:
        publish(AT)
        enact(at=AT, notice="offers")
        say(alice, Action.GRANT, "marketing", at=AT)
        assert expiry.expire(at=AT + DAY) == 0
        assert ask(alice, "marketing", at=AT + DAY).allow


@pytest.mark.django_db(transaction=True)
class TestWhoeverFollowsTheLog:
    def test_a_lapse_by_time_alone_takes_the_person_out_of_the_datasets(self, alice: Subject, tmp_path: Path) -> None:
        say(alice, Action.GRANT, "marketing")
        sequenced()
        folder = write_parquet(tmp_path / "rows", {"author": ["m_alice"]})
        dataset = dataset_of(folder, slug="letters", purposes=("marketing",))
        assert propagation.plan(at=AT) == []
        later = AT + YEAR
        assert propagation.plan(at=later) == [], "nothing in the log, nothing to plan"
        expiry.expire(at=later)
        head = sequenced()
        assert log.touched(after=head - 1, until=head, purposes=frozenset({"marketing"})).subjects == {alice.pk}
        assert log.touched(after=head - 1, until=head, purposes=frozenset({"analytics"})).subjects == set()
        (run,) = propagation.plan(at=later)
        assert run.dataset_id == dataset.pk
        assert list(Target.objects.values_list("subject_id", flat=True)) == [alice.pk]

    def test_the_change_feed_shows_the_lapse_as_any_other_change(self, alice: Subject) -> None:
        say(alice, Action.GRANT, "marketing", recipient="linkwell")
        expiry.expire(at=AT + YEAR)
        sequenced()
        viewer = change_feed.Viewer(frozenset({"linkwell"}), (), ("account",))
        last = change_feed.read(viewer=viewer, after=0, limit=100).changes[-1]
        assert (last["kind"], last["purpose"], last["recipient"]) == ("expiry", "marketing", "linkwell")
        assert last["subject"] == {"scheme": "account", "value": "m_alice"}
        other = change_feed.Viewer(frozenset({"northlight"}), (), ("account",))
        assert "expiry" not in [one["kind"] for one in change_feed.read(viewer=other, after=0, limit=100).changes]

    def test_whoever_renews_right_now_is_not_waited_for(self, alice: Subject) -> None:
        say(alice, Action.GRANT, "marketing")
        with _renewing(alice):
            assert expiry.expire(at=AT + YEAR) == 0
        assert expiry.expire(at=AT + YEAR) == 0, "the yes is a new one now"


@contextmanager
def _renewing(subject: Subject) -> Iterator[None]:
    """Another connection is just about to commit a new yes."""
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("UPDATE consents_preference SET occurred_at = %s", [AT + YEAR])
            yield
            cursor.execute("COMMIT")
    finally:
        other.close()


# --- the same as decisions, for every input ----------------------------------------------------------

moments = st.integers(0, 12).map(lambda n: AT + n * 5 * DAY)


@st.composite
def histories(draw: st.DrawFn) -> dict[str, Any]:
    rule = st.fixed_dictionaries(
        {
            "jurisdiction": st.sampled_from(["*", "US", "GB", "EEA"]),
            "recipient": st.sampled_from(["", "", "linkwell"]),
            "consent_days": st.sampled_from([None, 0, 5, 10, 20]),
            "notice": st.sampled_from(["", "offers"]),
            "legal_basis": st.sampled_from(["consent", "consent", "legitimate_interest"]),
            "from": moments,
            "days": st.sampled_from([None, 10, 25]),
        }
    )
    yes = st.tuples(moments, st.sampled_from(["", "linkwell", "northlight"]), st.sampled_from(["grant", "deny"]))
    return {
        "rules": draw(st.lists(rule, min_size=1, max_size=5)),
        "notices": draw(st.lists(st.tuples(moments, st.booleans(), st.sampled_from([0, 7])), max_size=3)),
        "place": draw(st.sampled_from(["US", "GB", "DE", "CH"])),
        "said": draw(st.lists(yes, min_size=1, max_size=4)),
        "looks": sorted(draw(st.lists(moments, min_size=1, max_size=5))),
    }


@pytest.mark.django_db
@settings(max_examples=150, deadline=None)
@given(history=histories())
def test_what_lapsed_is_what_decisions_no_longer_count(history: dict[str, Any], django_db_blocker: Any) -> None:
    with transaction.atomic():
        _play(history)
        transaction.set_rollback(True)


def _play(history: dict[str, Any]) -> None:
    rules.load(path=WORLD, by=BY, at=AT - 300 * DAY)
    somebody = person("sam", history["place"], at=AT - DAY)
    publish(AT - DAY)
    steps: list[tuple[datetime, int, Any]] = []
    steps += [(one["from"], 0, one) for one in history["rules"]]
    steps += [(at, 1, (material, wait)) for at, material, wait in history["notices"]]
    steps += [(at, 2, (recipient, action)) for at, recipient, action in history["said"]]
    steps += [(at, 3, None) for at in history["looks"]]
    for at, kind, what in sorted(steps, key=lambda step: step[:2]):
        if kind == 0:
            end = at + what["days"] * DAY if what["days"] else None
            fields = {key: value for key, value in what.items() if key not in {"from", "days"}}
            enact(at=at, effective_to=end, **fields)
        elif kind == 1:
            publish(at, is_material=what[0], effective_at=at + what[1] * DAY)
        elif kind == 2:
            say(somebody, Action(what[1]), "marketing", at=at, recipient=what[0])
        else:
            _look(somebody, at)


def _look(somebody: Subject, at: datetime) -> None:
    """Marks and events after a turn are what `decisions` finds stale, in the yes's own scope and for its recipients."""
    expiry.expire(at=at)
    standing = regime.at_moment(purpose="marketing", at=at)
    for held in Preference.objects.filter(subject=somebody, action=Action.GRANT):
        choice = Held("choice", held.purpose, held.recipient, "", held.action, held.event_id, held.occurred_at)
        told = LedgerEvent.objects.filter(kind=Kind.EXPIRY, details__choice=str(held.event_id))
        own = standing.rule_for(somebody.jurisdiction, held.recipient)
        stale = evaluation._stale(choice, evaluation.lifetime(standing, own), at) is not None
        assert (held.expired_at is not None) == stale
        if stale:
            assert told.filter(recipient=held.recipient).exists()
        for recipient in ("linkwell", "northlight"):
            rule = standing.rule_for(somebody.jurisdiction, recipient)
            if not held.recipient and evaluation._stale(choice, evaluation.lifetime(standing, rule), at) is not None:
                assert told.filter(recipient__in=["", recipient]).exists()
    assert expiry.expire(at=at) == 0
