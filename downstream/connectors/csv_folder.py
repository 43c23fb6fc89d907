"""Datasets that are files of CSV or TSV, plain or packed with gzip or zstd, at any depth."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from downstream.connectors import file_folder, folder_partitions
from downstream.connectors.data_files import FileKind
from downstream.connectors.file_folder import FileFolder
from downstream.engines.options import suffixes
from downstream.engines.packing import bare
from downstream.stores.base import Store, Stored

_SUFFIXES = frozenset({".csv", ".tsv"})
_OPTIONS = frozenset({"suffixes", "delimiter", "quote", "encoding", "header"})


def connect(location: str, key_column: str, options: Mapping[str, Any]) -> FileFolder:
    """The connector to one folder; the key is a column's name, or its number from 0 without a header.

    Options: `created_column`, `suffixes`, `delimiter`, `quote`, `encoding`, `header`. Raises ConnectorError.
    """
    wanted = suffixes(options, _SUFFIXES)

    def is_data(store: Store, stored: Stored) -> bool:
        return PurePosixPath(bare(stored.name)).suffix in wanted

    kind = FileKind("csv", "CSV", is_data, options=_OPTIONS, partitions=folder_partitions.of)
    return file_folder.connect(kind, location, key_column, options)
