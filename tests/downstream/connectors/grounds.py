"""The places that the contract is tried on, and how they are looked at without Heed's own code."""

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from downstream.connectors import memory, open_connector
from downstream.connectors.base import Connector
from tests.downstream.connectors.contract import Ground


class FolderGround(Ground):
    """A folder of Parquet files, read back with DuckDB."""

    def __init__(self, folder: Path, *, row_group_size: int | None = None) -> None:
        self.folder = folder
        self.row_group_size = row_group_size

    def connector(self, key_column: str = "person", created_column: str = "") -> Connector:
        return open_connector("parquet_folder", str(self.folder), key_column, _options(created_column))

    def put(self, unit: str, table: pa.Table) -> None:
        self.folder.mkdir(exist_ok=True)
        pq.write_table(table, self._path(unit), row_group_size=self.row_group_size)

    def remove(self, unit: str) -> None:
        self._path(unit).unlink()

    def read(self) -> dict[str, list[dict[str, Any]]]:
        return {path.name: rows(path) for path in sorted(self.folder.glob("[!.]*"))}

    def leftovers(self) -> list[str]:
        return [path.name for path in self.folder.iterdir() if path.name.startswith(".")]

    def _path(self, unit: str) -> Path:
        return self.folder / unit


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of one Parquet file, by DuckDB."""
    with duckdb.connect() as connection:
        return connection.sql("SELECT * FROM read_parquet(?)", params=[str(path)]).to_arrow_table().to_pylist()


class MemoryGround(Ground):
    """The double."""

    def __init__(self, location: str) -> None:
        self.location = location

    def connector(self, key_column: str = "person", created_column: str = "") -> Connector:
        return open_connector("memory", self.location, key_column, _options(created_column))

    def put(self, unit: str, table: pa.Table) -> None:
        memory.PLACES.setdefault(self.location, memory.Place()).put(unit, table)

    def remove(self, unit: str) -> None:
        del memory.PLACES[self.location].units[unit]

    def read(self) -> dict[str, list[dict[str, Any]]]:
        return {unit: table.to_pylist() for unit, table in memory.PLACES[self.location].units.items()}

    def leftovers(self) -> list[str]:
        return list(memory.PLACES[self.location].staged)


def _options(created_column: str) -> dict[str, str]:
    return {"created_column": created_column} if created_column else {}
