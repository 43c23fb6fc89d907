"""Rules: enacting versions and loading a dated rulebook.

What a proposed rule would change is counted in `consents.previews`, above the decisions that it asks.
"""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from django.core.exceptions import FieldError
from django.db import DatabaseError, transaction
from django.db.models import F, QuerySet

from consents import jurisdictions, ledger, notices, purposes
from consents.models import Notice, Purpose, Recipient, Rule, RuleTurn
from consents.vocabulary import EVERY, Default, Kind, LegalBasis
from portal import actors, audit
from portal.errors import DomainError, NotFound

RULEBOOKS = Path(__file__).parent / "rulebooks"
_TURNS = ("effective_from", "effective_to")
_MOST_DAYS = {"notice_days": 3_650, "consent_days": 36_500}
"""Ten years and a hundred: with more, a date that is reckoned from them could lie beyond the calendar."""
_SECTIONS = ("recipient", "purpose", "notice", "rule")


class RuleError(DomainError):
    """A rule or rulebook that cannot be enacted as written."""


@dataclass(frozen=True)
class Proposal:
    """A rule before it is enacted."""

    jurisdiction: str
    purpose: str
    legal_basis: str
    default: str
    explanation: str
    source: str
    effective_from: datetime
    effective_to: datetime | None = None
    recipient: str = EVERY
    gpc_denies: bool = False
    notice: str = ""
    notice_days: int = 0
    consent_days: int | None = None
    admits_minors: bool = False


@dataclass(frozen=True)
class Brought:
    """What became of one entry of a rulebook: `new`, `changed`, `left` (stands so already) or `differs`.

    A rule or notice that stands with other words differs: versions are never edited, so the file's is not brought.
    """

    section: str
    name: str
    outcome: str


@transaction.atomic
def enact(*, proposal: Proposal, by: str, at: datetime) -> Rule:
    """Write the next version of a rule. Raises RuleError, NotFound, UnknownJurisdiction."""
    rule = draft(proposal, at=at)
    rule.save(force_insert=True)
    details = _details(proposal, rule)
    ledger.append(kind=Kind.RULE, by=by, at=at, purpose=proposal.purpose, details=details)
    audit.record(at=at, by=by, action="rule.enact", of=("rule", rule.pk), details=details)
    return rule


def draft(proposal: Proposal, *, at: datetime) -> Rule:
    """The rule as it would be written, checked and not saved. Raises RuleError, NotFound, UnknownJurisdiction."""
    values = asdict(proposal) | {"jurisdiction": jurisdictions.check_scope(proposal.jurisdiction)}
    _check(proposal)
    return Rule(purpose_id=values.pop("purpose"), **values, recorded_at=at)


def _details(proposal: Proposal, rule: Rule) -> dict[str, object]:
    """Whom the event concerns, and every field of the rule, so that the log commits to its content."""
    content = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(proposal).items()
    }
    content |= {"jurisdiction": rule.jurisdiction}
    return {
        "rule": rule.pk,
        "purposes": [proposal.purpose],
        "jurisdictions": [rule.jurisdiction],
        "recipients": [proposal.recipient],
        **content,
    }


@transaction.atomic
def tell_turns(*, at: datetime) -> int:
    """Write an event for each rule that began or ended after it was enacted, once; answers how many.

    Decisions follow the dates by themselves; whoever follows the log (datasets, partners) has to hear of them.
    """
    told = 0
    for field in _TURNS:
        # locked, so that nothing is told twice
        for rule in _untold(field, at).select_for_update(of=("self",)).order_by(field, "id"):
            _tell(rule, moment=getattr(rule, field), turn=field, at=at)
            told += 1
    return told


def has_untold_turns(*, at: datetime) -> bool:
    """Whether a rule began or ended by `at` of which the log was not told yet."""
    return any(_untold(field, at).exists() for field in _TURNS)


