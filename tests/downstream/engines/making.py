"""Parquet files for the engine's tests, and how two of them are compared without Heed's own code."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from downstream.engines.base import DataFile
from downstream.engines.embedded import EmbeddedEngine

ENGINE = EmbeddedEngine()
KEEP, GO = "m_keep", "m_go"
PERSONS = [KEEP, GO, None, GO, KEEP, KEEP]
"""Who the six rows of a small file are of."""
STAY = [0, 2, 4, 5]


def write(path: Path, table: pa.Table, **options: Any) -> DataFile:
    """A file made by pyarrow, in row groups of two rows unless told otherwise."""
    pq.write_table(table, path, **{"row_group_size": 2, **options})
    return DataFile(path.name, str(path))


def rewritten(source: DataFile, keys: set[str], *, key_column: str = "person") -> Path:
    """The file without the rows of the keys, beside it, and found faithful by the engine itself."""
    target = Path(source.path).with_name("new.tmp")
    ENGINE.check_rewritable(source)
    ENGINE.rewrite(source, str(target), key_column=key_column, keys=keys)
    ENGINE.compare(source, str(target), key_column=key_column, keys=keys)
    return target


def make_of(path: Path | str) -> list[dict[str, Any]]:
    """How each column chunk of the first row group is made, without sizes and places."""
    metadata = pq.read_metadata(path)
    chunks = [metadata.row_group(0).column(index) for index in range(metadata.num_columns)]
    return [
        {
            "column": chunk.path_in_schema,
            "codec": chunk.compression,
            "dictionary": chunk.has_dictionary_page,
            "statistics": chunk.is_stats_set,
            "page index": chunk.has_offset_index,
            "bloom": chunk.bloom_filter_offset is not None,
            "encodings": set(chunk.encodings),
        }
        for chunk in chunks
    ]
