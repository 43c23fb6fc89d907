"""The parts of an answer that come from consents: who is recorded, what they chose, what follows, and the proofs."""

import uuid
from collections.abc import Iterator

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.translation import gettext as _

from consents import decisions, evaluation, ledger, personal_keys, reasons, subjects
from consents.models import LedgerEvent, Position, Preference, Purpose, Recipient, Subject
from consents.receipts import issuing
from consents.vocabulary import EVERY, Action, Category, Default, Kind, LegalBasis, Scheme, Source
from portal import references
from portal.countries import name_of
from portal.errors import NotFound
from requests_app.packages.parts import Asking, Column, Part, Row

_SCHEMES = {str(one.value): one.label for one in Scheme}
_AT_ONCE = 500


def person(asking: Asking) -> Part:
    """What is recorded of the person themselves (Art. 15(1))."""
    columns = (
        Column("number", _("Your number with us")),
        Column("country", _("Where you live")),
        Column("language", _("Language")),
        Column("is_minor", _("Minor"), "flag"),
        Column("registered_at", _("Registered"), "time"),
    )
    return Part("person", _("Who you are to us"), _("What we have on record about you."), columns, lambda: _me(asking))


def _me(asking: Asking) -> Iterator[Row]:
    one = Subject.objects.get(pk=asking.subject_id)
    yield {
        "number": str(one.pk),
        "country": name_of(one.jurisdiction),
        "language": one.locale,
        "is_minor": one.is_minor,
        "registered_at": one.registered_at,
    }


def identifiers(asking: Asking) -> Part:
    columns = (
        Column("scheme", _("Kind of name")),
        Column("value", _("Name or address")),
        Column("verified_at", _("Confirmed"), "time"),
    )
    says = _("The names and addresses by which we know you.")
    return Part("identifiers", _("Names and addresses"), says, columns, lambda: _names(asking))


def _names(asking: Asking) -> Iterator[Row]:
    known = Subject.objects.get(pk=asking.subject_id).identifiers.select_related("subject").order_by("pk")
    for one in known.iterator(_AT_ONCE):
        name = subjects.name_of(one)
        yield {
            "scheme": str(_SCHEMES.get(one.scheme, one.scheme)),
            "value": name.value if name else None,
            "verified_at": one.verified_at,
        }


def choices(asking: Asking) -> Part:
    columns = (
        Column("purpose", _("Purpose")),
        Column("recipient", _("Recipient")),
        Column("category", _("Data")),
        Column("choice", _("Choice")),
        Column("occurred_at", _("Made"), "time"),
        Column("recorded_at", _("Recorded"), "time"),
        Column("lapsed_at", _("Lapsed"), "time"),
        Column("receipt", _("Receipt")),
    )
    says = _("What you chose, as it stands now. Where you chose nothing, the default of your country counts.")
    return Part("choices", _("Your choices"), says, columns, lambda: _choices(asking))


def _choices(asking: Asking) -> Iterator[Row]:
    words = Words()
    held = Preference.objects.filter(subject_id=asking.subject_id).order_by("purpose", "recipient", "category", "slot")
    for one in held.iterator(_AT_ONCE):
        yield {
            "purpose": words.purpose(one.purpose),
            "recipient": words.recipient(one.recipient),
            "category": words.category(one.category),
            "choice": str(Action(one.action).label),
            "occurred_at": one.occurred_at,
            "recorded_at": one.recorded_at,
            "lapsed_at": one.expired_at,
            "receipt": ledger.reference(one.event_id),
        }


def uses(asking: Asking) -> Part:
    """May each purpose use the person's data, and why (Art. 15(1)(a), (c), (h))."""
    columns = (
        Column("purpose", _("Purpose")),
        Column("recipient", _("Recipient")),
        Column("is_used", _("Your data is used for this"), "flag"),
        Column("reasons", _("Why"), "any"),
        Column("legal_basis", _("Legal basis")),
        Column("default", _("Default where you live")),
        Column("explanation", _("Why it is the default")),
        Column("source", _("Source of law")),
    )
    says = _("For each purpose whether your data is used, and how that was decided.")
    return Part("uses", _("What your data is used for"), says, columns, lambda: _uses(asking))


def _uses(asking: Asking) -> Iterator[Row]:
    words, one = Words(), Subject.objects.get(pk=asking.subject_id)
    questions = [
        evaluation.Question(purpose.slug, recipient=recipient)
        for purpose in Purpose.objects.prefetch_related("recipients")
        for recipient in (EVERY, *(each.slug for each in purpose.recipients.all()))
    ]
    answers = decisions.decide_all(subject=one, questions=questions, at=asking.at, now=True)
    for question, answer in zip(questions, answers, strict=True):
        rule = answer.rule
        yield {
            "purpose": words.purpose(question.purpose),
            "recipient": words.recipient(question.recipient),
            "is_used": answer.decision.allow,
            "reasons": reasons.told(answer.decision),
            "legal_basis": str(LegalBasis(rule.legal_basis).label) if rule else None,
            "default": str(Default(rule.default).label) if rule else None,
            "explanation": _(rule.explanation) if rule else None,
            "source": rule.source if rule else None,
        }


