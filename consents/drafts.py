"""Notices while they are written: texts by language, what changed against the version in force, whom it concerns."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Count

from consents import differences, expiry, notices, regime
from consents.differences import Difference
from consents.models import Notice, NoticeDraft, Preference, Rule
from consents.regime import Book, Regime
from consents.vocabulary import EVERY, Action, Default, LegalBasis, Slot
from portal import audit
from portal.errors import Conflict, DomainError

Text = tuple[str, str]
Texts = Mapping[str, Text]


class DraftError(DomainError):
    """A draft that cannot be kept or published as written."""


@dataclass(frozen=True)
class Wording:
    """What an editor sends: texts by language, and when and how it should count."""

    texts: Texts
    is_material: bool = True
    publish_at: datetime | None = None
    effective_at: datetime | None = None


@dataclass(frozen=True)
class Lapse:
    """Agreements under one rule that would stop counting."""

    purpose: str
    jurisdiction: str
    people: int


@dataclass(frozen=True)
class Opening:
    """A use that the notice allows by default from a moment on, where people do not say no.

    `already`: it is allowed today, and stays so. With `pauses_at` the change in substance interrupts it, from then
    until `begins_at`.
    """

    purpose: str
    jurisdiction: str
    days: int
    begins_at: datetime
    already: bool
    pauses_at: datetime | None = None


@dataclass(frozen=True)
class Effect:
    """What publishing would do."""

    published_at: datetime
    effective_at: datetime
    lapses: list[Lapse]
    openings: list[Opening]

    @property
    def people(self) -> int:
        """How many agreements would stop counting."""
        return sum(one.people for one in self.lapses)


@transaction.atomic
def begin(*, slug: str, by: str, at: datetime) -> NoticeDraft:
    """A new draft, with the texts of the version in force where there is one. Raises NoticeError(`invalid_slug`)."""
    notices.check_slug(slug)
    texts = {one.locale: {"title": one.title, "body": one.body} for one in notices.in_force(slug, at=at)}
    draft = NoticeDraft.objects.create(slug=slug, texts=texts, begun_at=at, begun_by=by, changed_at=at, changed_by=by)
    audit.record(at=at, by=by, action="draft.begin", of=("draft", draft.pk), details={"notice": slug})
    return draft


@transaction.atomic
def save(*, draft_id: uuid.UUID, revision: int, wording: Wording, by: str, at: datetime) -> NoticeDraft:
    """Keep an editor's text over the revision that they began from.

    Raises Conflict(`changed_meanwhile`, `published`) and DraftError; then nothing of the other's text is lost.
    """
    draft = _locked(draft_id, revision)
    if wording.publish_at and wording.effective_at and wording.effective_at < wording.publish_at:
        raise DraftError("effect_before_notice", "It takes effect after it was published.", field="effective_at")
    draft.texts = {
        locale: {"title": title.strip(), "body": _normal(body)}
        for locale, (title, body) in wording.texts.items()
        if title.strip() or body.strip()
    }
    draft.is_material, draft.publish_at, draft.effective_at = (
        wording.is_material,
        wording.publish_at,
        wording.effective_at,
    )
    draft.changed_at, draft.changed_by, draft.revision = at, by, draft.revision + 1
    draft.save()
    details = {"notice": draft.slug, "revision": draft.revision}
    audit.record(at=at, by=by, action="draft.save", of=("draft", draft.pk), details=details)
    return draft


@transaction.atomic
def publish(*, draft_id: uuid.UUID, revision: int, without: frozenset[str] = frozenset(), by: str, at: datetime) -> int:
    """Publish exactly the revision that was looked at; answers the notice's version.

    `without` names the languages whose absence was confirmed. Raises Conflict, DraftError(`language_missing`),
    NoticeError.
    """
    draft = _locked(draft_id, revision)
    missing = set(missing_languages(draft)) - without
    if missing:
        raise DraftError(
            "language_missing", f"Not written in {', '.join(sorted(missing))}: translate it, or confirm that."
        )
    published_at, effective_at = moments(draft, at=at)
    version = notices.publish(
        draft=notices.Draft(
            slug=draft.slug,
            texts=texts_of(draft),
            published_at=published_at,
            effective_at=effective_at,
            is_material=draft.is_material,
        ),
        by=by,
        at=at,
        backdated=False,
    )
    draft.published_version, draft.changed_at, draft.changed_by = version, at, by
    draft.save(update_fields=["published_version", "changed_at", "changed_by"])
    return version


def moments(draft: NoticeDraft, *, at: datetime) -> tuple[datetime, datetime]:
    """(published, in force) if it were published at `at`: now where no date is wished."""
    published_at = draft.publish_at or at
    return published_at, draft.effective_at or published_at


def texts_of(draft: NoticeDraft) -> dict[str, Text]:
    """The draft's texts by language."""
    return {locale: (text["title"], text["body"]) for locale, text in draft.texts.items()}


