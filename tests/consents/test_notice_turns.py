"""What a notice's dates do by themselves is told to the log, once."""

from datetime import datetime, timedelta

import pytest

from consents import log, notice_turns, notices, rules
from consents.models import LedgerEvent, NoticeTurn
from consents.notices import Draft
from consents.rules import Proposal
from consents.vocabulary import Kind
from portal.models import AuditEntry
from tests.conftest import AT, BY

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
TEXTS = {"en": ("Terms", "Text"), "de": ("Regeln", "Text")}


def publish(*, published: datetime, effective: datetime, is_material: bool = True, slug: str = "terms") -> None:
    draft = Draft(slug, TEXTS, published_at=published, effective_at=effective, is_material=is_material)
    notices.publish(draft=draft, by=BY, at=AT)


@pytest.fixture(autouse=True)
def ruled(world: None) -> None:
    """A notice of long ago, and two rules that rest on it."""
    publish(published=AT - 90 * DAY, effective=AT - 90 * DAY)
    for place, recipient in (("CA", ""), ("AU", "northlight")):
        proposal = Proposal(
            jurisdiction=place,
            purpose="ai-training",
            recipient=recipient,
            legal_basis="legitimate_interest",
            default="allow",
            explanation="x",
            source="test",
            notice="terms",
            notice_days=30,
            effective_from=AT - 30 * DAY,
        )
        rules.enact(proposal=proposal, by=BY, at=AT)


def turns(at: datetime) -> list[tuple[int, str]]:
    before = set(LedgerEvent.objects.values_list("pk", flat=True))
    told = notice_turns.tell(at=at)
    events = LedgerEvent.objects.exclude(pk__in=before).order_by("id")
    assert told == len(events)
    return [(event.details["version"], event.details["turn"]) for event in events]


def test_of_what_counted_when_it_was_recorded_nothing_is_told() -> None:
    publish(published=AT, effective=AT)
    assert turns(AT + DAY) == []


def test_a_later_effect_in_substance_is_told_once_when_it_comes() -> None:
    publish(published=AT, effective=AT + 5 * DAY)
    assert turns(AT + 4 * DAY) == []
    assert turns(AT + 5 * DAY) == [(2, "effective_at")]
    assert turns(AT + 99 * DAY) == []


def test_a_later_effect_of_other_words_alone_changes_nobodys_answer() -> None:
    publish(published=AT, effective=AT + 5 * DAY, is_material=False)
    assert turns(AT + 9 * DAY) == []


def test_a_later_publication_is_told_and_an_effect_at_the_same_moment_with_it() -> None:
    publish(published=AT + DAY, effective=AT + DAY)
    publish(published=AT + 2 * DAY, effective=AT + 3 * DAY)
    publish(published=AT + 4 * DAY, effective=AT + 5 * DAY, is_material=False)
    assert [version for version, _ in turns(AT + DAY)] == [2]
    assert turns(AT + 9 * DAY) == [(3, "published_at"), (3, "effective_at"), (4, "published_at")]


def test_a_notice_that_no_rule_names_is_not_told_of() -> None:
    publish(published=AT, effective=AT + DAY, slug="other")
    assert turns(AT + DAY) == []


def test_it_concerns_whom_the_rules_concern_that_name_the_notice() -> None:
    publish(published=AT, effective=AT + DAY)
    notice_turns.tell(at=AT + DAY)
    event = LedgerEvent.objects.filter(kind=Kind.NOTICE).latest("id")
    assert event.details == {
        "notice": "terms",
        "version": 2,
        "turn": "effective_at",
        "purposes": ["ai-training"],
        "jurisdictions": ["AU", "CA"],
        "recipients": ["", "northlight"],
    }
    assert log._bears_on(event, frozenset({"ai-training/affiliates"}))
    assert not log._bears_on(event, frozenset({"marketing"}))
    assert AuditEntry.objects.filter(action="notice.turn").count() == 1


def test_what_breaks_off_before_the_commit_is_told_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    publish(published=AT, effective=AT + DAY)
    with monkeypatch.context() as broken:
        broken.setattr("portal.audit.record", lambda **_: (_ for _ in ()).throw(RuntimeError))
        with pytest.raises(RuntimeError):
            notice_turns.tell(at=AT + DAY)
    assert not NoticeTurn.objects.exists()
    assert turns(AT + DAY) == [(2, "effective_at")]
