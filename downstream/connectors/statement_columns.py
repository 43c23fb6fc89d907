"""The columns in which a dataset's rows say themselves how they may be used, as a dataset's options name them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from downstream.engines.base import Tally
from downstream.engines.errors import ConnectorError

OPTIONS = frozenset({"content_usage_column", "tdm_reservation_column"})


@dataclass(frozen=True)
class RowsSaying:
    """So many rows say this in their columns, as it is written there (None: nothing, or no such column)."""

    content_usage: str | None
    tdm_reservation: str | None
    rows: int
    of_keys: int
    """How many of them are of the keys that were asked about."""


@dataclass(frozen=True)
class StatementColumns:
    """AIPREF's `Content-Usage` and TDMRep's `tdm-reservation`, each as a column; empty where there is none."""

    content_usage: str = ""
    tdm_reservation: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in (self.content_usage, self.tdm_reservation) if name)

    def saying(self, tally: Tally) -> RowsSaying:
        """The tally of `names`, told by what each column means."""
        found = dict(zip(self.names, tally.values, strict=True))
        return RowsSaying(found.get(self.content_usage), found.get(self.tdm_reservation), tally.rows, tally.of_keys)


NO_COLUMNS = StatementColumns()
"""Of a dataset whose rows say nothing."""


def from_options(options: Mapping[str, Any]) -> StatementColumns:
    """Raises ConnectorError where an option names no column, or both the same one."""
    named = {name: options.get(name, "") for name in OPTIONS}
    for name, column in named.items():
        if not isinstance(column, str):
            raise ConnectorError("invalid_options", f"The option {name} is the name of a column.", permanent=True)
    columns = StatementColumns(named["content_usage_column"], named["tdm_reservation_column"])
    if len(set(columns.names)) < len(columns.names):
        raise ConnectorError("invalid_options", "Content usage and reservation are two columns.", permanent=True)
    return columns
