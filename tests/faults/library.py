"""A dataset large enough for its index, and the proof by DuckDB alone that nothing but a person's rows left it."""

import hashlib
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

FILES, ROWS, GROUP = 9, 240, 40
ALICE, BERT = "m_alice", "m_bert"
HERS = {2: range(40, 47), 5: range(100, 103), 7: range(0, 40)}
"""Alice's rows by file: in one row group each, of which one is hers alone. Bert has one row in the first file."""


def fill(folder: Path) -> None:
    """Sorted files of six row groups each, compressed and described in a manner of their own."""
    folder.mkdir()
    for number in range(FILES):
        hers = HERS.get(number, range(0))
        authors = [ALICE if row in hers else f"m_{row % 17}" for row in range(ROWS)]
        if number == 0:
            authors[77] = BERT
        _write(folder / f"part-{number}.parquet", authors, number)


def _write(path: Path, authors: list[str], number: int) -> None:
    at = range(number * ROWS, number * ROWS + ROWS)
    table = pa.table(
        {
            "at": pa.array(at, pa.int64()),
            "author": pa.array(authors).dictionary_encode(),
            "text": [f"text {row * 7919 % 1009}" for row in at],
            "tags": [[str(row % 3)] * (row % 4) for row in at],
        }
    ).replace_schema_metadata({"owner": "library", "part": str(number)})
    sorting = [pq.SortingColumn(0)]
    pq.write_table(table, path, row_group_size=GROUP, compression="zstd", sorting_columns=sorting)


def seen(folder: Path, *left: str) -> dict[str, Any]:
    """All that can be said of each file besides the rows of those who `left`."""
    return {path.name: _file(path, left) for path in sorted(folder.glob("*.parquet"))}


def _file(path: Path, left: tuple[str, ...]) -> dict[str, Any]:
    stays = "WHERE author::VARCHAR <> ALL ($2)"
    rest = f"SELECT count(*), sum(hash(t)::HUGEINT) FROM (SELECT * FROM read_parquet($1) {stays}) AS t"
    order = f'SELECT "at" FROM read_parquet($1, file_row_number = true) {stays} ORDER BY file_row_number'
    columns = "SELECT DISTINCT path_in_schema, type, compression FROM parquet_metadata($1) ORDER BY ALL"

    def ask(query: str, *also: object) -> list[Any]:
        return duckdb.execute(query, [str(path), *also]).fetchall()

    return {
        "rest": ask(rest, list(left)),
        "order": ask(order, list(left)),
        "columns": ask(columns),
        "metadata": ask("SELECT key, value FROM parquet_kv_metadata($1) ORDER BY ALL"),
        "schema": ask("SELECT * EXCLUDE (file_name) FROM parquet_schema($1)"),
        "sorting": {group.sorting_columns for group in _row_groups(path)},
        "groups": _groups(path, left),
    }


def _row_groups(path: Path) -> list[pq.RowGroupMetaData]:
    metadata = pq.read_metadata(path)
    return [metadata.row_group(number) for number in range(metadata.num_row_groups)]


def _groups(path: Path, left: tuple[str, ...]) -> list[int]:
    """Rows that stay of each row group; one of which nothing stays is none."""
    file = pq.ParquetFile(path)
    counts = []
    for number in range(file.num_row_groups):
        authors = file.read_row_group(number, columns=["author"])["author"].to_pylist()
        counts.append(sum(author not in left for author in authors))
    return [count for count in counts if count]


def rows_of(folder: Path, author: str) -> int:
    asked = duckdb.execute("SELECT count(*) FROM read_parquet($1) WHERE author = $2", [f"{folder}/*.parquet", author])
    (count,) = asked.fetchall()[0]
    return int(count)


def bytes_of(folder: Path) -> dict[str, str]:
    """The digest of each file's bytes."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.parquet"))}