def missing_languages(draft: NoticeDraft) -> list[str]:
    """The site's languages in which it is not wholly written."""
    written = {locale for locale, (title, body) in texts_of(draft).items() if title and body}
    return [code for code, _ in settings.LANGUAGES if code not in written]


def changes(draft: NoticeDraft, *, at: datetime) -> dict[str, Difference]:
    """By language, what changed against the version in force."""
    before = {one.locale: (one.title, one.body) for one in notices.in_force(draft.slug, at=at)}
    after = texts_of(draft)
    nothing = ("", "")
    return {
        locale: differences.between(before.get(locale, nothing), after.get(locale, nothing))
        for locale in sorted({*before, *after}, key=_english_first)
    }


def effect(draft: NoticeDraft, *, at: datetime) -> Effect:
    """What publishing at `at` would do: agreements that stop counting, and uses that become allowed."""
    published_at, effective_at = moments(draft, at=at)
    told = Rule.objects.filter(notice=draft.slug, recorded_at__lte=at)
    lapses: list[Lapse] = []
    openings: list[Opening] = []
    book = regime.current()
    published = Notice(
        slug=draft.slug,
        is_material=draft.is_material,
        published_at=published_at,
        effective_at=effective_at,
        recorded_at=at,
    )
    for purpose in sorted(set(told.values_list("purpose_id", flat=True))):
        standing = book.at(purpose=purpose, at=max(at, effective_at))
        if draft.is_material:
            lapses += _lapses(standing, draft.slug, effective_at)
        openings += _openings(standing, book, book.with_notice(published), draft.slug, now=at)
    return Effect(published_at, effective_at, lapses, openings)


def _lapses(standing: Regime, slug: str, effective_at: datetime) -> Iterator[Lapse]:
    """Agreements that count now, under a rule by consent that rests on this notice."""
    ruled: dict[int, list[str]] = {}
    rules: dict[int, Rule] = {}
    for code in expiry.inhabited():
        rule = standing.rule_for(code, EVERY)
        if rule is not None and rule.notice == slug and rule.legal_basis == LegalBasis.CONSENT:
            rules[rule.pk] = rule
            ruled.setdefault(rule.pk, []).append(code)
    for pk, codes in ruled.items():
        grants = Preference.objects.filter(
            slot=Slot.CHOICE,
            action=Action.GRANT,
            purpose=standing.purpose,
            occurred_at__lt=effective_at,
            subject__jurisdiction__in=codes,
            subject__erased_at__isnull=True,
        )
        oldest = expiry.oldest_that_counts(rules[pk], standing=standing)
        if oldest is not None:
            grants = grants.filter(occurred_at__gte=oldest)
        people: int = grants.aggregate(people=Count("subject", distinct=True))["people"]
        yield Lapse(standing.purpose, rules[pk].jurisdiction, people)


def _openings(standing: Regime, book: Book, published: Book, slug: str, *, now: datetime) -> Iterator[Opening]:
    """What decisions will say under the rulebook with the draft `published`, beside the `book` without it."""
    today = book.at(purpose=standing.purpose, at=now)
    for rule in standing.rules.values():
        if rule.notice != slug or rule.default != Default.ALLOW:
            continue
        if rule.effective_to is not None and rule.effective_to <= standing.at:
            continue
        then = published.at(purpose=standing.purpose, at=standing.at)
        pauses_at = standing.at if standing.notice_over(rule) and not then.notice_over(rule) else None
        begins_at = published.over_from(rule, after=pauses_at or max(now, rule.effective_from))
        already = pauses_at is None and rule.effective_from <= now and today.notice_over(rule)
        if begins_at is not None:
            yield Opening(standing.purpose, rule.jurisdiction, rule.notice_days, begins_at, already, pauses_at)


def _locked(draft_id: uuid.UUID, revision: int) -> NoticeDraft:
    draft = NoticeDraft.objects.select_for_update().get(pk=draft_id)
    if not draft.is_open:
        raise Conflict("published", "This draft was published. Begin a new one for the next version.")
    if draft.revision != revision:
        raise Conflict(
            "changed_meanwhile", "Somebody saved this draft after you opened it. Compare, then save yours again."
        )
    return draft


def _normal(body: str) -> str:
    return body.replace("\r\n", "\n").replace("\r", "\n").strip()


def _english_first(locale: str) -> tuple[bool, str]:
    return locale != "en", locale
