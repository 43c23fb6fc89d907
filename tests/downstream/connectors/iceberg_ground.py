"""An Iceberg table in a catalog of SQLite that the contract is tried on, written and listed by pyiceberg itself."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.io.pyarrow import parquet_files_to_data_files
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from downstream.connectors import open_connector
from downstream.connectors.base import Connector
from tests.downstream.connectors.contract import Ground
from tests.downstream.connectors.grounds import rows

NAME = "social.posts"


def options(folder: Path) -> dict[str, Any]:
    """How the connector finds the catalog of a folder."""
    return {"catalog": {"type": "sql", "uri": f"sqlite:///{folder}/catalog.db", "warehouse": f"file://{folder}"}}


def catalog(folder: Path) -> SqlCatalog:
    """The catalog of a folder; it keeps no connection open."""
    folder.mkdir(exist_ok=True)
    made = SqlCatalog("default", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}")
    made.engine.dispose()
    made.engine = create_engine(f"sqlite:///{folder}/catalog.db", poolclass=NullPool)
    return made


class IcebergGround(Ground):
    """Each unit is a data file; what stands before the first dot of its name is the unit's."""

    keeps_empty_units = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.catalog = catalog(folder)
        self.catalog.create_namespace("social")
        self.times_put = 0

    def connector(self, key_column: str = "person", created_column: str = "") -> Connector:
        created = {"created_column": created_column} if created_column else {}
        told = {**options(self.folder), "files_per_commit": 1, **created}
        return open_connector("iceberg_table", NAME, key_column, told)

    @property
    def table(self) -> Any:
        return self.catalog.load_table(NAME)

    def put(self, unit: str, table: pa.Table) -> None:
        try:
            held = self.table
        except NoSuchTableError:
            plain = [field.with_type(_plain(field.type)) for field in table.schema]
            held = self.catalog.create_table(NAME, pa.schema(plain))
        old = self._files(unit)
        path = Path(held.location().removeprefix("file://"), f"{unit}.{self.times_put}" if old else unit)
        self.times_put += 1
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
        self._overwrite(held, old, [f"file://{path}"])

    def remove(self, unit: str) -> None:
        self._overwrite(self.table, self._files(unit), [])

    def holds(self, table: pa.Table) -> bool:
        return all(
            not (types.is_timestamp(one) and (one.unit != "us" or one.tz not in {None, "UTC"}))
            and not types.is_unsigned_integer(one)
            for one in table.schema.types
        )

    def spoil(self, unit: str) -> str:
        self.put(unit, pa.table({"person": ["m_x"], "text": ["x"]}))
        (path,) = (Path(self.table.location().removeprefix("file://")) / unit,)
        path.write_bytes(b"not what it was")
        return "not_parquet"

    def read(self) -> dict[str, list[dict[str, Any]]]:
        found = sorted(Path(task.file.file_path.removeprefix("file://")) for task in self.table.scan().plan_files())
        return {path.name.split(".")[0]: rows(path) for path in found}

    def leftovers(self) -> list[str]:
        held = self.table
        named = {
            entry.data_file.file_path
            for snapshot in held.snapshots()
            for manifest in snapshot.manifests(held.io)
            for entry in manifest.fetch_manifest_entry(held.io, discard_deleted=False)
        }
        folder = Path(held.location().removeprefix("file://"))
        found = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in {".avro", ".json"}]
        return [path.name for path in found if f"file://{path}" not in named]

    def _files(self, unit: str) -> list[Any]:
        try:
            held = self.table
        except NoSuchTableError:
            return []
        files = [task.file for task in held.scan().plan_files()]
        return [file for file in files if Path(file.file_path).name.split(".")[0] == unit]

    def _overwrite(self, held: Any, old: list[Any], new: list[str]) -> None:
        with held.transaction() as transaction, transaction.update_snapshot().overwrite() as update:
            for file in old:
                update.delete_data_file(file)
            for file in parquet_files_to_data_files(held.io, transaction.table_metadata, iter(new)):
                update.append_data_file(file)


def _plain(of: Any) -> Any:
    return of.value_type if types.is_dictionary(of) else of