def _untold(field: str, at: datetime) -> "QuerySet[Rule]":
    due = Rule.objects.filter(**{f"{field}__gt": F("recorded_at"), f"{field}__lte": at})
    return due.exclude(turns__moment=F(field))


def _tell(rule: Rule, *, moment: datetime, turn: str, at: datetime) -> None:
    details = _details(as_proposed(rule), rule) | {"turn": turn}
    event = ledger.append(kind=Kind.RULE, by=actors.SYSTEM, at=at, purpose=rule.purpose_id, details=details)
    RuleTurn.objects.create(rule=rule, moment=moment, event_id=event.pk)
    audit.record(at=at, by=actors.SYSTEM, action="rule.turn", of=("rule", rule.pk), details={"turn": turn})


def shipped() -> list[str]:
    """The rulebooks that come with Heed, by their dates."""
    return sorted(one.stem for one in RULEBOOKS.glob("*.toml"))


def load(*, path: Path, by: str, at: datetime) -> int:
    """Like `bring`; answers how many rules are new."""
    return sum(one.section == "rule" and one.outcome == "new" for one in bring(path=path, by=by, at=at))


@transaction.atomic
def bring(*, path: Path, by: str, at: datetime) -> list[Brought]:
    """Bring a rulebook file: recipients, purposes, notices, rules; what stands already is left.

    Answers what became of each entry. Raises RuleError naming the place in the file, and NotFound.
    """
    book = _read(path)
    brought: list[Brought] = []
    for section in _SECTIONS:
        for number, row in enumerate(book.get(section, []), start=1):
            with _place(f"{path.name}, {section} {number}"):
                brought += _bring(section, row, by=by, at=at)
    return brought


def _check(proposal: Proposal) -> None:
    purposes.get(proposal.purpose)
    purposes.check_recipient(proposal.recipient)
    if proposal.default not in Default.values or proposal.legal_basis not in LegalBasis.values:
        raise RuleError("unknown_word", "Default and legal basis are words of the vocabulary.")
    if proposal.legal_basis == LegalBasis.CONSENT and proposal.default == Default.ALLOW:
        raise RuleError("consent_is_not_a_default", "Where consent is the basis, nobody is in by default.")
    if proposal.notice and not Notice.objects.filter(slug=proposal.notice).exists():
        raise RuleError("unknown_notice", f"Publish the notice {proposal.notice!r} first.")
    if proposal.effective_to is not None and proposal.effective_to <= proposal.effective_from:
        raise RuleError("ends_before_it_begins", "A rule ends after it begins.")
    for name, most in _MOST_DAYS.items():
        days = getattr(proposal, name) or 0
        if days < 0:
            raise RuleError("negative_days", "Days are counted from 0.", field=name)
        if days > most:
            raise RuleError("too_many_days", f"These are at most {most:,} days.", field=name)


def _read(path: Path) -> dict[str, Any]:
    try:
        book = tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        known = ", ".join(shipped())
        raise NotFound("unknown_rulebook", f"No rulebook at {path.name}. Shipped: {known}.") from error
    except (OSError, ValueError) as error:
        # tomllib's and the decoder's errors are ValueErrors
        raise RuleError("malformed_rulebook", f"{path.name} cannot be read as TOML: {error}") from error
    unknown = sorted(set(book) - set(_SECTIONS))
    if unknown or not all(isinstance(rows, list) for rows in book.values()):
        what = f"it has the unknown {', '.join(unknown)}" if unknown else "one of them is no list"
        raise RuleError("malformed_rulebook", f"{path.name} has the lists {', '.join(_SECTIONS)}; {what}.")
    return book


@contextmanager
def _place(where: str) -> Iterator[None]:
    """Name the place in the file in whatever is wrong there."""
    try:
        yield
    except DomainError as error:
        raise RuleError(error.code, f"{where}: {error.message}", field=error.field) from error
    except (TypeError, KeyError, AttributeError, ValueError, FieldError, DatabaseError) as error:
        raise RuleError("malformed_rulebook", f"{where}: {error}") from error


