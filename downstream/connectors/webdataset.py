"""Datasets that are WebDataset shards: tars, plain or packed with gzip or zstd, at any depth."""

from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from typing import Any

from downstream.connectors import file_folder
from downstream.connectors.base import ConnectorError
from downstream.connectors.data_files import FileKind
from downstream.connectors.file_folder import FileFolder
from downstream.connectors.record_folder import RecordFolder
from downstream.engines.options import suffixes
from downstream.engines.packing import bare
from downstream.stores.base import Store, Stored

_SUFFIXES = frozenset({".tar", ".tgz"})
_OPTIONS = frozenset({"suffixes", "json_member", "key_lists", "key_optional"})
_INDEX = ".idx"
_INDEX_OF_ALL = b"wids-shard-index"


def connect(location: str, key_column: str, options: Mapping[str, Any]) -> FileFolder:
    """The connector to one folder; the key is a path such as `author.id` in a sample's JSON. Raises ConnectorError.

    Options: `created_column` (a path too), `json_member`, `suffixes`, `key_lists`, `key_optional`.
    """
    wanted = suffixes(options, _SUFFIXES)

    def is_data(store: Store, stored: Stored) -> bool:
        suffix = PurePosixPath(bare(stored.name)).suffix
        if suffix == ".json" and _INDEX_OF_ALL in store.head_and_tail(stored.name, 4_096)[0]:
            raise _indexed(stored.name)
        return suffix in wanted

    kind = FileKind("webdataset", "WebDataset", is_data, _refuse_indexes, options=_OPTIONS)
    return file_folder.connect(kind, location, key_column, options, make=RecordFolder)


def _refuse_indexes(names: Collection[str]) -> None:
    shards = {bare(name).rsplit(".", 1)[0] for name in names if not name.endswith(_INDEX)}
    for name in names:
        if name.endswith(_INDEX) and bare(name).removesuffix(_INDEX).removesuffix(".tar") in shards:
            raise _indexed(name)


def _indexed(name: str) -> ConnectorError:
    return ConnectorError(
        "index_beside",
        f"{name} says where samples lie in the shards and would be wrong after a rewrite; remove it, and have it made "
        "anew once rows are removed.",
        permanent=True,
    )
