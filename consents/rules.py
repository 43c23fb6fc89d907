"""Rules: enacting versions and loading a dated rulebook."""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from django.core.exceptions import FieldError
from django.db import DatabaseError, transaction

from consents import jurisdictions, ledger, notices, purposes
from consents.models import Notice, Purpose, Recipient, Rule
from consents.vocabulary import EVERY, Default, Kind, LegalBasis
from portal import audit
from portal.errors import DomainError, NotFound

RULEBOOKS = Path(__file__).parent / "rulebooks"
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


@transaction.atomic
def enact(*, proposal: Proposal, by: str, at: datetime) -> Rule:
    """Write the next version of a rule. Raises RuleError, NotFound, UnknownJurisdiction."""
    fields = asdict(proposal) | {"jurisdiction": jurisdictions.check_scope(proposal.jurisdiction)}
    _check(proposal)
    rule = Rule.objects.create(purpose_id=fields.pop("purpose"), **fields, recorded_at=at)
    details = {
        "rule": rule.pk,
        "purposes": [proposal.purpose],
        "jurisdictions": [rule.jurisdiction],
        "recipients": [proposal.recipient],
        "default": proposal.default,
        "effective_from": proposal.effective_from.isoformat(),
    }
    ledger.append(kind=Kind.RULE, by=by, at=at, purpose=proposal.purpose, details=details)
    audit.record(at=at, by=by, action="rule.enact", of=("rule", rule.pk), details=details)
    return rule


@transaction.atomic
def load(*, path: Path, by: str, at: datetime) -> int:
    """Bring a rulebook file: recipients, purposes, notices, rules; what stands already is left. Answers new rules.

    Raises RuleError naming the place in the file.
    """
    book = _read(path)
    enacted = 0
    for section in _SECTIONS:
        for number, row in enumerate(book.get(section, []), start=1):
            with _place(f"{path.name}, {section} {number}"):
                enacted += _bring(section, row, by=by, at=at)
    return enacted


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
    if proposal.notice_days < 0 or (proposal.consent_days or 0) < 0:
        raise RuleError("negative_days", "Days are counted from 0.")


def _read(path: Path) -> dict[str, Any]:
    try:
        book = tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        known = ", ".join(sorted(one.stem for one in RULEBOOKS.glob("*.toml")))
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


def _bring(section: str, row: dict[str, Any], *, by: str, at: datetime) -> int:
    """One entry of a rulebook; answers how many rules it enacted."""
    if section == "recipient":
        Recipient.objects.update_or_create(slug=row.pop("slug"), defaults=row)
    elif section == "purpose":
        _purpose(row)
    elif section == "notice":
        _notice(row, by=by, at=at)
    else:
        return sum(_rule(row, jurisdiction, by=by, at=at) for jurisdiction in row.pop("jurisdictions"))
    return 0


def _purpose(row: dict[str, Any]) -> None:
    recipients = [Recipient.objects.get(slug=purposes.check_recipient(slug)) for slug in row.pop("recipients", [])]
    for category in row.get("categories", []):
        purposes.check_category(category)
    purpose, _ = Purpose.objects.update_or_create(slug=row.pop("slug"), defaults=row)
    purpose.recipients.set(recipients)


def _notice(row: dict[str, Any], *, by: str, at: datetime) -> None:
    published = _moment(row["published"])
    if Notice.objects.filter(slug=row["slug"], published_at=published).exists():
        return
    draft = notices.Draft(
        slug=row["slug"],
        texts={locale: (text["title"], text["body"].strip()) for locale, text in row["text"].items()},
        published_at=published,
        effective_at=_moment(row.get("effective", row["published"])),
        is_material=row.get("material", True),
    )
    notices.publish(draft=draft, by=by, at=at)


def _rule(row: dict[str, Any], jurisdiction: str, *, by: str, at: datetime) -> bool:
    jurisdiction = jurisdictions.check_scope(jurisdiction)
    fields = {**row, "jurisdiction": jurisdiction, "effective_from": _moment(row["effective_from"])}
    if "effective_to" in row:
        fields["effective_to"] = _moment(row["effective_to"])
    proposal = Proposal(**fields)
    standing = Rule.objects.filter(
        jurisdiction=jurisdiction,
        purpose=proposal.purpose,
        recipient=proposal.recipient,
        effective_from=proposal.effective_from,
    )
    if standing.exists():
        return False
    enact(proposal=proposal, by=by, at=at)
    return True


def _moment(value: date | datetime) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime(value.year, value.month, value.day, tzinfo=UTC)
