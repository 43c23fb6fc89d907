"""Lance tables, written and read by Lance alone, and their files as somebody sees them who found the disk."""

import shutil
import struct
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
from lance.file import LanceFileReader

from downstream.connectors import open_connector
from downstream.connectors.base import Connector
from tests.downstream.connectors.contract import Ground


class LanceGround(Ground):
    """One table, `a`."""

    is_one_unit = True

    def __init__(self, folder: Path) -> None:
        self.path = folder / "a.lance"

    def connector(self, key_column: str = "person", created_column: str = "") -> Connector:
        options = {"created_column": created_column} if created_column else {}
        return open_connector("lance_table", str(self.path), key_column, options)

    def put(self, unit: str, table: pa.Table) -> None:
        lance.write_dataset(table, str(self.path), mode="overwrite" if self.path.exists() else "create")

    def remove(self, unit: str) -> None:
        shutil.rmtree(self.path)

    def read(self) -> dict[str, list[dict[str, Any]]]:
        return {"a": lance.dataset(str(self.path)).to_table().to_pylist()}

    def leftovers(self) -> list[str]:
        return [file.name for file in self.path.iterdir() if file.name.startswith(".")]


def places(path: Path, *, text: str = "", number: float | None = None) -> list[str]:
    """Folders of the table in which a file holds the text or the number, packed or not."""
    return sorted({_folder(file, path) for file in path.rglob("*") if file.is_file() and _holds(file, text, number)})


def _folder(file: Path, path: Path) -> str:
    return file.relative_to(path).parts[0]


def _holds(file: Path, text: str, number: float | None) -> bool:
    needle = struct.pack("<f", number) if number is not None else text.encode()
    if needle in file.read_bytes():
        return True
    try:
        content = LanceFileReader(str(file)).read_all().to_table()
    except (OSError, ValueError):
        return False
    return (str(number) if number is not None else text) in repr(content.to_pydict())
