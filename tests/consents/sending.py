"""Short ways of importing, for the tests of the bulk path."""

import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from consents import bulk_ledger
from consents.bulk_batches import Batch
from consents.bulk_ledger import Outcome, Sender
from consents.importing import files, vetting
from consents.importing.files import Course
from consents.importing.rows import Row
from consents.models import ChoiceImport
from consents.vocabulary import Source
from tests.conftest import AT

SENDER = "command:import_choices"
HEAD = "scheme,value,purpose,action,occurred_at"


def row(value: str = "m_alice", action: str = "deny", **changes: object) -> Row:
    """A choice of an account, at AT, about AI training, unless told otherwise."""
    given: dict[str, object] = {
        "scheme": "account",
        "value": value,
        "purpose": "ai-training",
        "action": action,
        "occurred_at": AT,
    }
    return Row(**{**dict.fromkeys(Row._fields, ""), **given, **changes})  # type: ignore[arg-type]


def sent(*rows: Row, at: datetime = AT, jurisdictions: tuple[str, ...] = ()) -> Outcome:
    """Record rows as one batch, their lines counted from 1."""
    batch, terms = Batch(), vetting.terms()
    for line, one in enumerate(rows, start=1):
        vetting.put(batch, line, one, terms=terms, at=at)
    sender = Sender(source=Source.IMPORT, by=SENDER, taken_from=uuid.uuid4(), jurisdictions=jurisdictions)
    return bulk_ledger.record_many(batch=batch, sender=sender, at=at)


def ticking(start: datetime = AT) -> Callable[[], datetime]:
    """A clock that goes on by a millisecond each time it is looked at."""
    looks: Iterator[int] = iter(range(1, 1_000_000))
    return lambda: start + timedelta(milliseconds=next(looks))


def imported(path: Path, *, chunk: int = 3, form: str | None = None, again: bool = False) -> ChoiceImport:
    course = Course(by=SENDER, clock=ticking(), size=chunk)
    return files.load(path=path, course=course, form=form, again=again)


def written(folder: Path, lines: Iterable[str], *, name: str = "choices.csv", head: str = HEAD) -> Path:
    path = folder / name
    path.write_text("\n".join([head, *lines, ""]))
    return path


def rejections(one: ChoiceImport) -> list[tuple[int, str]]:
    return list(one.rejections.order_by("line").values_list("line", "code"))


UTC_NOON = datetime(2026, 3, 2, 12, tzinfo=UTC).isoformat()
