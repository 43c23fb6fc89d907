"""What every holder of a dataset offers, and those that are asked about one person after the other besides.

We cannot look into what others hold. So nothing here finds, removes or verifies: a holder is asked, and what it
answers is kept as its word.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, runtime_checkable

from downstream.connectors.base import ConnectorError, Description

__all__ = ["ConnectorError", "Description", "Holder", "Place", "Processor", "Question", "Told", "TryLater"]


@dataclass(frozen=True)
class Place:
    """All of a dataset's registration that concerns its holder."""

    kind: str
    location: str
    owner: str
    key_scheme: str
    created_column: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """Remove one person. The keys are personal data: not for logs, and never in an address."""

    id: uuid.UUID
    keys: Sequence[str] = field(repr=False)
    submitted_at: datetime
    callback: str


@dataclass(frozen=True)
class Told:
    """The holder's signed answer about one person."""

    state: Literal["waiting", "done", "refused"]
    expected_at: datetime | None = None
    rows: int | None = None
    """Rows removed, where the holder counts them."""
    evidence: Mapping[str, str] = field(default_factory=dict)


class TryLater(ConnectorError):
    """The holder cannot answer now; `wait` is what it asked for."""

    def __init__(self, code: str, message: str, *, wait: timedelta | None = None) -> None:
        super().__init__(code, message, permanent=False)
        self.wait = wait


class Holder(Protocol):
    """Every method raises ConnectorError; `permanent` says whether a person has to act."""

    name: str
    """Who it is, as receipts say it: a partner's slug, a processor's domain."""

    def describe(self) -> Description:
        """The connection test: refuse what could not be carried out later. How many rows there are nobody tells."""


@runtime_checkable
class Processor(Holder, Protocol):
    """A holder that takes one request a person."""

    def ask(self, question: Question) -> Told:
        """Send it; the holder knows it by its id, but may take it twice for two."""

    def look(self, request_id: uuid.UUID) -> Told | None:
        """What became of it; None where the holder never received it."""
