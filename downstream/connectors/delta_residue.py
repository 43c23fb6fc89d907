"""Searching everything in a Delta table's folder: data files, change data, entries of the log, checkpoints."""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from downstream.connectors import delta_log, delta_purging
from downstream.connectors.base import WHOLE, ConnectorError, Residue, Trace
from downstream.connectors.delta_log import LOG, Action, DeltaLog
from downstream.connectors.residue_search import Search
from downstream.connectors.table_files import TableFile
from downstream.connectors.table_rows import TableRows
from downstream.engines.errors import reading
from downstream.engines.parquet_files import is_parquet

_AT_ONCE = 5_000


def residue(
    log: DeltaLog, rows: TableRows, keys: Collection[str], *, retention: timedelta | None, at: datetime
) -> Residue:
    """Search every file in the table's folder."""
    with reading(LOG):
        paths = sorted(path for path in log.root.rglob("*") if path.is_file())
    search = _Search(log, rows, Search.of(keys), retention)
    kinds = {path: kind for path in paths if (kind := search.kind_of(path))}
    kinds |= dict.fromkeys(search.with_rows(path for path in paths if path not in kinds), "old_version")
    times = delta_purging.times(log)
    latest = max((search.kept_until(path, times) for path in kinds), default=at)
    return Residue(
        looked_at=len(paths),
        found=tuple(Trace(search.name(path), kind) for path, kind in sorted(kinds.items())),
        kept_until=latest if latest > at else None,
    )


@dataclass(frozen=True)
class _Search:
    """Looking into one file after the other."""

    log: DeltaLog
    rows: TableRows
    keys: Search
    retention: timedelta | None

    def name(self, path: Path) -> str:
        """What a trace calls the file: not by its folder, where that is named after a person."""
        relative = path.relative_to(self.log.root)
        if self._by_key and relative.parts[0] != LOG:
            return f"{relative.name} in a partition's folder"
        return str(relative)

    def kind_of(self, path: Path) -> str:
        """What of them is in the file but rows; empty where nothing is."""
        relative = path.relative_to(self.log.root)
        if self.keys.in_path(relative, self.rows.key_column):
            return "old_version"
        if delta_log.CHECKPOINT.fullmatch(path.name):
            return self._in_actions(delta_log.checkpoint_actions(path))
        if delta_log.ENTRY.fullmatch(path.name):
            return self._in_actions(delta_log.actions(path))
        if relative.parts[0] == LOG:
            return "log" if self.keys.in_file(path) else ""
        return "old_version" if not _is_parquet(path) and self.keys.in_file(path) else ""

    def with_rows(self, paths: Iterable[Path]) -> list[Path]:
        """Data files that hold rows of theirs, or that cannot be read and hold their names."""
        data = [path for path in paths if path.relative_to(self.log.root).parts[0] != LOG and _is_parquet(path)]
        if self._by_key:
            # the folder has told already
            return []
        failures: list[ConnectorError] = []
        files = [TableFile(str(path), str(path), self.rows.key_column) for path in data]
        located = self.rows.locate(files, self.keys.keys, WHOLE, failures)
        return [path for path in data if str(path) in located or (failures and self.keys.in_file(path))]

    def kept_until(self, path: Path, times: dict[Path, datetime]) -> datetime:
        """Until when the retention keeps it."""
        log, modified = self.log, delta_purging.modified
        if path.relative_to(log.root).parts[0] != LOG:
            keep = log.kept_files() if self.retention is None else self.retention
            return times[path] + keep if path in times else modified(path) + max(keep, delta_purging.GRACE)
        keep = log.kept_log() if self.retention is None else self.retention
        match = delta_purging.VERSION.match(path.name)
        later = path.with_name(f"{int(match[1]) + 1:020}.json") if match else path
        return (modified(later) if later.exists() else modified(path)) + keep

    @property
    def _by_key(self) -> bool:
        return self.rows.key_column in self.log.partition_columns

    def _in_actions(self, actions: Iterator[Action]) -> str:
        found = set()
        while batch := list(islice(actions, _AT_ONCE)):
            found |= self._in_batch(batch)
        return min(found - {""}, default="")

    def _in_batch(self, batch: Sequence[Action]) -> set[str]:
        texts = [_text(action) for action in batch]
        few = self.keys.narrowed("\n".join(texts))
        return {
            self._in_action(few, name, one, text)
            for action, text in zip(batch, texts, strict=True)
            for name, one in action.items()
            if isinstance(one, dict)
        }

    def _in_action(self, keys: Search, name: str, action: Action, text: str) -> str:
        stats, column = _stats(action), self.rows.key_column
        if name == "add" and action["path"] in self.log.adds:
            # of rows that are read: somebody else's text may well mention a person
            values = [stats.get("minValues"), stats.get("maxValues"), action.get("partitionValues")]
            return "statistics" if keys.in_values([(one or {}).get(column) for one in values]) else ""
        if keys.in_statistics([action, stats]) or (stats and keys.in_text(json.dumps(stats, ensure_ascii=False))):
            return "statistics"
        if "path" in action and keys.in_path(Path(unquote(action["path"])), column):
            return "log"
        told = _text(action.get("operationParameters")) if name == "commitInfo" else ""
        return "log" if keys.in_text(text) or keys.in_condition(told) else ""


def _text(action: Any) -> str:
    """As it can be searched: without the escapes that JSON puts into a document within a document."""
    return json.dumps(action, default=str, ensure_ascii=False).replace("\\", "")


def _is_parquet(path: Path) -> bool:
    with reading(path.name):
        return path.stat().st_size > 0 and is_parquet(path)


def _stats(action: Action) -> Action:
    try:
        found: Action = json.loads(action.get("stats") or "{}")
    except ValueError:
        return {}
    return found
