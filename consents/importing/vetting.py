"""The check of one row, as POST /choices checks it, by what was read from the database once for all rows."""

from dataclasses import dataclass
from datetime import UTC, datetime

from consents import ledger, subjects
from consents.bulk_batches import Batch, Meant, Said
from consents.importing.rows import Row
from consents.models import Purpose, Recipient
from consents.vocabulary import EVERY, NOTICE, SAID, Category
from portal import crypto
from portal.errors import DomainError

_LONGEST = {"evidence": 4000, "key": 255}
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_MINOR = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_SAID = frozenset(action.value for action in SAID)


class RowRefused(DomainError):
    """One row that cannot be taken over."""


@dataclass(frozen=True)
class Terms:
    """What a row may name. None where anything that exists may be named."""

    purposes: frozenset[str]
    recipients: frozenset[str]
    schemes: frozenset[str] | None = None
    spoken_for: frozenset[str] | None = None
    admits_minors_flag: bool = True


def terms(
    *, schemes: frozenset[str] | None = None, spoken_for: frozenset[str] | None = None, admits_minors_flag: bool = True
) -> Terms:
    """The terms as purposes and recipients stand now."""
    return Terms(
        purposes=frozenset(Purpose.objects.values_list("slug", flat=True)),
        recipients=frozenset([EVERY, *Recipient.objects.values_list("slug", flat=True)]),
        schemes=schemes,
        spoken_for=spoken_for,
        admits_minors_flag=admits_minors_flag,
    )


def put(batch: Batch, line: int, row: Row, *, terms: Terms, at: datetime) -> None:
    """Check a row and put it into the batch. Raises DomainError with a stable code, quoting nothing of the row."""
    said = Said(row.purpose, row.recipient, row.category, row.action, row.notice)
    if said not in batch.said:
        _check_said(said, terms)
    meant = _meant(row, terms)
    occurred_at = _time(row.occurred_at, at)
    if row.evidence or row.key or row.is_minor:
        _put_extras(batch, line, row, terms)
    batch.add(line, meant, said, occurred_at)


def _meant(row: Row, terms: Terms) -> Meant:
    name = subjects.name(row.scheme, row.value)
    if terms.schemes is not None and name.scheme not in terms.schemes:
        spoken = ", ".join(sorted(terms.schemes)) or "nothing"
        raise RowRefused("scheme_not_yours", f"You may name people by: {spoken}.", field="scheme")
    return Meant(name.scheme, "", name.fingerprints) if name.is_contact else Meant(name.scheme, name.value)


def _check_said(said: Said, terms: Terms) -> None:
    if said.action not in _SAID:
        raise RowRefused("unknown_action", f"An action is one of: {', '.join(SAID)}.", field="action")
    # nor EVERY: a restriction of everything is said through our own doors alone
    if said.purpose not in terms.purposes:
        raise RowRefused("unknown_purpose", "There is no such purpose.", field="purpose")
    if said.recipient not in terms.recipients:
        raise RowRefused("unknown_recipient", "There is no such recipient.", field="recipient")
    if terms.spoken_for is not None and said.recipient not in terms.spoken_for:
        spoken = ", ".join(repr(one) for one in sorted(terms.spoken_for)) or "none"
        raise RowRefused("recipient_not_yours", f"You speak for the recipients: {spoken}.", field="recipient")
    if said.category != EVERY and said.category not in Category.values:
        known = ", ".join(Category.values)
        raise RowRefused("unknown_category", f"A category is one of: {known}.", field="category")
    if not NOTICE.fullmatch(said.notice):
        raise RowRefused("malformed_notice", "Name the notice as slug/version: ai-training/2.", field="notice")


def _time(sent: str | datetime, at: datetime) -> datetime:
    if isinstance(sent, str):
        try:
            sent = datetime.fromisoformat(sent.strip())
        except ValueError as error:
            raise RowRefused(
                "malformed_time", "Write the time as RFC 3339: 2026-03-02T12:00:00Z.", field="occurred_at"
            ) from error
    ledger.check_times(occurred_at=sent, at=at)
    if sent < _EARLIEST:
        raise RowRefused("time_out_of_range", "occurred_at lies before 1900.", field="occurred_at")
    return sent


def _put_extras(batch: Batch, line: int, row: Row, terms: Terms) -> None:
    """Evidence, key and the minors' flag; all are checked before any is kept."""
    _check_text("evidence", row.evidence)
    _check_text("key", row.key)
    flag = row.is_minor.strip().lower()
    if flag and not terms.admits_minors_flag:
        raise RowRefused("unknown_field", "A partner does not state is_minor with a choice.", field="is_minor")
    if flag and flag not in _MINOR:
        raise RowRefused("wrong_minor", "is_minor is yes, no or empty.", field="is_minor")
    if row.evidence:
        batch.evidence[line] = row.evidence
    if row.key:
        batch.keys[line] = crypto.blind_indexes("import-key", row.key)
    if flag:
        batch.minors[line] = _MINOR[flag]


def _check_text(name: str, text: str) -> None:
    if len(text) > _LONGEST[name]:
        raise RowRefused("too_long", f"{name} has at most {_LONGEST[name]:,} characters.", field=name)
    if "\0" in text:
        raise RowRefused("null_character", f"{name} holds a null character.", field=name)
