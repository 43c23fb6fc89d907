"""Publishing notices."""

import hashlib
from dataclasses import replace
from datetime import timedelta

import pgtrigger
import pytest
from django.db import DatabaseError, connection, transaction

from consents import notices
from consents.models import LedgerEvent, Notice
from consents.notices import Draft, NoticeError
from portal.models import AuditEntry
from tests.conftest import AT, BY

DRAFT = Draft(slug="terms", texts={"en": ("Terms", "Text"), "de": ("Regeln", "Text")}, published_at=AT, effective_at=AT)

pytestmark = pytest.mark.django_db


def publish(draft: Draft = DRAFT) -> int:
    return notices.publish(draft=draft, by=BY, at=AT)


def test_each_publication_is_the_next_version_in_all_its_languages() -> None:
    assert [publish(), publish()] == [1, 2]
    assert Notice.objects.filter(slug="terms", version=2).count() == 2


def test_versions_of_another_notice_begin_anew() -> None:
    publish()
    assert publish(replace(DRAFT, slug="other")) == 1


def test_a_publication_is_in_the_ledger_and_in_the_audit_trail_once() -> None:
    publish()
    details = LedgerEvent.objects.get(kind="notice").details
    assert (details["notice"], details["version"], details["material"]) == ("terms", 1, True)
    assert AuditEntry.objects.filter(action="notice.publish").count() == 1


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"texts": {}}, "text_missing"),
        ({"texts": {"en": ("", "Text")}}, "text_missing"),
        ({"texts": {"en": ("Terms", " \n ")}}, "text_missing"),
        ({"texts": {"en": ("T" * 201, "Text")}}, "title_too_long"),
        ({"slug": ""}, "invalid_slug"),
        ({"slug": "Terms of use"}, "invalid_slug"),
        ({"effective_at": AT - timedelta(seconds=1)}, "effect_before_notice"),
    ],
)
def test_a_notice_that_cannot_be_is_refused(wrong: dict[str, object], code: str) -> None:
    with pytest.raises(NoticeError) as refusal:
        publish(replace(DRAFT, **wrong))  # type: ignore[arg-type]
    assert refusal.value.code == code
    assert not Notice.objects.exists()


def test_publishing_in_the_past_is_for_a_rulebook_alone() -> None:
    early = replace(DRAFT, published_at=AT - timedelta(minutes=6))
    with pytest.raises(NoticeError, match="choose today or later"):
        notices.publish(draft=early, by=BY, at=AT, backdated=False)
    within_tolerance = replace(DRAFT, published_at=AT - timedelta(minutes=4))
    assert notices.publish(draft=within_tolerance, by=BY, at=AT, backdated=False) == 1
    assert publish(early) == 2


def test_the_log_commits_to_every_text() -> None:
    publish()
    texts = LedgerEvent.objects.get(kind="notice").details["texts"]
    assert texts["de"] == hashlib.sha256(b"Regeln\n\nText").hexdigest()
    assert set(texts) == {"de", "en"}


@pytest.mark.parametrize("statement", ["UPDATE consents_notice SET body = 'x'", "DELETE FROM consents_notice"])
def test_what_was_published_cannot_be_changed(statement: str) -> None:
    publish()
    with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert set(Notice.objects.values_list("body", flat=True)) == {"Text"}


def test_a_text_that_was_changed_behind_the_trigger_is_unlike_the_log() -> None:
    publish()
    publish()
    assert list(notices.unlike_the_log()) == []
    with pgtrigger.ignore("consents.Notice:append_only"):
        Notice.objects.filter(version=1, locale="de").update(body="Anders")
        Notice.objects.filter(version=2, locale="en").delete()
    assert list(notices.unlike_the_log()) == [("terms", 1, "de"), ("terms", 2, "en")]


def test_the_version_in_force_is_the_newest_that_took_effect() -> None:
    day = timedelta(days=1)
    for number in range(3):
        publish(replace(DRAFT, effective_at=AT + number * day))
    assert notices.in_force("terms", at=AT - timedelta(seconds=1)) == []
    assert {one.version for one in notices.in_force("terms", at=AT + day)} == {2}
    assert [one.locale for one in notices.in_force("terms", at=AT + 2 * day)] == ["de", "en"]
