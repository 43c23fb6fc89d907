"""The log of a Delta Lake table on a file system: which files a version has, and which actions are in which entry.

It is replayed here because Heed commits its own entries and needs the actions as they were written (partition values,
tags), which `deltalake` does not give; where the two do not agree on a version's files, the table is refused.
Protocol: https://github.com/delta-io/delta/blob/master/PROTOCOL.md
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from downstream.connectors.base import ConnectorError
from downstream.engines.errors import reading

LOG = "_delta_log"
ENTRY = re.compile(r"(\d{20})\.json")
CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10}))?\.parquet")
_NEWER_CHECKPOINT = re.compile(r"\d{20}\.checkpoint\.[0-9a-f-]{36}\.(parquet|json)")
_UNDERSTOOD = {
    "appendOnly", "invariants", "checkConstraints", "changeDataFeed", "generatedColumns", "identityColumns",
    "timestampNtz", "deletionVectors", "vacuumProtocolCheck", "allowColumnDefaults", "domainMetadata", "clustering",
    "columnMapping",
}  # fmt: skip
_MAPS = {"partitionValues", "tags", "configuration", "options"}
_INTERVAL = re.compile(r"(?:interval )?(\d+) (millisecond|second|minute|hour|day|week)s?")
_KEPT_FILES, _KEPT_LOG = "interval 1 week", "interval 30 days"
_TYPES = {
    "byte": pa.int8(), "short": pa.int16(), "integer": pa.int32(), "long": pa.int64(), "boolean": pa.bool_(),
    "float": pa.float32(), "double": pa.float64(), "date": pa.date32(), "timestamp": pa.timestamp("us", "UTC"),
    "timestamp_ntz": pa.timestamp("us"),
}  # fmt: skip
"""Of partitions' values that are no text."""

Action = dict[str, Any]


