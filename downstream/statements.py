"""What a dataset's rows say themselves about training (AIPREF, TDMRep): counted, kept, and shown to staff.

A row that says no must not be trained on, whatever its author told us. Here it is counted and made visible.
"""

import uuid
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime

import structlog
from django.db import transaction

from consents import purposes, usage_statements
from consents.models import Preference
from consents.usage_statements import Usage
from consents.vocabulary import EVERY, Action, Slot
from downstream import naming, registry
from downstream.connectors.base import ConnectorError, RowsSaying
from downstream.connectors.statement_columns import OPTIONS
from downstream.models import Dataset
from portal import actors, audit
from portal.errors import DomainError

logger = structlog.get_logger(__name__)

TRAINING = "ai-training"
SILENT, UNREADABLE = "says nothing", "cannot be read"


class NoStatements(DomainError):
    """The dataset names no column in which rows say how they may be used."""


@dataclass(frozen=True)
class Summary:
    """Rows by what they say; `values` by statement, in the standards' own words and never as the row spells it."""

    rows: int
    disallowed: int
    disallowed_of_yes: int
    """Of those that say no, the rows of people who said yes to us."""
    allowed: int
    silent: int
    unknown: int
    values: dict[str, int]


def has_columns(dataset: Dataset) -> bool:
    return any(dataset.options.get(name) for name in OPTIONS)


def serves_training(dataset: Dataset) -> bool:
    return any(purposes.covers(TRAINING, one) for one in dataset.purposes)


def read(*, dataset: Dataset, by: str, at: datetime) -> Summary:
    """Scan the dataset and keep what was found. Raises NoStatements, ConnectorError."""
    if not has_columns(dataset):
        raise NoStatements("no_statement_columns", f"{dataset.slug} names no column in which rows say so themselves.")
    said_yes = set(naming.keys(_who_said_yes(dataset), dataset=dataset))
    # outside any transaction: a scan may take long
    summary = _summed(list(registry.connect(dataset).statements(said_yes)))
    _keep(dataset, asdict(summary), by=by, at=at)
    return summary


def refresh(*, dataset: Dataset, at: datetime) -> None:
    """Look again where there is something to look at; a dataset that cannot be read says so on its page."""
    if not has_columns(dataset):
        return
    try:
        read(dataset=dataset, by=actors.SYSTEM, at=at)
    except ConnectorError as error:
        logger.warning("statements.unread", dataset=dataset.slug, code=error.code)
        _keep(dataset, {"failed": error.code, "reason": error.message}, by=actors.SYSTEM, at=at)


def still_there(dataset: Dataset) -> int:
    """Rows that say no by themselves, as last counted, in a dataset that serves training."""
    return int(dataset.row_statements.get("disallowed", 0)) if serves_training(dataset) else 0


def _who_said_yes(dataset: Dataset) -> list[uuid.UUID]:
    """People whose own yes covers this dataset, for training where it serves that."""
    served = [one for one in dataset.purposes if purposes.covers(TRAINING, one)] or dataset.purposes
    yes = Preference.objects.filter(
        slot=Slot.CHOICE,
        action=Action.GRANT,
        purpose__in=served,
        recipient__in=[EVERY, dataset.owner_id],
        category__in=[EVERY, dataset.category],
        expired_at__isnull=True,
    )
    return list(yes.values_list("subject_id", flat=True).distinct())


def _summed(found: list[RowsSaying]) -> Summary:
    rows: Counter[str] = Counter()
    values: Counter[str] = Counter()
    for one in found:
        usage = usage_statements.read(content_usage=one.content_usage, tdm_reservation=one.tdm_reservation)
        rows[_kind(usage)] += one.rows
        values[_words(one, usage)] += one.rows
        if usage.allows is False:
            rows["disallowed_of_yes"] += one.of_keys
    kinds = ("disallowed", "disallowed_of_yes", "allowed", "silent", "unknown")
    return Summary(rows=values.total(), values=dict(values.most_common()), **{kind: rows[kind] for kind in kinds})


def _kind(usage: Usage) -> str:
    if usage.allows is None:
        return "silent" if usage.readable else "unknown"
    return "allowed" if usage.allows else "disallowed"


def _words(one: RowsSaying, usage: Usage) -> str:
    """What such rows say, in the standards' words: what they spell may be anything, and even name somebody."""
    parsed = usage_statements.parse_content_usage(one.content_usage or "") or {}
    reserved = usage_statements.parse_tdm_reservation(one.tdm_reservation or "")
    training = {name: allowed for name, allowed in parsed.items() if name == usage_statements.TRAIN_AI}
    said = [
        *([usage_statements.write_content_usage(training)] if training else []),
        *([f"{usage_statements.TDM_RESERVATION}: {int(reserved)}"] if reserved is not None else []),
        *([UNREADABLE] if not usage.readable else []),
    ]
    return " · ".join(said) or SILENT


@transaction.atomic
def _keep(dataset: Dataset, found: dict[str, object], *, by: str, at: datetime) -> None:
    dataset.row_statements, dataset.statements_read_at = found, at
    dataset.save(update_fields=["row_statements", "statements_read_at"])
    counts = {name: value for name, value in found.items() if name != "values"}
    audit.record(at=at, by=by, action="dataset.read_statements", of=("dataset", dataset.slug), details=counts)
