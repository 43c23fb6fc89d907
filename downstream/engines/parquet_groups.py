"""Single columns of Parquet files, row group by row group: what the subject index is made of and confirmed by."""

from collections.abc import Collection, Iterator, Sequence

import pyarrow as pa

from downstream.engines.base import DataFile
from downstream.engines.parquet_files import opened

_MOST = 1_000_000


def columns_by_group(
    file: DataFile, *, columns: Sequence[str], groups: Collection[int] | None = None
) -> Iterator[tuple[int, pa.Table]]:
    """These columns of each row group, or of `groups` alone; a large one comes in several tables of bounded length.

    Columns that a file does not have are left out. Raises ConnectorError.
    """
    with opened(file) as parquet:
        for group in range(parquet.num_row_groups) if groups is None else sorted(groups):
            if parquet.metadata.row_group(group).num_rows <= _MOST:
                yield group, parquet.read_row_group(group, columns=list(columns), use_threads=False)
                continue
            for batch in parquet.iter_batches(_MOST, row_groups=[group], columns=list(columns), use_threads=False):
                yield group, pa.Table.from_batches([batch])