def _bring(section: str, row: dict[str, Any], *, by: str, at: datetime) -> list[Brought]:
    """One entry of a rulebook; a rule's entry is one for each of its jurisdictions."""
    if section == "recipient":
        return [_keep(section, Recipient, row)]
    if section == "purpose":
        return [_purpose(row)]
    if section == "notice":
        return [_notice(row, by=by, at=at)]
    return [_rule(row, jurisdiction, by=by, at=at) for jurisdiction in row.pop("jurisdictions")]


def _keep(section: str, model: type[Recipient] | type[Purpose], row: dict[str, Any]) -> Brought:
    """Recipients and purposes are looked up by name; only what differs is written."""
    slug = row.pop("slug")
    standing = model.objects.filter(slug=slug)
    if standing.filter(**row).exists():
        return Brought(section, slug, "left")
    _, is_new = model.objects.update_or_create(slug=slug, defaults=row)
    return Brought(section, slug, "new" if is_new else "changed")


def _purpose(row: dict[str, Any]) -> Brought:
    recipients = {purposes.check_recipient(slug) for slug in row.pop("recipients", [])}
    for category in row.get("categories", []):
        purposes.check_category(category)
    brought = _keep("purpose", Purpose, row)
    of_purpose = Purpose.objects.get(slug=brought.name).recipients
    if set(of_purpose.values_list("slug", flat=True)) == recipients:
        return brought
    of_purpose.set(Recipient.objects.filter(slug__in=recipients))
    return brought if brought.outcome == "new" else Brought("purpose", brought.name, "changed")


def _notice(row: dict[str, Any], *, by: str, at: datetime) -> Brought:
    published = _moment(row["published"])
    draft = notices.Draft(
        slug=row["slug"],
        texts={locale: (text["title"], text["body"].strip()) for locale, text in row["text"].items()},
        published_at=published,
        effective_at=_moment(row.get("effective", row["published"])),
        is_material=row.get("material", True),
    )
    name = f"{draft.slug} of {published:%Y-%m-%d}"
    standing = Notice.objects.filter(slug=draft.slug, published_at=published)
    if standing.exists():
        texts = {one.locale: (one.title, one.body) for one in standing}
        return Brought("notice", name, "left" if texts == draft.texts else "differs")
    notices.publish(draft=draft, by=by, at=at)
    return Brought("notice", name, "new")


def _rule(row: dict[str, Any], jurisdiction: str, *, by: str, at: datetime) -> Brought:
    jurisdiction = jurisdictions.check_scope(jurisdiction)
    values = {**row, "jurisdiction": jurisdiction, "effective_from": _moment(row["effective_from"])}
    if "effective_to" in row:
        values["effective_to"] = _moment(row["effective_to"])
    proposal = Proposal(**values)
    whose = f" for {proposal.recipient}" if proposal.recipient else ""
    name = f"{proposal.purpose}{whose} in {jurisdiction} from {proposal.effective_from:%Y-%m-%d}"
    standing = Rule.objects.filter(
        jurisdiction=jurisdiction,
        purpose=proposal.purpose,
        recipient=proposal.recipient,
        effective_from=proposal.effective_from,
    )
    latest = standing.order_by("recorded_at", "id").last()
    if latest is not None:
        return Brought("rule", name, "left" if as_proposed(latest) == proposal else "differs")
    enact(proposal=proposal, by=by, at=at)
    return Brought("rule", name, "new")


def as_proposed(rule: Rule) -> Proposal:
    """The standing rule as somebody would propose it: where a next version starts from."""
    values = {one.name: getattr(rule, one.name) for one in fields(Proposal) if one.name != "purpose"}
    return Proposal(purpose=rule.purpose_id, **values)


def _moment(value: date | datetime) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime(value.year, value.month, value.day, tzinfo=UTC)
