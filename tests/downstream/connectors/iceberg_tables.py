"""Iceberg tables that tests fill as their owners do, and look into with pyiceberg alone."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyiceberg.transforms import IdentityTransform

from downstream.connectors import open_connector
from downstream.connectors.base import Connector
from tests.downstream.connectors.contract import ALICE, BOB
from tests.downstream.connectors.iceberg_ground import NAME, catalog, options

SECRET = "what alice wrote"
ROWS = pa.table({"person": [ALICE, BOB, None, "m_zoe"], "text": [SECRET, "b", "nobody's", "z"], "n": [1, 2, 3, 4]})
KEPT = [row for row in ROWS.to_pylist() if row["person"] != ALICE]


def now() -> datetime:
    """When a purge would begin."""
    return datetime.now(UTC)


def made(folder: Path, **properties: str) -> Any:
    """A new table."""
    place = catalog(folder)
    place.create_namespace("social")
    return place.create_table(NAME, ROWS.schema, properties=properties)


def held(folder: Path) -> Any:
    """The table as it is now."""
    return catalog(folder).load_table(NAME)


def table(folder: Path, **more: Any) -> Connector:
    return open_connector("iceberg_table", NAME, "person", {**options(folder), **more})


def read(folder: Path, snapshot: int | None = None) -> list[dict[str, Any]]:
    found = held(folder).scan(snapshot_id=snapshot).to_arrow().to_pylist()
    return sorted(found, key=lambda row: row["n"])


def twice(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows + rows, key=lambda row: row["n"])


def data(folder: Path) -> Path:
    """Where the table's files are: the catalog is another file, and holds no rows."""
    return folder / "social" / "posts"


def partitioned(folder: Path, column: str) -> None:
    held_table = made(folder)
    with held_table.update_spec() as update:
        update.add_field(column, IdentityTransform(), column)
    held_table.append(ROWS)
