"""People's rows of a Lance table, by their addresses: no key becomes part of a query."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from downstream.connectors.lance_leaving import ADDRESS
from downstream.connectors.lance_tables import asking
from downstream.engines import arrow_values

_AT_ONCE = 1_000
"""Rows that one query names, and so are held at a time."""


def rows(table: Any, path: Path, addresses: "np.ndarray[Any, Any]") -> Iterator[dict[str, Any]]:
    """The rows at these addresses with all their columns. Raises ConnectorError."""
    for start in range(0, len(addresses), _AT_ONCE):
        named = ",".join(map(str, addresses[start : start + _AT_ONCE].tolist()))
        with asking(path):
            found = table.scanner(filter=f"{ADDRESS} IN ({named})").to_batches()
            for batch in found:
                yield from arrow_values.rows(batch)
