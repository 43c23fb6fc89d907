"""What a receipt says, gathered in one place: the choice, and what stood around it when it was recorded."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext, override

from consents import leaves, regime, told
from consents.models import LedgerEvent, Notice, Purpose, Recipient, Rule, Subject
from consents.receipts import proofs
from consents.vocabulary import EVERY, Action, Category, LegalBasis

NAMES = (
    *("id", "kind", "subject", "purpose", "recipient", "category", "action", "source", "actor", "notice"),
    *("evidence_digest", "details_digest", "occurred_at", "recorded_at"),
)
"""What the places of a leaf's content are called in a receipt's `event`."""


@dataclass(frozen=True)
class Statement:
    """One choice with its surroundings, in one language; `event` is what the log's leaf commits to."""

    event: dict[str, Any]
    log: dict[str, Any]
    language: str
    issued_at: datetime
    base: str
    jurisdiction: str
    purpose: Purpose | None
    purpose_name: str
    purpose_text: str
    categories: tuple[str, ...]
    recipients: tuple[Recipient, ...]
    controller: Recipient | None
    rule: Rule | None
    notice: Notice | None
    valid_until: datetime | None

    @property
    def basis(self) -> str | None:
        return self.rule.legal_basis if self.rule else None

    @property
    def withdrawal_url(self) -> str:
        return self.base + reverse("choices")

    @property
    def verify_url(self) -> str:
        return self.base + reverse("verify")

    @property
    def policy_url(self) -> str:
        if self.notice is None:
            return self.base + reverse("notices")
        return self.base + reverse("notice", args=[self.notice.slug, self.notice.version])


def gather(event: LedgerEvent, *, base: str, language: str, at: datetime) -> Statement:
    """What there is to say of this event to a reader of `language`; `base` is the site's address without a path."""
    content = leaves.content(event)
    purpose = Purpose.objects.filter(slug=event.purpose).prefetch_related("recipients").first()
    jurisdiction = _jurisdiction(event)
    rule = _rule(event, jurisdiction)
    with override(language):
        name = gettext(purpose.name) if purpose else gettext("every purpose")
        text = gettext(purpose.description) if purpose else ""
    return Statement(
        event=named(content),
        log=proofs.part(event, content=content),
        language=language,
        issued_at=at,
        base=base.rstrip("/"),
        jurisdiction=jurisdiction,
        purpose=purpose,
        purpose_name=name,
        purpose_text=text,
        categories=_categories(event, purpose),
        recipients=_recipients(event, purpose),
        controller=Recipient.objects.filter(is_controller=True).first(),
        rule=rule,
        notice=_notice(event, language),
        valid_until=_valid_until(event, rule),
    )


def named(content: str) -> dict[str, Any]:
    """A leaf's content with each place called by its name. Raises ValueError."""
    return dict(zip(NAMES, json.loads(content), strict=True))


def _jurisdiction(event: LedgerEvent) -> str:
    """Where the person lived when the event was recorded."""
    subject = Subject.objects.get(pk__in=[event.subject_id])
    return told.as_it_was(told.person(subject), at=event.recorded_at).jurisdiction


def _rule(event: LedgerEvent, jurisdiction: str) -> Rule | None:
    if event.purpose == EVERY:
        return None
    standing = regime.at_moment(purpose=event.purpose, at=event.recorded_at)
    return standing.rule_for(jurisdiction, event.recipient)


def _categories(event: LedgerEvent, purpose: Purpose | None) -> tuple[str, ...]:
    if event.category != EVERY:
        return (event.category,)
    return tuple(purpose.categories) if purpose else tuple(Category.values)


def _recipients(event: LedgerEvent, purpose: Purpose | None) -> tuple[Recipient, ...]:
    if event.recipient != EVERY:
        return tuple(Recipient.objects.filter(slug=event.recipient))
    return tuple(purpose.recipients.all()) if purpose else tuple(Recipient.objects.order_by("slug"))


def _notice(event: LedgerEvent, language: str) -> Notice | None:
    """The notice that was shown; a partner may have named one that is not ours."""
    slug, _, version = event.notice.rpartition("/")
    if not slug or not version.isascii() or not version.isdigit() or len(version) > 9:
        return None
    texts = {one.locale: one for one in Notice.objects.filter(slug=slug, version=int(version))}
    return texts.get(language) or texts.get("en") or next(iter(texts.values()), None)


def _valid_until(event: LedgerEvent, rule: Rule | None) -> datetime | None:
    """When an agreement lapses by itself, as decisions count it."""
    if event.action != Action.GRANT or rule is None or rule.legal_basis != LegalBasis.CONSENT:
        return None
    return event.occurred_at + timedelta(days=rule.consent_days) if rule.consent_days is not None else None
