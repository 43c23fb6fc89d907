"""Statistics of a rewritten data file for Delta's log, from the new file alone: no removed value is in them.

Only columns that the old file's statistics covered, and only types that the log writes in one way; a column that is
left out is read, never skipped. Long texts are left out rather than cut.
"""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from downstream.engines.errors import reading

_LONGEST = 32


def of(path: Path, *, like: str | None) -> str:
    """The `stats` of an add action, in the shape of the old file's. Raises ConnectorError."""
    shape = _parsed(like)
    with reading(path.name), pq.ParquetFile(path) as parquet:
        stats: dict[str, Any] = {"numRecords": parquet.metadata.num_rows, "minValues": {}, "maxValues": {}}
        stats["nullCount"] = {}
        for index in range(parquet.metadata.num_columns):
            name = parquet.schema.column(index).path
            # nested columns are left out: their names would have to be told from the spelling of lists
            if name in shape:
                _add_column(stats, name, parquet.metadata, index)
    return json.dumps(stats, separators=(",", ":"))


def _parsed(stats: str | None) -> set[str]:
    try:
        found = json.loads(stats or "{}")
    except ValueError:
        return set()
    return {name for part in ("minValues", "nullCount") for name in found.get(part) or {}}


def _add_column(stats: dict[str, Any], name: str, metadata: pq.FileMetaData, index: int) -> None:
    chunks: list[Any] = [metadata.row_group(group).column(index) for group in range(metadata.num_row_groups)]
    found = [chunk.statistics for chunk in chunks if chunk.is_stats_set]
    if len(found) < len(chunks) or not found:
        return
    if all(one.has_null_count for one in found):
        stats["nullCount"][name] = sum(one.null_count for one in found)
    bounded = [one for one in found if one.has_min_max]
    # a row group of nulls alone has no bounds; one of a type without an order has none either
    if len(bounded) < sum(one.num_values > 0 for one in found) or not bounded:
        return
    low, high = min(one.min for one in bounded), max(one.max for one in bounded)
    if _writable(low) and _writable(high):
        stats["minValues"][name] = _json(low)
        stats["maxValues"][name] = _json(high)


def _writable(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, str) and len(value) <= _LONGEST) or type(value) is date


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
