"""People's rows of a Lance table, by their addresses: no key becomes part of a query."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from downstream.connectors.lance_leaving import ADDRESS
from downstream.connectors.lance_tables import asking
from downstream.engines import arrow_values

_NAMED, _AT_ONCE = 1_000, 100
"""Rows that one query names, and that are held at a time."""


def rows(table: Any, path: Path, addresses: "np.ndarray[Any, Any]") -> Iterator[dict[str, Any]]:
    """The rows at these addresses with all their columns. Raises ConnectorError."""
    for start in range(0, len(addresses), _NAMED):
        named = ",".join(map(str, addresses[start : start + _NAMED].tolist()))
        with asking(path):
            found = table.scanner(filter=f"{ADDRESS} IN ({named})", batch_size=_AT_ONCE).to_batches()
            for batch in found:
                yield from arrow_values.rows(batch)
