"""Drafts: written by several, compared with what is in force, published once."""

from datetime import timedelta
from typing import Any

import pytest

from consents import drafts, notices, rules
from consents.drafts import DraftError, Wording
from consents.models import Notice, NoticeDraft, Subject
from consents.notices import Draft, NoticeError
from consents.rules import Proposal
from consents.vocabulary import Action
from portal.errors import Conflict, DomainError
from portal.models import AuditEntry
from tests.conftest import AT, BY, OTHER, person
from tests.consents.asking import ask, say

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
ALL = {"en": ("Terms", "Text"), "de": ("Regeln", "Text"), "fr": ("Règles", "Texte")}


def written(**changes: Any) -> NoticeDraft:
    draft = drafts.begin(slug="terms", by=BY, at=AT)
    return save(draft, **{"texts": ALL, **changes})


def save(draft: NoticeDraft, **changes: Any) -> NoticeDraft:
    wording = Wording(**{"texts": drafts.texts_of(draft), **changes})
    return drafts.save(draft_id=draft.pk, revision=draft.revision, wording=wording, by=BY, at=AT)


def publish(draft: NoticeDraft, **changes: Any) -> int:
    given = {"draft_id": draft.pk, "revision": draft.revision, "by": BY, "at": AT, **changes}
    return drafts.publish(**given)


def refused(code: str, draft: NoticeDraft, **changes: Any) -> None:
    before = Notice.objects.count()
    with pytest.raises(DomainError) as refusal:
        publish(draft, **changes)
    assert refusal.value.code == code
    assert Notice.objects.count() == before


def test_a_draft_begins_with_the_texts_in_force() -> None:
    notices.publish(draft=Draft("terms", ALL, AT, AT), by=BY, at=AT)
    notices.publish(draft=Draft("terms", {"en": ("Later", "Later")}, AT, AT + DAY), by=BY, at=AT)
    assert drafts.texts_of(drafts.begin(slug="terms", by=BY, at=AT)) == ALL


def test_a_draft_of_a_new_notice_is_empty_and_its_name_is_checked() -> None:
    assert drafts.begin(slug="new", by=BY, at=AT).texts == {}
    with pytest.raises(NoticeError):
        drafts.begin(slug="Not A Slug", by=BY, at=AT)


def test_of_two_editors_the_second_is_told_and_nothing_is_lost() -> None:
    draft = written()
    first = Wording(texts={**ALL, "en": ("Terms", "First")})
    second = Wording(texts={**ALL, "en": ("Terms", "Second")})
    drafts.save(draft_id=draft.pk, revision=draft.revision, wording=first, by=BY, at=AT)
    with pytest.raises(Conflict, match="Somebody saved") as refusal:
        drafts.save(draft_id=draft.pk, revision=draft.revision, wording=second, by=OTHER, at=AT)
    assert refusal.value.code == "changed_meanwhile"
    assert NoticeDraft.objects.get().texts["en"]["body"] == "First"


def test_a_language_left_empty_is_not_kept() -> None:
    draft = written(texts={"en": ("Terms", "Text"), "de": (" ", "")})
    assert set(draft.texts) == {"en"}
    assert drafts.missing_languages(draft) == ["de", "fr"]


def test_publishing_makes_the_notice_and_closes_the_draft() -> None:
    draft = written()
    assert publish(draft) == 1
    assert Notice.objects.filter(slug="terms", version=1).count() == 3
    draft.refresh_from_db()
    assert (draft.published_version, draft.is_open) == (1, False)
    refused("published", draft)
    with pytest.raises(Conflict):
        save(draft)


def test_what_is_published_is_what_was_looked_at() -> None:
    draft = written()
    save(draft, texts={**ALL, "en": ("Terms", "Another")})
    refused("changed_meanwhile", draft)


def test_a_missing_language_is_published_without_only_when_confirmed() -> None:
    draft = written(texts={"en": ("Terms", "Text"), "de": ("Regeln", "Text")})
    refused("language_missing", draft)
    refused("language_missing", draft, without=frozenset({"de"}))
    assert publish(draft, without=frozenset({"fr"})) == 1


def test_half_a_text_is_refused_even_when_confirmed() -> None:
    draft = written(texts={"en": ("Terms", "Text"), "de": ("Regeln", "")})
    refused("text_missing", draft, without=frozenset({"de", "fr"}))


def test_nothing_at_all_is_refused() -> None:
    refused("text_missing", written(texts={}), without=frozenset({"en", "de", "fr"}))


def test_a_date_in_the_past_is_refused() -> None:
    refused("published_in_the_past", written(publish_at=AT - DAY))


def test_an_effect_before_the_publication_is_refused_when_saved_and_when_published() -> None:
    with pytest.raises(DraftError, match="after it was published"):
        written(publish_at=AT + DAY, effective_at=AT)
    draft = NoticeDraft.objects.get()
    refused("effect_before_notice", save(draft, texts=ALL, effective_at=AT - DAY))


