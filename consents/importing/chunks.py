"""So many rows at a time, checked and ready for the ledger."""

from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Protocol

from consents.bulk_batches import Batch
from consents.importing import vetting
from consents.importing.rows import InputRefused, Refused, Rows
from consents.importing.vetting import Terms
from portal.errors import DomainError


class Tally(Protocol):
    """A running digest."""

    def update(self, data: bytes, /) -> object: ...
    def hexdigest(self) -> str: ...


@dataclass
class Chunk:
    """Rows read together; `broken` says why nothing can be read after them."""

    batch: Batch = field(default_factory=Batch)
    refused: list[tuple[int, Refused]] = field(default_factory=list)
    rows: int = 0
    percent: int = 0
    broken: InputRefused | None = None


def read(rows: Rows, *, size: int, terms: Terms, at: datetime, tally: Tally | None = None) -> Chunk:
    """The next `size` rows; none are left where it answers a chunk of no rows that is not broken."""
    chunk = Chunk()
    try:
        for line, row in islice(rows, size):
            chunk.rows += 1
            if tally is not None:
                tally.update(repr(row).encode())
            if isinstance(row, Refused):
                chunk.refused.append((line, row))
                continue
            try:
                vetting.put(chunk.batch, line, row, terms=terms, at=at)
            except DomainError as error:
                chunk.refused.append((line, Refused(error.code, error.message)))
    except InputRefused as error:
        chunk.broken = error
    return chunk