@dataclass
class DeltaLog:
    """One version of a table."""

    root: Path
    version: int = -1
    protocol: Action = field(default_factory=dict)
    metadata: Action = field(default_factory=dict)
    adds: dict[str, Action] = field(default_factory=dict)
    """By the path as the log writes it."""
    removes: dict[str, Action] = field(default_factory=dict)

    @property
    def configuration(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self.metadata.get("configuration") or {}
        return found

    @property
    def partition_columns(self) -> list[str]:
        return list(self.metadata.get("partitionColumns") or [])

    @property
    def columns(self) -> list[str]:
        return [one["name"] for one in json.loads(self.metadata["schemaString"])["fields"]]

    def typed(self, column: str, text: str | None) -> Any:
        """A partition's value, which the log writes as text, in the type of its column; as text where it is no such."""
        kinds = {one["name"]: one["type"] for one in json.loads(self.metadata["schemaString"])["fields"]}
        arrow = _TYPES.get(str(kinds.get(column)))
        if text is None or arrow is None:
            return text
        try:
            typed: Any = pa.scalar(text)
            return typed.cast(arrow).as_py()
        except (pa.ArrowInvalid, ValueError, OverflowError):
            return text

    def path_of(self, action_path: str) -> Path:
        """Where a data file is. Raises ConnectorError for one outside of the table's folder."""
        return path_of(self.root, action_path)

    def kept_files(self) -> timedelta:
        """How long the table keeps files that are no longer read."""
        return _interval(self.configuration.get("delta.deletedFileRetentionDuration", _KEPT_FILES))

    def kept_log(self) -> timedelta:
        """How long it keeps entries of its log; where its owner has it keep them for good, a hundred years."""
        if self.configuration.get("delta.enableExpiredLogCleanup", "true").lower() == "false":
            return timedelta(days=36_500)
        return _interval(self.configuration.get("delta.logRetentionDuration", _KEPT_LOG))

    def apply(self, action: Action) -> None:
        """One action of the next entry or of a checkpoint."""
        if add := action.get("add"):
            self.adds[add["path"]] = add
            self.removes.pop(add["path"], None)
        elif remove := action.get("remove"):
            self.adds.pop(remove["path"], None)
            self.removes[remove["path"]] = remove
        elif action.get("metaData"):
            self.metadata = action["metaData"]
        elif action.get("protocol"):
            self.protocol = action["protocol"]


def read(root: Path) -> DeltaLog:
    """The newest version. Raises ConnectorError, also for what the table uses and Heed does not understand."""
    log = DeltaLog(root)
    with reading(LOG):
        names = sorted(path.name for path in (root / LOG).iterdir())
        log.version = _apply_checkpoint(log, names)
        for version, path in entries(root):
            if version <= log.version:
                continue
            if version != log.version + 1:
                raise _broken()
            for action in actions(path):
                log.apply(action)
            log.version = version
    if not log.metadata or not log.protocol:
        raise _broken()
    _check(log)
    return log


def agree(log: DeltaLog) -> None:
    """What we read out of the log is what Delta's own library reads. Raises ConnectorError."""
    try:
        import deltalake
    except ImportError:
        raise ConnectorError(
            "extra_missing", "Delta tables need Heed's extra for them: pip install 'heed[delta]'.", permanent=True
        ) from None
    try:
        uris = deltalake.DeltaTable(str(log.root), version=log.version).file_uris()
    except (deltalake.exceptions.DeltaError, OSError, ValueError):
        raise ConnectorError(
            "log_disagrees", "Delta's own library cannot read this table; have its owner repair it.", permanent=True
        ) from None
    if {Path(uri) for uri in uris} != {log.path_of(path) for path in log.adds}:
        raise ConnectorError(
            "log_disagrees",
            "Delta's own library sees other files in this version than Heed; nothing was changed. Report this.",
            permanent=True,
        )


def entries(root: Path) -> list[tuple[int, Path]]:
    """The log's entries that are there, by version."""
    with reading(LOG):
        found = ((ENTRY.fullmatch(path.name), path) for path in (root / LOG).iterdir())
        return sorted((int(match[1]), path) for match, path in found if match)


def actions(path: Path) -> Iterator[Action]:
    """The actions of one entry, in order."""
    with reading(path.name):
        text = path.read_text()
    try:
        yield from (json.loads(line) for line in text.splitlines() if line.strip())
    except ValueError:
        raise _broken() from None


def checkpoint_actions(path: Path) -> Iterator[Action]:
    """The actions of one checkpoint file."""
    with reading(path.name), pq.ParquetFile(path) as parquet:
        wanted = [name for name in parquet.schema_arrow.names if name in {"add", "remove", "metaData", "protocol"}]
        for batch in parquet.iter_batches(columns=wanted):
            yield from (_without_nulls(row) for row in batch.to_pylist())


def path_of(root: Path, action_path: str) -> Path:
    """Where a path of the log leads. Raises ConnectorError where it leads out of the folder."""
    path = root / unquote(action_path)
    if "://" in action_path or path.parent.resolve() != path.parent or not path.is_relative_to(root):
        raise ConnectorError(
            "link_leaves_folder",
            "The table reads files outside of its folder (a shallow clone?); register the table that they belong to.",
            permanent=True,
        )
    return path


def _apply_checkpoint(log: DeltaLog, names: list[str]) -> int:
    """Start from the newest whole checkpoint; answers its version, -1 where there is none."""
    if any(_NEWER_CHECKPOINT.fullmatch(name) for name in names):
        raise _unsupported("v2Checkpoint")
    parts: dict[tuple[int, int], list[str]] = {}
    for match in filter(None, map(CHECKPOINT.fullmatch, names)):
        parts.setdefault((int(match[1]), int(match[3] or 1)), []).append(match[0])
    whole = [(version, paths) for (version, count), paths in parts.items() if len(paths) == count]
    version, paths = max(whole, default=(-1, []))
    for name in paths:
        for action in checkpoint_actions(log.root / LOG / name):
            log.apply(action)
    return version


def _without_nulls(value: Any) -> Any:
    """A checkpoint's row as the log's JSON would have it: maps come as pairs, and what is not there as null."""
    if not isinstance(value, dict):
        return value
    return {name: dict(one) if name in _MAPS else _without_nulls(one) for name, one in value.items() if one is not None}


def _check(log: DeltaLog) -> None:
    features = {*log.protocol.get("readerFeatures", []), *log.protocol.get("writerFeatures", [])}
    for feature in sorted(features - _UNDERSTOOD):
        raise _unsupported(feature)
    if log.protocol["minReaderVersion"] > 3 or log.protocol["minWriterVersion"] > 7:
        raise _unsupported("a newer protocol")
    if log.configuration.get("delta.columnMapping.mode", "none") != "none":
        raise _unsupported("columnMapping")
    for name, feature in (
        ("delta.enableRowTracking", "rowTracking"),
        ("delta.enableInCommitTimestamps", "inCommitTimestamp"),
    ):
        if log.configuration.get(name, "false").lower() == "true":
            raise _unsupported(feature)
    if log.configuration.get("delta.appendOnly", "false").lower() == "true":
        raise ConnectorError(
            "append_only",
            "The table's owner allows no removals (delta.appendOnly); have them take that property away.",
            permanent=True,
        )
    if any(add.get("deletionVector") for add in log.adds.values()):
        raise ConnectorError(
            "deletion_vectors",
            "Some rows of this table are only marked as deleted (deletion vectors) and are still in its files; "
            "have its owner run REORG TABLE … APPLY (PURGE), and try again.",
            permanent=True,
        )


def _interval(text: str) -> timedelta:
    match = _INTERVAL.fullmatch(text.strip().lower())
    if match is None:
        raise ConnectorError(
            "invalid_retention", "The table's own retention cannot be read; write it as 'interval 7 days'.",
            permanent=True,
        )  # fmt: skip
    return timedelta(**{f"{match[2]}s": int(match[1])})


def _unsupported(feature: str) -> ConnectorError:
    return ConnectorError(
        "table_feature",
        f"The table uses {feature}, which Heed cannot write faithfully; have its owner turn it off.",
        permanent=True,
    )


def _broken() -> ConnectorError:
    return ConnectorError(
        "log_incomplete", f"The entries in {LOG} do not make a whole table; have its owner repair it.", permanent=True
    )
