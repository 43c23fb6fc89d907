"""The places that the contract is tried on, and how they are looked at without Heed's own code."""

import io
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from downstream.connectors import memory, open_connector
from downstream.connectors.base import Connector
from downstream.connectors.file_folder import FileFolder
from downstream.subject_index import Place
from tests.downstream.connectors.contract import Ground
from tests.downstream.stores.a_bucket import Bucket


class FolderGround(Ground):
    """A folder of Parquet files, read back with DuckDB."""

    def __init__(self, folder: Path, *, row_group_size: int | None = None, **options: str) -> None:
        self.folder = folder
        self.row_group_size = row_group_size
        self.options = options

    def connector(self, key_column: str = "person", created_column: str = "") -> Connector:
        options = {**_options(created_column), **self.options}
        return open_connector("parquet_folder", str(self.folder), key_column, options)

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


class IndexedGround(FolderGround):
    """The same, looked at by its subject index however small it is."""

    def connector(self, key_column: str = "person", created_column: str = "") -> Connector:
        return _indexed(super().connector(key_column, created_column), self.folder.with_name("index"))


class BucketGround(Ground):
    """Parquet objects under a prefix of a bucket, read back with pyarrow from what the bucket answers."""

    def __init__(self, endpoint: str, name: str) -> None:
        self.endpoint, self.name = endpoint, name

    @cached_property
    def bucket(self) -> Bucket:
        """Made when something is put into it."""
        return Bucket(self.endpoint, self.name)

    def connector(self, key_column: str = "person", created_column: str = "") -> Connector:
        options = {**_options(created_column), "endpoint": self.endpoint}
        return open_connector("parquet_folder", f"s3://{self.name}/posts", key_column, options)

    def put(self, unit: str, table: pa.Table) -> None:
        sink = io.BytesIO()
        pq.write_table(table, sink)
        self.bucket.put(f"posts/{unit}", sink.getvalue())

    def remove(self, unit: str) -> None:
        self.bucket.delete(f"posts/{unit}")

    def read(self) -> dict[str, list[dict[str, Any]]]:
        units = [key for key in self.bucket.listed() if not PurePosixPath(key).name.startswith(".")]
        contents = {PurePosixPath(key).name: io.BytesIO(self.bucket.get(key)) for key in sorted(units)}
        return {unit: pq.read_table(content).to_pylist() for unit, content in contents.items()}

    def leftovers(self) -> list[str]:
        return [key for key in self.bucket.listed() if PurePosixPath(key).name.startswith(".")]


class IndexedBucketGround(BucketGround):
    """The same by an index, which lies on this machine."""

    def __init__(self, endpoint: str, name: str, index: Path) -> None:
        super().__init__(endpoint, name)
        self.index = index

    def connector(self, key_column: str = "person", created_column: str = "") -> Connector:
        return _indexed(super().connector(key_column, created_column), self.index)


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


def _indexed(connector: Connector, place: Path) -> Connector:
    assert isinstance(connector, FileFolder)
    connector.use_index(Place(place, b"s" * 32, least_files=0))
    return connector
