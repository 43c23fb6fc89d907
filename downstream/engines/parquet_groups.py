"""Single columns of Parquet files, row group by row group: what the subject index is made of and confirmed by."""

from collections.abc import Collection, Iterator, Sequence

import pyarrow as pa

from downstream.engines.arrow_columns import column_at, path_of
from downstream.engines.base import DataFile
from downstream.engines.parquet_files import opened

_MOST = 1_000_000
_AT_ONCE = 250_000


def columns_by_group(
    file: DataFile, *, columns: Sequence[str], groups: Collection[int] | None = None
) -> Iterator[tuple[int, pa.Table]]:
    """These columns of each row group, or of `groups` alone; a large one comes in several tables of bounded length.

    Columns that a file does not have are left out. Raises ConnectorError.
    """
    with opened(file) as parquet:
        rows = [parquet.metadata.row_group(group).num_rows for group in range(parquet.num_row_groups)]
        for run in _runs(range(len(rows)) if groups is None else sorted(groups), rows):
            if rows[run[0]] > _MOST:
                for batch in parquet.iter_batches(_MOST, row_groups=run, columns=list(columns), use_threads=False):
                    yield run[0], _flat(pa.Table.from_batches([batch]), columns)
                continue
            # small ones together: most of a look at one is the asking
            table, start = _flat(parquet.read_row_groups(run, columns=list(columns), use_threads=False), columns), 0
            for group in run:
                yield group, table.slice(start, rows[group])
                start += rows[group]


def _flat(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Columns inside structs under the names that they were asked for by."""
    paths = {column: path_of(table.schema, column) for column in columns}
    if all(path is None or len(path) == 1 for path in paths.values()):
        return table
    return pa.table({column: column_at(table, column) for column, path in paths.items() if path})


def _runs(groups: Sequence[int], rows: Sequence[int]) -> Iterator[list[int]]:
    run: list[int] = []
    for group in groups:
        if run and sum(rows[one] for one in run) + rows[group] > _AT_ONCE:
            yield run
            run = []
        run.append(group)
    if run:
        yield run
