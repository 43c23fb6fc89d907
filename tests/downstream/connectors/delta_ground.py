"""A Delta table that the contract is tried on: written as the protocol says, read with Delta's own library."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, Schema
from pyarrow import types

from downstream.connectors import open_connector
from downstream.connectors.base import Connector
from tests.downstream.connectors.contract import Ground
from tests.downstream.connectors.grounds import rows

NTZ = {"readerFeatures": ["timestampNtz"], "writerFeatures": ["timestampNtz"]}


class DeltaGround(Ground):
    """Each unit is a data file; what stands before the first dot of its name is the unit's."""

    keeps_empty_units = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "_delta_log"
        self.times_put = 0

    def connector(self, key_column: str = "person", created_column: str = "") -> Connector:
        created = {"created_column": created_column} if created_column else {}
        return open_connector("delta_table", str(self.folder), key_column, {"files_per_commit": 1, **created})

    def put(self, unit: str, table: pa.Table) -> None:
        if not self.log.exists():
            self.log.mkdir(parents=True)
            self._commit([{"protocol": _protocol(table)}, {"metaData": _metadata(table)}])
        path = self.folder / (f"{unit}.{self.times_put}" if self._paths(unit) else unit)
        self.times_put += 1
        pq.write_table(table, path)
        self._commit([*self._removals(unit), _add(path)])

    def remove(self, unit: str) -> None:
        self._commit(self._removals(unit))

    def holds(self, table: pa.Table) -> bool:
        return all(
            not (types.is_timestamp(one) and one.unit != "us")
            and not types.is_unsigned_integer(one)
            and not types.is_fixed_size_binary(one)
            and not isinstance(one, pa.UuidType)
            for one in table.schema.types
        )

    def spoil(self, unit: str) -> str:
        path = self.folder / unit
        path.write_bytes(b"not what it was")
        self._commit([_add(path)])
        return "not_parquet"

    def read(self) -> dict[str, list[dict[str, Any]]]:
        found = sorted(Path(uri) for uri in DeltaTable(str(self.folder)).file_uris())
        return {path.name.split(".")[0]: rows(path) for path in found}

    def leftovers(self) -> list[str]:
        named = {one["add"]["path"] for entry in self.log.glob("*.json") for one in _actions(entry) if "add" in one}
        found = [path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()]
        return [name for name in found if name not in named and not name.endswith(".json")]

    def _paths(self, unit: str) -> list[str]:
        if not any(self.log.glob("*.json")):
            return []
        found = [Path(uri).name for uri in DeltaTable(str(self.folder)).file_uris()]
        return [name for name in found if name.split(".")[0] == unit]

    def _removals(self, unit: str) -> list[dict[str, Any]]:
        gone = {"dataChange": True, "deletionTimestamp": 0}
        return [{"remove": {"path": path, **gone}} for path in self._paths(unit)]

    def _commit(self, actions: list[dict[str, Any]]) -> None:
        version = len(list(self.log.glob("*.json")))
        text = "".join(f"{json.dumps(one)}\n" for one in actions)
        (self.log / f"{version:020}.json").write_text(text)


def _actions(entry: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in entry.read_text().splitlines()]


def _add(path: Path) -> dict[str, Any]:
    told = {"path": path.name, "size": path.stat().st_size, "modificationTime": 0, "partitionValues": {}}
    return {"add": {**told, "dataChange": True}}


def _protocol(table: pa.Table) -> dict[str, Any]:
    if any(types.is_timestamp(one) and one.tz is None for one in table.schema.types):
        return {"minReaderVersion": 3, "minWriterVersion": 7, **NTZ}
    return {"minReaderVersion": 1, "minWriterVersion": 2}


def _metadata(table: pa.Table) -> dict[str, Any]:
    plain = pa.schema([field.with_type(_plain(field.type)) for field in table.schema])
    about = {"id": "heed-test", "format": {"provider": "parquet", "options": {}}, "partitionColumns": []}
    return {**about, "schemaString": Schema.from_arrow(plain).to_json(), "configuration": {}, "createdTime": 0}


def _plain(of: Any) -> Any:
    if types.is_dictionary(of):
        return of.value_type
    return pa.timestamp("us", "UTC") if types.is_timestamp(of) and of.tz else of
