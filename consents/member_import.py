"""Taking people over from a CSV file: all of it or, where a line is wrong, none of it."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from django.db import transaction

from consents import amendments, jurisdictions, subjects
from consents.models import Identifier
from consents.subjects import Newcomer
from consents.vocabulary import Scheme
from portal.errors import Conflict, DomainError

_REQUIRED = ("author_id", "email", "jurisdiction")
_OPTIONAL = ("locale", "minor")
_BATCH = 2_000


class ImportRefused(DomainError):
    """The file cannot be taken over; nothing of it was."""


@dataclass(frozen=True)
class Imported:
    """How many were new, and how many were left as they are."""

    registered: int
    known: int


@transaction.atomic
def load(*, path: Path, by: str, at: datetime) -> Imported:
    """Register everyone in the file; those known stay as they are. Raises ImportRefused naming the line."""
    registered = seen = 0
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            newcomers = _newcomers(csv.DictReader(file, strict=True), path.name)
            while batch := list(islice(newcomers, _BATCH)):
                seen += len(batch)
                registered += len(subjects.register_many(newcomers=batch, by=by, at=at))
                _link(batch, by=by, at=at)
    except OSError as error:
        raise ImportRefused("unreadable", f"{path.name} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ImportRefused("not_csv", f"{path.name} is not a CSV file in UTF-8.") from error
    if not seen:
        raise ImportRefused("empty", f"{path.name} holds no people.")
    return Imported(registered=registered, known=seen - registered)


def _link(batch: list[Newcomer], *, by: str, at: datetime) -> None:
    """Members who were known by their contact alone, such as one who objected before: they stay the same person.

    What they said then holds for their account now. The register knows better where they live.
    """
    by_contact = {
        print_: one for one in batch for named in one.names if named.is_contact for print_ in named.fingerprints
    }
    without_account = Identifier.objects.filter(scheme=Scheme.EMAIL, fingerprint__in=list(by_contact)).exclude(
        subject__identifiers__scheme=Scheme.ACCOUNT
    )
    for identifier in without_account.select_related("subject"):
        newcomer = by_contact[bytes(identifier.fingerprint)]
        try:
            amendments.link(subject=identifier.subject, names=newcomer.names, by=by, at=at)
        except Conflict:
            # the account is somebody else's, or was an erased person's: both stay as they are
            continue
        minor = True if newcomer.is_minor else None
        amendments.amend(subject=identifier.subject, jurisdiction=newcomer.jurisdiction, is_minor=minor, by=by, at=at)


def _newcomers(rows: "csv.DictReader[str]", name: str) -> Iterator[Newcomer]:
    columns = list(rows.fieldnames or [])
    if not columns:
        return
    wrong = [f"lacks {column}" for column in _REQUIRED if column not in columns]
    wrong += [f"has the unknown {column}" for column in columns if column not in _REQUIRED + _OPTIONAL]
    wrong += [f"has {column} twice" for column in set(columns) if columns.count(column) > 1]
    if wrong:
        known = ", ".join(_REQUIRED + _OPTIONAL)
        raise ImportRefused("wrong_columns", f"{name} {', '.join(wrong)}; columns are {known}.")
    for row in rows:
        try:
            yield _newcomer(row)
        except DomainError as error:
            # the line's number, never its content: messages reach logs
            raise ImportRefused(error.code, f"{name}, line {rows.line_num}: {error.message}") from error


def _newcomer(row: dict[str, str]) -> Newcomer:
    if None in row.values() or None in row:
        raise ImportRefused("wrong_length", "the line has more or fewer values than there are columns.")
    minor = (row.get("minor") or "").strip().lower()
    if minor not in {"", "0", "1", "true", "false", "yes", "no"}:
        raise ImportRefused("wrong_minor", "minor is yes or no.")
    return Newcomer(
        names=(
            subjects.name(Scheme.ACCOUNT, row["author_id"]),
            subjects.name(Scheme.EMAIL, row["email"]),
        ),
        jurisdiction=jurisdictions.check(row["jurisdiction"]),
        locale=(row.get("locale") or "en").strip()[:10],
        is_minor=minor in {"1", "true", "yes"},
    )