def history(asking: Asking) -> Part:
    columns = (
        Column("reference", _("Reference")),
        Column("position", _("Place in the log"), "number"),
        Column("kind", _("What")),
        Column("choice", _("Choice")),
        Column("purpose", _("Purpose")),
        Column("recipient", _("Recipient")),
        Column("category", _("Data")),
        Column("source", _("How")),
        Column("notice", _("Notice shown")),
        Column("occurred_at", _("Made"), "time"),
        Column("recorded_at", _("Recorded"), "time"),
        Column("details", _("Details"), "any"),
        Column("evidence", _("What it rests on"), "any"),
    )
    says = _("Everything that was ever recorded about you in the ledger, from the first entry to the last.")
    return Part("history", _("History"), says, columns, lambda: _history(asking))


def _history(asking: Asking) -> Iterator[Row]:
    words, one = Words(), Subject.objects.get(pk=asking.subject_id)
    for event in _events(asking.subject_id).iterator(_AT_ONCE):
        yield {
            "reference": ledger.reference(event.pk),
            "position": event.position,  # type: ignore[attr-defined]  # annotated in `_events`
            "kind": str(Kind(event.kind).label),
            "choice": str(Action(event.action).label) if event.action else None,
            "purpose": words.purpose(event.purpose),
            "recipient": words.recipient(event.recipient),
            "category": words.category(event.category),
            "source": str(Source(event.source).label),
            "notice": event.notice or None,
            "occurred_at": event.occurred_at,
            "recorded_at": event.recorded_at,
            "details": event.details or None,
            "evidence": _evidence(one, event),
        }


def _evidence(one: Subject, event: LedgerEvent) -> str | None:
    return None if event.evidence is None else personal_keys.unseal(one, event.evidence, context="evidence")


def receipts(asking: Asking) -> Part:
    """A signed receipt of every choice, as files of their own."""
    columns = (
        Column("reference", _("Reference")),
        Column("recorded_at", _("Recorded"), "time"),
        Column("file", _("File"), "file"),
    )
    says = _("A signed receipt of each choice (JSON-LD), which anybody can check without us.")

    def opened(name: str) -> Iterator[bytes] | None:
        event = _named(asking.subject_id, name)
        return None if event is None else iter([_receipt(event, asking)])

    return Part("receipts", _("Receipts"), says, columns, lambda: _receipts(asking), file=opened)


def _receipts(asking: Asking) -> Iterator[Row]:
    for event in _with_receipt(asking.subject_id).iterator(_AT_ONCE):
        yield {
            "reference": ledger.reference(event.pk),
            "recorded_at": event.recorded_at,
            "file": f"receipts/{ledger.reference(event.pk)}.jsonld",
        }


def _receipt(event: LedgerEvent, asking: Asking) -> bytes:
    language = asking.language
    return issuing.issue(event, wanted="jsonld", base=asking.base, language=language, at=asking.at).content


def _named(subject_id: uuid.UUID, name: str) -> LedgerEvent | None:
    """The event of the receipt with this file name; None where words in the name were made unreadable."""
    try:
        event_id = references.decode("R", name.removeprefix("receipts/").removesuffix(".jsonld"))
    except NotFound:
        return None
    return _with_receipt(subject_id).filter(pk=event_id).first()


def _with_receipt(subject_id: uuid.UUID) -> "QuerySet[LedgerEvent]":
    return _events(subject_id).filter(kind__in=issuing.KINDS)


def _events(subject_id: uuid.UUID) -> "QuerySet[LedgerEvent]":
    position = Position.objects.filter(event_id=OuterRef("pk")).values("position")
    return (
        LedgerEvent.objects.filter(subject_id=subject_id)
        .annotate(position=Subquery(position[:1]))
        .order_by("recorded_at", "pk")
    )


class Words:
    """Purposes, recipients and categories as people call them."""

    def __init__(self) -> None:
        self._purposes = dict(Purpose.objects.values_list("slug", "name"))
        self._recipients = dict(Recipient.objects.values_list("slug", "name"))

    def purpose(self, slug: str) -> str:
        if slug == EVERY:
            return _("every purpose")
        return _(self._purposes[slug]) if self._purposes.get(slug) else slug

    def recipient(self, slug: str) -> str:
        return _("everybody") if slug == EVERY else self._recipients.get(slug, slug)

    def category(self, code: str) -> str:
        return _("all data") if code == EVERY else str(Category(code).label) if code in Category.values else code
