"""Datasets that are files of JSON lines, plain or packed with gzip or zstd, at any depth."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from downstream.connectors import file_folder, folder_partitions
from downstream.connectors.data_files import FileKind
from downstream.connectors.file_folder import FileFolder
from downstream.connectors.record_folder import RecordFolder
from downstream.engines.options import suffixes
from downstream.engines.packing import bare
from downstream.stores.base import Store, Stored

_SUFFIXES = frozenset({".jsonl", ".ndjson", ".jsonlines", ".json"})
_OPTIONS = frozenset({"suffixes", "key_lists", "key_optional"})


def connect(location: str, key_column: str, options: Mapping[str, Any]) -> FileFolder:
    """The connector to one folder; the key is a path such as `author.id`. Raises ConnectorError.

    Options: `created_column` (a path too), `suffixes`, `key_lists`, `key_optional`.
    """
    wanted = suffixes(options, _SUFFIXES)

    def is_data(store: Store, stored: Stored) -> bool:
        name = bare(stored.name)
        suffix = PurePosixPath(name).suffix
        if suffix in wanted and suffix == ".json" and name == stored.name.lower():
            return _is_lines(store, stored)
        return suffix in wanted

    kind = FileKind("jsonl", "JSON lines", is_data, options=_OPTIONS, partitions=folder_partitions.of)
    return file_folder.connect(kind, location, key_column, options, make=RecordFolder)


def _is_lines(store: Store, stored: Stored) -> bool:
    """Whether a .json file is lines, not one document over several lines, such as a description of the dataset."""
    head, _ = store.head_and_tail(stored.name, 64)
    start = head.removeprefix(b"\xef\xbb\xbf")
    return start.startswith(b"{") and not start[1:].lstrip(b" \t").startswith((b"\r", b"\n"))
