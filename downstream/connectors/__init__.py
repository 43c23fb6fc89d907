"""Connectors: how Heed reaches the datasets of one kind. `base` says what every connector promises.

A connector's module is imported on first use and offers `connect(location, key_column, options)`. Where a location is
no path it also offers `resolve(location, options)`, which answers the one name by which the place is known.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from downstream.connectors.base import Connector, ConnectorError

KINDS = {
    "parquet_folder": "downstream.connectors.parquet_folder",
    "lance_table": "downstream.connectors.lance_table",
    "pgvector_table": "downstream.connectors.pgvector_table",
    "sql_table": "downstream.connectors.sql_table",
}
"""What a dataset may be registered as: kind → module."""

# what a kind needs that is not installed with Heed itself
_EXTRAS = {"lance_table": "lance", "pgvector_table": "sql", "sql_table": "sql"}
_OPTIONAL = {"lance", "lancedb", "sqlalchemy"}

# kept apart: a dataset that lives in a process's memory can be opened by tests, never registered
_DOUBLES = {"memory": "downstream.connectors.memory"}


Resolve = Callable[[str, Mapping[str, Any]], str]


def open_connector(kind: str, location: str, key_column: str, options: Mapping[str, Any]) -> Connector:
    """The connector to one dataset; nothing is looked at yet. Raises ConnectorError."""
    module = (KINDS | _DOUBLES).get(kind)
    if module is None:
        raise ConnectorError("unknown_kind", f"A kind is one of: {', '.join(sorted(KINDS))}.", permanent=True)
    connector: Connector = _load(kind, module).connect(location, key_column, options)
    return connector


def resolver(kind: str) -> Resolve | None:
    """The kind's own way of naming a place, or None where it is a path. It raises ConnectorError."""
    if kind not in KINDS:
        return None
    resolve: Resolve | None = getattr(_load(kind, KINDS[kind]), "resolve", None)
    return resolve


def _load(kind: str, module: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if kind not in _EXTRAS or error.name not in _OPTIONAL:
            raise
        raise ConnectorError(
            "extra_missing",
            f"Datasets of the kind {kind} need more packages: pip install 'heed[{_EXTRAS[kind]}]'.",
            permanent=True,
        ) from None
