"""Datasets that are Parquet files, at any depth."""

from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from typing import Any

from downstream.connectors import file_folder, folder_partitions
from downstream.connectors.base import ConnectorError
from downstream.connectors.data_files import FileKind
from downstream.connectors.file_folder import FileFolder
from downstream.engines.parquet_files import looks_like_parquet
from downstream.stores.base import Store, Stored

_SMALLEST = 12
_SUFFIXES = {".parquet", ".parq", ".pq"}
# one copy of every file's statistics, and the files' own offsets: rewriting a file makes it wrong
_SUMMARY = "_metadata"
_SUMMARY_OF_SCHEMA = "_common_metadata"
_TABLE_FORMATS = {"_delta_log": "Delta Lake", ".hoodie": "Apache Hudi"}


def connect(location: str, key_column: str, options: Mapping[str, Any]) -> FileFolder:
    """The connector to one folder. Options: `created_column`, `engine`, and the engine's own. Raises ConnectorError."""
    return file_folder.connect(KIND, location, key_column, options)


def _is_data(store: Store, stored: Stored) -> bool:
    name = PurePosixPath(stored.name)
    if name.name == _SUMMARY:
        raise ConnectorError(
            "summary_file",
            f"{name.name} repeats statistics of all files and would be wrong after a rewrite; remove it.",
            permanent=True,
        )
    if name.name == _SUMMARY_OF_SCHEMA:
        return False
    if name.suffix.lower() in _SUFFIXES:
        return True
    # two marks and the footer's length at least: markers of writers need not be asked for
    return stored.size >= _SMALLEST and looks_like_parquet(*store.head_and_tail(stored.name, 4))


def _refuse_tables(names: Collection[str]) -> None:
    """Also where a table lies somewhere below."""
    folders = {folder for name in names for folder in PurePosixPath(name).parts[:-1]}
    found = [name for log, name in _TABLE_FORMATS.items() if log in folders]
    if any(PurePosixPath(name).match("metadata/*.metadata.json") for name in names):
        found.append("Apache Iceberg")
    if found:
        raise ConnectorError(
            "table_format",
            f"In this folder is a table of {found[0]}, whose log would not know of a rewritten file.",
            permanent=True,
        )


KIND = FileKind("parquet", "Parquet", _is_data, _refuse_tables, partitions=folder_partitions.of)
