"""A Lance table on disk: opening it, which of its versions a run made, and what goes wrong with it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
from lance import LanceOperation
from lance.commit import CommitConflictError
from lance.fragment import FragmentMetadata

from downstream.connectors.base import ConnectorError
from downstream.engines.errors import changed, reading, writing
from downstream.stores import folders

OURS = "heed"
"""The property by which a transaction of ours is known."""
# Lance writes a deletion's predicate into its log and its manifest, in clear: ours names nobody
_PREDICATE = "rows named by Heed"


@dataclass(frozen=True)
class Plan:
    """A removal that waits to be committed: the fragments as they will be. It holds offsets of rows, no key."""

    read_version: int
    uuid: str
    fragments: list[dict[str, Any]]
    gone: list[int]

    @property
    def transaction(self) -> "lance.Transaction":
        updated = [FragmentMetadata.from_json(json.dumps(one)) for one in self.fragments]
        return deletion(self.read_version, updated, self.gone, uuid=self.uuid)

    @property
    def touched(self) -> set[int]:
        return {one["id"] for one in self.fragments} | set(self.gone)


def deletion(read_version: int, updated: list[Any], gone: list[int], *, uuid: str) -> "lance.Transaction":
    operation = LanceOperation.Delete(updated_fragments=updated, deleted_fragment_ids=gone, predicate=_PREDICATE)
    return lance.Transaction(
        read_version=read_version, operation=operation, uuid=uuid, transaction_properties={OURS: "removal"}
    )


def opened(path: Path, version: int | None = None) -> Any:
    """The table at its newest version, or at another. Raises ConnectorError."""
    if not (path / "_versions").is_dir():
        raise ConnectorError("dataset_missing", f"There is nothing at {path}, or no Lance table.", permanent=True)
    with asking(path):
        return lance.dataset(str(path), version=version)


@contextmanager
def asking(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong with the table into a ConnectorError."""
    name = name_of(path)
    with reading(name):
        try:
            yield
        except CommitConflictError:
            raise changed(name) from None
        except (ValueError, RuntimeError, OSError) as error:
            if "not found" in str(error).lower():
                raise changed(name) from None
            if getattr(error, "errno", None) is not None:
                raise
            raise ConnectorError(
                "dataset_unreadable",
                f"{name} cannot be read ({type(error).__name__}): it is damaged or of an unknown kind; restore it.",
                permanent=True,
            ) from None


def name_of(path: Path) -> str:
    return path.name.removesuffix(".lance")


def is_committed(table: Any, path: Path, *, uuid: str, after: int) -> bool:
    """Whether one of the versions behind this one came of the transaction; what is told is on disk to stay."""
    for version in range(after + 1, table.version + 1):
        if (made := transaction(table, version)) is not None and made.uuid == uuid:
            sync(path)
            return True
    return False


def transaction(table: Any, version: int) -> Any:
    """What made this version, or None where its record is gone, or Lance cannot tell it (one of a compaction)."""
    try:
        return table.read_transaction(version)
    except (OSError, ValueError, RuntimeError, TypeError):
        return None


def sync(path: Path) -> None:
    """Bring what a commit wrote to disk: Lance leaves that to the system."""
    with writing(name_of(path)):
        for folder in ("_deletions", "_transactions", "_versions"):
            if (path / folder).is_dir():
                newest = sorted((path / folder).iterdir(), key=lambda one: one.stat().st_mtime)[-8:]
                for file in newest:
                    _sync_file(file)
                folders.sync(path / folder)


def _sync_file(file: Path) -> None:
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_plan(file: Path, plan: Plan) -> None:
    with writing(name_of(file.parent)), file.open("x") as stream:
        json.dump(plan.__dict__, stream)
        stream.flush()
        os.fsync(stream.fileno())


def read_plan(file: Path) -> Plan | None:
    """The plan, or None where somebody swept it or died while it was written."""
    try:
        return Plan(**json.loads(file.read_text()))
    except (FileNotFoundError, json.JSONDecodeError, TypeError):
        return None


def all_files(path: Path) -> list[Path]:
    """Everything that is physically there."""
    with reading(name_of(path)):
        return sorted(one for one in path.rglob("*") if one.is_file())


def schema_of(table: Any) -> pa.Schema:
    schema: pa.Schema = table.schema
    return schema
