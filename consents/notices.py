"""Notices: publishing the text that tells people of a purpose."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Max

from consents import ledger
from consents.models import Notice
from consents.vocabulary import Kind
from portal import audit
from portal.errors import DomainError


class NoticeError(DomainError):
    """A notice that cannot be published as written."""


@dataclass(frozen=True)
class Draft:
    """A notice before it is published; texts by language, each (title, body)."""

    slug: str
    texts: dict[str, tuple[str, str]]
    published_at: datetime
    effective_at: datetime
    is_material: bool = True


@transaction.atomic
def publish(*, draft: Draft, by: str, at: datetime) -> int:
    """Publish the next version in all its languages; answers the version. Raises NoticeError."""
    if not draft.texts:
        raise NoticeError("text_missing", "A notice needs its text in at least one language.")
    if draft.effective_at < draft.published_at:
        raise NoticeError("effect_before_notice", "A notice takes effect after it was published, not before.")
    last = Notice.objects.filter(slug=draft.slug).aggregate(last=Max("version"))["last"] or 0
    Notice.objects.bulk_create(
        Notice(
            slug=draft.slug,
            version=last + 1,
            locale=locale,
            title=title,
            body=body,
            is_material=draft.is_material,
            published_at=draft.published_at,
            effective_at=draft.effective_at,
            recorded_at=at,
        )
        for locale, (title, body) in draft.texts.items()
    )
    details = {"notice": draft.slug, "version": last + 1}
    ledger.append(kind=Kind.NOTICE, by=by, at=at, details=details)
    audit.record(at=at, by=by, action="notice.publish", of=("notice", draft.slug), details=details)
    return last + 1
