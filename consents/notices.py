"""Notices: publishing the text that tells people of a purpose. What was published never changes."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Max

from consents import ledger
from consents.models import LedgerEvent, Notice
from consents.vocabulary import Kind
from portal import audit
from portal.clock import TOLERANCE
from portal.errors import Conflict, DomainError

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")
_LONGEST_TITLE = 200


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
def publish(*, draft: Draft, by: str, at: datetime, backdated: bool = True) -> int:
    """Publish the next version in all its languages; answers the version. Raises NoticeError, Conflict.

    A rulebook tells of what was published long ago; whoever publishes today is refused a past date with
    `backdated=False`. The ledger event commits to every text by its digest.
    """
    check(draft)
    if not backdated and draft.published_at < at - TOLERANCE:
        raise NoticeError(
            "published_in_the_past", "Nobody was told before today: choose today or later.", field="publish_at"
        )
    last = Notice.objects.filter(slug=draft.slug).aggregate(last=Max("version"))["last"] or 0
    _insert(draft, version=last + 1, at=at)
    details = {
        "notice": draft.slug,
        "version": last + 1,
        "material": draft.is_material,
        "published_at": draft.published_at.isoformat(),
        "effective_at": draft.effective_at.isoformat(),
        "texts": {locale: digest(*text) for locale, text in sorted(draft.texts.items())},
    }
    ledger.append(kind=Kind.NOTICE, by=by, at=at, details=details)
    audit.record(at=at, by=by, action="notice.publish", of=("notice", draft.slug), details=details)
    return last + 1


def check(draft: Draft) -> None:
    """Refuse what nobody could read, or what would count before anybody was told. Raises NoticeError."""
    check_slug(draft.slug)
    if not draft.texts:
        raise NoticeError("text_missing", "A notice needs its text in at least one language.")
    for locale, (title, body) in draft.texts.items():
        if not title.strip() or not body.strip():
            raise NoticeError("text_missing", f"The text in {locale!r} has no title or no body.", field=locale)
        if len(title) > _LONGEST_TITLE:
            raise NoticeError("title_too_long", f"A title has at most {_LONGEST_TITLE} characters.", field=locale)
    if draft.effective_at < draft.published_at:
        raise NoticeError(
            "effect_before_notice",
            "A notice takes effect after it was published, not before.",
            field="effective_at",
        )


def check_slug(slug: str) -> None:
    """Refuse what cannot name a notice in an address. Raises NoticeError(`invalid_slug`)."""
    if not _SLUG.fullmatch(slug):
        raise NoticeError(
            "invalid_slug", "A notice is named by up to 50 lower-case letters, digits, - and _.", field="slug"
        )


def digest(title: str, body: str) -> str:
    """What the log keeps of a text: SHA-256, in hexadecimal, of title and body with an empty line between them."""
    return hashlib.sha256(f"{title}\n\n{body}".encode()).hexdigest()


def unlike_the_log() -> Iterator[tuple[str, int, str]]:
    """(notice, version, language) of every text that is no longer what was published, or is missing.

    Only somebody with rights beyond the application's could have changed one; the log tells.
    """
    texts = {(one.slug, one.version, one.locale): digest(one.title, one.body) for one in Notice.objects.iterator()}
    for details in LedgerEvent.objects.filter(kind=Kind.NOTICE).order_by("id").values_list("details", flat=True):
        for locale, kept in details.get("texts", {}).items():
            place = (details["notice"], details["version"], locale)
            if texts.get(place) != kept:
                yield place


def in_force(slug: str, *, at: datetime) -> list[Notice]:
    """The texts, one a language, of the newest version of this notice that is in force."""
    rows = Notice.objects.filter(slug=slug, effective_at__lte=at, recorded_at__lte=at).order_by("-version", "locale")
    newest = rows.first()
    return [one for one in rows if newest and one.version == newest.version]


def _insert(draft: Draft, *, version: int, at: datetime) -> None:
    rows = [
        Notice(
            slug=draft.slug,
            version=version,
            locale=locale,
            title=title,
            body=body,
            is_material=draft.is_material,
            published_at=draft.published_at,
            effective_at=draft.effective_at,
            recorded_at=at,
        )
        for locale, (title, body) in draft.texts.items()
    ]
    try:
        with transaction.atomic():
            Notice.objects.bulk_create(rows)
    except IntegrityError as error:
        raise Conflict(
            "published_meanwhile", "Somebody published this notice just now. Look at their text, then try again."
        ) from error
