"""Folders of other files than Parquet, written and read back without Heed's own code."""

import csv
import gzip
import io
import json
import tarfile
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import zstandard
from pyarrow import types

from downstream.connectors import open_connector
from downstream.connectors.base import Connector
from tests.downstream.connectors.contract import Ground

Rows = list[dict[str, Any]]


class FilesGround(Ground):
    """A folder whose units are files of one kind; other names than a suffix tells are told by an option."""

    kind: ClassVar[str]
    options: ClassVar[dict[str, Any]] = {"suffixes": [""]}

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def connector(self, key_column: str = "person", created_column: str = "") -> Connector:
        created = {"created_column": created_column} if created_column else {}
        return open_connector(self.kind, str(self.folder), key_column, self.options | created)

    def put(self, unit: str, table: pa.Table) -> None:
        self.folder.mkdir(exist_ok=True)
        self._path(unit).write_bytes(self.packed(self.written(table)))

    def remove(self, unit: str) -> None:
        self._path(unit).unlink()

    def read(self) -> dict[str, Rows]:
        return {path.name: self.rows(self.unpacked(path.read_bytes())) for path in sorted(self.folder.glob("[!.]*"))}

    def leftovers(self) -> list[str]:
        return [path.name for path in self.folder.iterdir() if path.name.startswith(".")]

    @abstractmethod
    def written(self, table: pa.Table) -> bytes: ...

    @abstractmethod
    def rows(self, data: bytes) -> Rows: ...

    def packed(self, data: bytes) -> bytes:
        return data

    def unpacked(self, data: bytes) -> bytes:
        return data

    def _path(self, unit: str) -> Path:
        return self.folder / unit


def as_json(table: pa.Table) -> list[str]:
    """Each row as JSON; times as ISO 8601 text."""
    return [json.dumps(row, default=lambda value: value.isoformat()) for row in table.to_pylist()]


def is_binary(of: pa.DataType) -> bool:
    return types.is_fixed_size_binary(of) or of == pa.uuid()


class JsonLinesGround(FilesGround):
    kind = "jsonl_folder"

    def holds(self, table: pa.Table) -> bool:
        return not any(is_binary(one) for one in table.schema.types)

    def written(self, table: pa.Table) -> bytes:
        return "".join(f"{line}\n" for line in as_json(table)).encode()

    def rows(self, data: bytes) -> Rows:
        return [json.loads(line) for line in data.splitlines()]


class GzipLinesGround(JsonLinesGround):
    """Of two members."""

    def packed(self, data: bytes) -> bytes:
        return gzip.compress(data[:40]) + gzip.compress(data[40:])

    def unpacked(self, data: bytes) -> bytes:
        return gzip.decompress(data)


class ZstdLinesGround(JsonLinesGround):
    """Of two frames."""

    def packed(self, data: bytes) -> bytes:
        return zstandard.compress(data[:40]) + zstandard.compress(data[40:])

    def unpacked(self, data: bytes) -> bytes:
        return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()


class CsvGround(FilesGround):
    kind = "csv_folder"

    def holds(self, table: pa.Table) -> bool:
        return not any(is_binary(one) for one in table.schema.types)

    def written(self, table: pa.Table) -> bytes:
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(table.column_names)
        for row in table.to_pylist():
            writer.writerow([one.isoformat() if hasattr(one, "isoformat") else one for one in row.values()])
        return out.getvalue().encode()

    def as_put(self, values: dict[str, Any]) -> dict[str, Any]:
        return {name: _of_csv(name, value) for name, value in values.items()}

    def rows(self, data: bytes) -> Rows:
        found = csv.DictReader(io.StringIO(data.decode(), newline=""))
        return [{name: _of_csv(name, value) for name, value in row.items()} for row in found]


def _of_csv(name: str, value: str) -> Any:
    if name in {"n", "likes"}:
        return int(value)
    return value or None


class ShardGround(JsonLinesGround):
    """Each row is a sample: its columns in a JSON member, behind another member."""

    kind = "webdataset"

    def written(self, table: pa.Table) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for number, line in enumerate(as_json(table)):
                add(tar, f"shard/{number:06}.bin", bytes([number]) * 700)
                add(tar, f"shard/{number:06}.json", line.encode())
        return out.getvalue()

    def as_put(self, values: dict[str, Any]) -> dict[str, Any]:
        row: dict[str, Any] = values["json"]
        return row

    def rows(self, data: bytes) -> Rows:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            return [json.load(tar.extractfile(one) or io.BytesIO()) for one in tar if one.name.endswith(".json")]


class PackedShardGround(ShardGround):
    def packed(self, data: bytes) -> bytes:
        return gzip.compress(data)

    def unpacked(self, data: bytes) -> bytes:
        return gzip.decompress(data)


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mtime = len(content), 1_700_000_000
    tar.addfile(member, io.BytesIO(content))


class SavedGround(FilesGround):
    """Saved to disk as `datasets` does, but for the names of data files."""

    kind = "hf_dataset"
    options: ClassVar[dict[str, Any]] = {}

    def put(self, unit: str, table: pa.Table) -> None:
        super().put(unit, table)
        self._save()

    def remove(self, unit: str) -> None:
        super().remove(unit)
        self._save()

    def written(self, table: pa.Table) -> bytes:
        return stream_of(table, batch_size=2)

    def read(self) -> dict[str, Rows]:
        return {name: self.rows(self._path(name).read_bytes()) for name in self._units()}

    def rows(self, data: bytes) -> Rows:
        found: Rows = pa.ipc.open_stream(data).read_all().to_pylist()
        return found

    def _units(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("[!.]*") if not path.suffix)

    def _save(self) -> None:
        save(self.folder, self._units())
        if not self._units():
            for path in self.folder.iterdir():
                path.unlink()


def stream_of(table: pa.Table, *, batch_size: int = 1_000) -> bytes:
    """An Arrow stream in batches of so many rows."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=batch_size)
    return sink.getvalue().to_pybytes()


def save(folder: Path, files: list[str], *, split: str | None = None, splits: dict[str, Any] | None = None) -> None:
    """What `save_to_disk` writes beside the data files."""
    state = {
        "_data_files": [{"filename": name} for name in files],
        "_fingerprint": "0123456789abcdef",
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": split,
    }
    info = {"citation": "", "description": "", "features": {}, "homepage": "", "license": "", "splits": splits}
    (folder / "state.json").write_text(json.dumps(state, indent=2, sort_keys=True))
    (folder / "dataset_info.json").write_text(json.dumps(info, indent=2))
