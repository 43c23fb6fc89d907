"""Publishing notices."""

from dataclasses import replace
from datetime import timedelta

import pytest

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
    assert LedgerEvent.objects.get(kind="notice").details == {"notice": "terms", "version": 1}
    assert AuditEntry.objects.filter(action="notice.publish").count() == 1


@pytest.mark.parametrize(
    ("wrong", "code"),
    [({"texts": {}}, "text_missing"), ({"effective_at": AT - timedelta(seconds=1)}, "effect_before_notice")],
)
def test_a_notice_that_cannot_be_is_refused(wrong: dict[str, object], code: str) -> None:
    with pytest.raises(NoticeError) as refusal:
        publish(replace(DRAFT, **wrong))  # type: ignore[arg-type]
    assert refusal.value.code == code
    assert not Notice.objects.exists()