def test_without_dates_it_is_published_now_and_counts_now() -> None:
    publish(written())
    notice = Notice.objects.filter(slug="terms").first()
    assert notice is not None
    assert (notice.published_at, notice.effective_at) == (AT, AT)


def test_each_step_is_in_the_trail() -> None:
    publish(written())
    actions = list(AuditEntry.objects.order_by("id").values_list("action", flat=True))
    assert actions == ["draft.begin", "draft.save", "notice.publish"]


def test_changes_are_shown_by_language_against_what_is_in_force() -> None:
    notices.publish(draft=Draft("terms", {"en": ("Terms", "Old text")}, AT, AT), by=BY, at=AT)
    changes = drafts.changes(written(texts={"en": ("Terms", "New text"), "de": ("Regeln", "Text")}), at=AT)
    assert list(changes) == ["en", "de"]
    assert (changes["en"].added, changes["en"].removed) == (1, 1)
    assert (changes["de"].added, changes["de"].removed) == (2, 0)


class TestTheEffect:
    def test_a_material_change_ends_the_agreements_that_count_today(self, alice: Subject, grace: Subject) -> None:
        self.by_consent()
        say(alice, Action.GRANT, "marketing")
        say(grace, Action.DENY, "marketing")
        say(person("cora", at=AT - 60 * DAY), Action.GRANT, "marketing", at=AT - 50 * DAY)
        effect = drafts.effect(written(), at=AT + DAY)
        assert [(one.purpose, one.jurisdiction, one.people) for one in effect.lapses] == [("marketing", "*", 1)]
        assert effect.people == 1

    def test_a_change_of_wording_ends_none(self, alice: Subject) -> None:
        self.by_consent()
        say(alice, Action.GRANT, "marketing")
        assert drafts.effect(written(is_material=False), at=AT + DAY).people == 0

    def test_it_says_from_when_a_use_is_allowed(self, world: None) -> None:
        notices.publish(draft=Draft("terms", ALL, AT, AT + 90 * DAY), by=BY, at=AT)
        self.enact(legal_basis="legitimate_interest", default="allow", notice_days=30)
        effect = drafts.effect(written(effective_at=AT + 10 * DAY), at=AT)
        (opening,) = effect.openings
        assert (opening.begins_at, opening.already) == (AT + 30 * DAY, False)
        (later,) = drafts.effect(written(effective_at=AT + 40 * DAY), at=AT).openings
        assert later.begins_at == AT + 40 * DAY

    def test_it_says_where_an_earlier_version_allows_it_already(self, world: None) -> None:
        notices.publish(draft=Draft("terms", ALL, AT - 40 * DAY, AT - 40 * DAY), by=BY, at=AT - 40 * DAY)
        self.enact(legal_basis="legitimate_interest", default="allow", notice_days=30)
        (opening,) = drafts.effect(written(is_material=False), at=AT).openings
        assert opening.already

    def test_a_change_in_substance_that_counts_at_once_stops_the_use_until_its_days_are_over(self, world: None) -> None:
        self.told_long_ago()
        draft = written()
        (opening,) = drafts.effect(draft, at=AT).openings
        assert (opening.already, opening.pauses_at, opening.begins_at) == (False, AT, AT + 30 * DAY)
        publish(draft)
        dora = person("dora", at=AT - DAY)
        answers = [ask(dora, "marketing", at=AT + days * DAY).allow for days in (0, 29, 30)]
        assert answers == [False, False, True]

    def test_one_that_counts_only_after_its_days_interrupts_nothing(self, world: None) -> None:
        self.told_long_ago()
        draft = written(effective_at=AT + 30 * DAY)
        (opening,) = drafts.effect(draft, at=AT).openings
        assert (opening.already, opening.pauses_at) == (True, None)
        publish(draft)
        dora = person("dora", at=AT - DAY)
        assert all(ask(dora, "marketing", at=AT + days * DAY).allow for days in (0, 29, 30, 60))

    def test_one_that_counts_within_its_days_stops_the_use_from_then_on(self, world: None) -> None:
        self.told_long_ago()
        (opening,) = drafts.effect(written(effective_at=AT + 5 * DAY), at=AT).openings
        assert (opening.already, opening.pauses_at, opening.begins_at) == (False, AT + 5 * DAY, AT + 30 * DAY)

    def told_long_ago(self) -> None:
        notices.publish(draft=Draft("terms", ALL, AT - 40 * DAY, AT - 40 * DAY), by=BY, at=AT - 40 * DAY)
        self.enact(legal_basis="legitimate_interest", default="allow", notice_days=30)

    def by_consent(self) -> None:
        notices.publish(draft=Draft("terms", ALL, AT - 90 * DAY, AT - 90 * DAY), by=BY, at=AT - 90 * DAY)
        self.enact(legal_basis="consent", default="deny", consent_days=30)

    def enact(self, **changes: Any) -> None:
        fields = {"jurisdiction": "*", "purpose": "marketing", "explanation": "x", "source": "test", **changes}
        rules.enact(proposal=Proposal(effective_from=AT - 80 * DAY, notice="terms", **fields), by=BY, at=AT - 80 * DAY)
