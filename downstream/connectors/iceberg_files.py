"""The files of an Iceberg table's current snapshot, and the entries of new ones for its manifests."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from downstream.connectors.base import ConnectorError
from downstream.connectors.iceberg_catalogs import catalog_errors, path_of, root
from downstream.connectors.table_files import TableFile, short
from downstream.engines.errors import reading

_NAMED_PARTITIONS = "write.summary.partition-limit"


def data_files(table: Any) -> dict[str, Any]:
    """The current snapshot's data files by address. Raises ConnectorError for what Heed cannot work on."""
    from pyiceberg.manifest import FileFormat, ManifestContent

    if table.metadata.format_version > 2:
        raise _unsupported("table_feature", "The table is of format version 3, which Heed cannot write yet")
    snapshot = table.current_snapshot()
    found: dict[str, Any] = {}
    with catalog_errors("the table"):
        held = [
            (manifest.content, manifest.fetch_manifest_entry(table.io))
            for manifest in (snapshot.manifests(table.io) if snapshot else [])
        ]
    for content, entries in held:
        if entries and content == ManifestContent.DELETES:
            raise _unsupported(
                "delete_files",
                "Some rows of this table are only marked as deleted (delete files) and are still in its data files; "
                "have its owner run rewrite_data_files",
            )
        found |= {entry.data_file.file_path: entry.data_file for entry in entries}
    if any(file.file_format != FileFormat.PARQUET for file in found.values()):
        raise _unsupported("not_parquet", "The table has data files that are not Parquet")
    folder = root(table)
    if any(not path_of(uri).is_relative_to(folder) for uri in found):
        raise _unsupported("link_leaves_folder", "The table has data files outside of its location")
    return found


def lineage(table: Any) -> list[Any]:
    """The table's snapshots from the current one back."""
    found, snapshot = [], table.current_snapshot()
    while snapshot is not None:
        found.append(snapshot)
        parent = snapshot.parent_snapshot_id
        snapshot = table.metadata.snapshot_by_id(parent) if parent is not None else None
    return found


def table_files(table: Any, files: Mapping[str, Any], key_column: str) -> dict[str, TableFile]:
    """The same as they are worked on, by address, in the order of their names."""
    folder, hidden = root(table), partitioned_by(table, key_column)
    if hidden and table.metadata.properties.get(_NAMED_PARTITIONS, "0") != "0":
        raise _unsupported(
            "partition_summaries",
            f"The table is partitioned by the key, and its snapshots name changed partitions ({_NAMED_PARTITIONS}); "
            "have its owner turn that off",
        )
    made = {}
    for uri in files:
        path = path_of(uri)
        # a partition's folder is named after its value
        name = f"file {short(uri)}" if hidden else path.relative_to(folder).as_posix()
        made[uri] = TableFile(name, str(path), column_in(table, path, key_column))
    return dict(sorted(made.items(), key=lambda pair: pair[1].name))


def partitioned_by(table: Any, key_column: str) -> bool:
    """Whether any layout of partitions goes by the key."""
    wanted = field_id(table, key_column)
    return any(field.source_id == wanted for spec in table.specs().values() for field in spec.fields)


def field_id(table: Any, column: str) -> int | None:
    """The column's number, which it keeps when it is renamed."""
    return next((field.field_id for field in table.schema().fields if field.name == column), None)


def with_names(table: Any, files: Iterable[TableFile]) -> list[TableFile]:
    """The files, each told what the table calls their columns now: a column keeps its number when it is renamed."""
    if len(table.schemas()) == 1:
        return list(files)
    return [replace(file, names=_names_now(table, Path(file.path))) for file in files]


def _names_now(table: Any, path: Path) -> dict[str, str]:
    """By the file's name of each column that is called otherwise now.

    A column that the table has dropped is still in the file, and so still held: where another took its name, it is told
    from that.
    """
    try:
        with reading(path.name), pq.ParquetFile(path) as parquet:
            fields = list(parquet.schema_arrow)
    except ConnectorError:
        # told when the file is looked into
        return {}
    now = {str(one.field_id).encode(): one.name for one in table.schema().fields}
    numbers = {field.name: (field.metadata or {}).get(b"PARQUET:field_id") for field in fields}
    if set(numbers.values()) == {None}:
        return {}
    taken, names = set(now.values()), dict[str, str]()
    for name, number in numbers.items():
        called = now.get(number or b"")
        names[name] = called or (f"{name} (dropped)" if name in taken else name)
    return names


def column_in(table: Any, path: Path, column: str) -> str | None:
    """What the column is called in one file; None where the file was written before there was one."""
    if len(table.schemas()) == 1:
        return column
    try:
        with reading(path.name), pq.ParquetFile(path) as parquet:
            fields = list(parquet.schema_arrow)
    except ConnectorError:
        # told when the file is looked into
        return column
    wanted = str(field_id(table, column)).encode()
    numbers = {(field.metadata or {}).get(b"PARQUET:field_id"): field.name for field in fields}
    if set(numbers) == {None}:
        return column if any(field.name == column for field in fields) else None
    return numbers.get(wanted)


def entry_of(table: Any, old: Any, uri: str) -> Any:
    """The manifest entry of a file that takes an old one's place: partition carried over, statistics its own."""
    from pyiceberg.io.pyarrow import (
        compute_statistics_plan,
        data_file_statistics_from_parquet_metadata,
        parquet_path_to_id_mapping,
    )
    from pyiceberg.manifest import DataFile, DataFileContent, FileFormat

    path = path_of(uri)
    with reading(path.name):
        metadata, size = pq.read_metadata(path), path.stat().st_size
    schema = _schema_of(table, metadata)
    statistics = data_file_statistics_from_parquet_metadata(
        parquet_metadata=metadata,
        stats_columns=compute_statistics_plan(schema, table.metadata.properties),
        parquet_column_mapping=parquet_path_to_id_mapping(schema),
    )
    made = DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=uri,
        file_format=FileFormat.PARQUET,
        partition=old.partition,
        file_size_in_bytes=size,
        sort_order_id=old.sort_order_id,
        spec_id=old.spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )
    made.spec_id = old.spec_id
    return made


def check_layout(table: Any, old: Any) -> None:
    """Refuse a file of an earlier partition layout: the library writes new files in the newest only."""
    if old.spec_id != table.metadata.default_spec_id:
        raise _unsupported(
            "partition_layout",
            "Rows that have to go are in files of an earlier partition layout; have its owner run rewrite_data_files",
        )


def _schema_of(table: Any, metadata: pq.FileMetaData) -> Any:
    """The newest of the table's schemas that knows all columns of the file."""
    from pyiceberg.io.pyarrow import parquet_path_to_id_mapping

    wanted = {metadata.schema.column(index).path for index in range(metadata.num_columns)}
    schemas = sorted(table.schemas().values(), key=lambda schema: schema.schema_id, reverse=True)
    for schema in [table.schema(), *schemas]:
        if wanted <= set(parquet_path_to_id_mapping(schema)):
            return schema
    raise _unsupported("unsupported_schema", "A data file has columns that no schema of the table knows")


def _unsupported(code: str, what: str) -> ConnectorError:
    return ConnectorError(code, f"{what}; then try again, or have its owner remove the rows.", permanent=True)
