"""Rules: enacting versions and loading a dated rulebook."""

import tomllib
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from django.db import transaction

from consents import jurisdictions, ledger, notices, purposes
from consents.models import Notice, Purpose, Recipient, Rule
from consents.vocabulary import EVERY, Default, Kind, LegalBasis
from portal import audit
from portal.errors import DomainError, NotFound

RULEBOOKS = Path(__file__).parent / "rulebooks"


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
    jurisdictions.check_scope(proposal.jurisdiction)
    purposes.get(proposal.purpose)
    purposes.check_recipient(proposal.recipient)
    if proposal.default not in Default.values or proposal.legal_basis not in LegalBasis.values:
        raise RuleError("unknown_word", "Default and legal basis are words of the vocabulary.")
    if proposal.legal_basis == LegalBasis.CONSENT and proposal.default == Default.ALLOW:
        raise RuleError("consent_is_not_a_default", "Where consent is the basis, nobody is in by default.")
    if proposal.notice and not Notice.objects.filter(slug=proposal.notice).exists():
        raise RuleError("unknown_notice", f"Publish the notice {proposal.notice!r} first.")
    fields = asdict(proposal)
    rule = Rule.objects.create(purpose_id=fields.pop("purpose"), **fields, recorded_at=at)
    details = {
        "rule": rule.pk,
        "purposes": [proposal.purpose],
        "jurisdictions": [proposal.jurisdiction],
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
    for row in book.get("recipient", []):
        Recipient.objects.update_or_create(slug=row.pop("slug"), defaults=row)
    for row in book.get("purpose", []):
        _purpose(row)
    for row in book.get("notice", []):
        _notice(row, by=by, at=at)
    enacted = 0
    for number, row in enumerate(book.get("rule", []), start=1):
        try:
            enacted += sum(_rule(row, jurisdiction, by=by, at=at) for jurisdiction in row.pop("jurisdictions"))
        except (TypeError, KeyError) as error:
            raise RuleError("malformed_rulebook", f"{path.name}, rule {number}: {error}") from error
    return enacted


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError as error:
        known = ", ".join(sorted(one.stem for one in RULEBOOKS.glob("*.toml")))
        raise NotFound("unknown_rulebook", f"No rulebook at {path.name}. Shipped: {known}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RuleError("malformed_rulebook", f"{path.name} is not TOML: {error}") from error


def _purpose(row: dict[str, Any]) -> None:
    recipients = row.pop("recipients", [])
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
