"""A job for partners that hold a copy as a folder of Parquet files: pull, remove, acknowledge.

Needs `requests` and `pyarrow`, and `heed_client.py` beside it.

    HEED_CLIENT_ID=northlight HEED_CLIENT_SECRET=… python parquet_copy.py \\
        --base https://heed.example --copy northlight-posts=/data/posts --every 300

A run that dies is begun again and ends with the true counts: what was found in a file is written down, in a journal
inside the folder, before the file is replaced. Every log line names runs and counts, never a key.
"""

import argparse
import hashlib
import json
import logging
import os
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import requests
from heed_client import CutOff, Heed, HeedError, Removal, Run, Spans

logger = logging.getLogger("heed")

_TRIES = 3


class CannotRemove(Exception):
    """The copy cannot be worked on as it is; the message names no person."""


class ParquetCopy:
    """A folder of Parquet files, rewritten file by file: a reader sees the old one or the new one, never half."""

    def __init__(self, folder: Path, *, key_column: str, created_column: str = "") -> None:
        self.folder, self.key_column, self.created_column = folder, key_column, created_column

    def files(self) -> list[Path]:
        found = (path for path in self.folder.rglob("*.parquet") if path.is_file())
        return sorted(path for path in found if not path.name.startswith("."))

    def digest(self) -> str:
        """SHA-256 over every file's name and content."""
        whole = hashlib.sha256()
        for path in self.files():
            whole.update(f"{path.relative_to(self.folder)}\0{_sha256(path)}\n".encode())
        return whole.hexdigest()

    def remove(self, run_id: str, keys: dict[str, Spans]) -> Removal:
        """Remove the rows, look again, and count; may be begun again after a crash. Raises CannotRemove."""
        for path in self.folder.rglob(".heed-*.parquet"):
            path.unlink()
        journal = _Journal(self.folder / f".heed-{run_id}.json", self)
        for _ in range(_TRIES):
            for path in self.files():
                if self._found(path, keys)[0]:
                    self._rewrite(path, keys, journal)
            left, rows = self._look(keys)
            if not left:
                break
        else:
            raise CannotRemove("Rows are written again as fast as they are removed; stop the writer first.")
        return Removal(
            keys={key: journal.counts().get(key, 0) for key in keys},
            rows_after=rows,
            digest_before=journal.digest_before,
            digest_after=self.digest(),
            verified_at=datetime.now(UTC),
        )

    def forget(self, run_id: str) -> None:
        """The run is acknowledged: its journal, which holds keys, goes."""
        (self.folder / f".heed-{run_id}.json").unlink(missing_ok=True)

    def _rewrite(self, path: Path, keys: dict[str, Spans], journal: "_Journal") -> None:
        counts: Counter[str] = Counter()
        temporary = path.with_name(f".heed-{path.name}")
        with pq.ParquetFile(path) as source:
            options = _options(source)
            with pq.ParquetWriter(temporary, source.schema_arrow, **options) as writer:
                for number in range(source.num_row_groups):
                    table = source.read_row_group(number)
                    going, found = self._going(table, keys)
                    counts.update(found)
                    kept = table.filter(_inverted(going)) if found else table
                    if kept.num_rows:
                        writer.write_table(kept, row_group_size=max(table.num_rows, 1))
        _sync(temporary)
        # from here on the old file may go: what was in it is known
        journal.write(path, new=_sha256(temporary), counts=counts)
        temporary.replace(path)
        _sync(path.parent)

    def _look(self, keys: dict[str, Spans]) -> tuple[int, int]:
        """Rows that still have to go, and rows in all."""
        looked = [self._found(path, keys) for path in self.files()]
        return sum(left for left, _ in looked), sum(rows for _, rows in looked)

    def _found(self, path: Path, keys: dict[str, Spans]) -> tuple[int, int]:
        """The same of one file; only the columns that decide are read."""
        left = rows = 0
        wanted = [name for name in (self.key_column, self.created_column) if name]
        with pq.ParquetFile(path) as source:
            for number in range(source.num_row_groups):
                table = source.read_row_group(number, columns=wanted)
                left += sum(self._going(table, keys)[1].values())
                rows += source.metadata.row_group(number).num_rows
        return left, rows

    def _going(self, table: Any, keys: dict[str, Spans]) -> tuple[list[bool], Counter[str]]:
        """Which rows have to go, and how many of which key."""
        if self.key_column not in table.column_names:
            raise CannotRemove(f"A file has no column {self.key_column}.")
        named = [None if one is None else str(one) for one in table.column(self.key_column).to_pylist()]
        if not keys.keys() & set(named):
            return [False] * len(named), Counter()
        times = self._times(table) if any(keys.values()) else [None] * len(named)
        going = [
            key is not None and key in keys and _is_made_in(keys[key], made)
            for key, made in zip(named, times, strict=True)
        ]
        return going, Counter(key for key, goes in zip(named, going, strict=True) if goes and key is not None)

    def _times(self, table: Any) -> list[datetime | None]:
        if self.created_column not in table.column_names:
            raise CannotRemove("Rows of a span of time have to go, and a file does not say when they were made.")
        column = table.column(self.created_column)
        if not str(column.type).startswith("timestamp"):
            raise CannotRemove(f"The column {self.created_column} holds no timestamps.")
        made = column.to_pylist()
        return [None if one is None else one if one.tzinfo else one.replace(tzinfo=UTC) for one in made]


class _Journal:
    """What the run has found so far, file by file, and what the copy was before it."""

    def __init__(self, path: Path, copy: ParquetCopy) -> None:
        self.path = path
        if path.exists():
            self._told = json.loads(path.read_text())
            # a file that was not replaced after all is found again
            current = {str(one.relative_to(copy.folder)): _sha256(one) for one in copy.files()}
            self._told["files"] = [one for one in self._told["files"] if self._stands(one, current)]
        else:
            self._told = {"digest_before": copy.digest(), "files": []}
            self._save()

    @property
    def digest_before(self) -> str:
        return str(self._told["digest_before"])

    def counts(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for one in self._told["files"]:
            total.update(one["counts"])
        return total

    def write(self, path: Path, *, new: str, counts: Counter[str]) -> None:
        name = str(path.relative_to(self.path.parent))
        self._told["files"].append({"file": name, "new": new, "counts": dict(counts)})
        self._save()

    def _stands(self, one: dict[str, Any], current: dict[str, str]) -> bool:
        later = [other for other in self._told["files"] if other["file"] == one["file"]]
        return current.get(one["file"]) == one["new"] or one is not later[-1]

    def _save(self) -> None:
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text(json.dumps(self._told))
        temporary.chmod(0o600)
        _sync(temporary)
        temporary.replace(self.path)
        _sync(self.path.parent)


def _is_made_in(spans: Spans, made: datetime | None) -> bool:
    """No spans: every row. A row that does not say when it was made counts as made in every span."""
    if not spans or made is None:
        return True
    return any((start is None or start <= made) and (end is None or made < end) for start, end in spans)


def _inverted(going: list[bool]) -> Any:
    return pa.array([not one for one in going])


def _options(source: Any) -> dict[str, Any]:
    """How the file was compressed, column by column."""
    if not source.num_row_groups:
        return {}
    first = source.metadata.row_group(0)
    columns = [first.column(number) for number in range(first.num_columns)]
    return {
        "compression": {one.path_in_schema: one.compression.lower().replace("uncompressed", "none") for one in columns}
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def work(heed: Heed, copies: dict[str, Path]) -> int:
    """Pull, remove and acknowledge everything that waits for the copies; answers how many runs were closed.

    A run that Heed refuses keeps no other from its turn: the first refusal is raised at the end.
    """
    closed = 0
    refusals: list[HeedError | CutOff] = []
    for dataset, folder in copies.items():
        try:
            runs = list(heed.awaiting(dataset))
        except HeedError as refusal:
            logger.error("runs of %s: %s", dataset, refusal)
            refusals.append(refusal)
            continue
        for run in runs:
            try:
                closed += _close(heed, run, folder)
            except (HeedError, CutOff) as refusal:
                logger.error("run %s of %s: %s", run.id, dataset, refusal)
                refusals.append(refusal)
    if refusals:
        raise refusals[0]
    return closed


def _close(heed: Heed, run: Run, folder: Path) -> bool:
    """Whether the run is acknowledged; where the copy cannot be worked on, Heed is told why."""
    copy = ParquetCopy(folder, key_column=run.key_column, created_column=run.created_column)
    try:
        removal = copy.remove(run.id, heed.keys(run.id))
    except CannotRemove as error:
        heed.fail(run, str(error))
        logger.error("run %s of %s: %s", run.id, run.dataset, error)
        return False
    heed.acknowledge(run, removal)
    copy.forget(run.id)
    logger.info("run %s of %s: %d rows removed", run.id, run.dataset, sum(removal.keys.values()))
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description="Remove from your copies whoever may not be in them.")
    parser.add_argument("--base", required=True, help="Where Heed is: https://heed.example")
    parser.add_argument("--copy", action="append", required=True, metavar="DATASET=FOLDER", help="May be repeated")
    parser.add_argument("--every", type=float, default=0, help="Seconds between two looks; once if absent")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    copies = {name: Path(folder) for name, _, folder in (one.partition("=") for one in asked.copy)}
    with Heed(asked.base, os.environ["HEED_CLIENT_ID"], os.environ["HEED_CLIENT_SECRET"]) as heed:
        while True:
            try:
                work(heed, copies)
            except (requests.RequestException, HeedError, CutOff) as error:
                if not asked.every:
                    raise
                logger.warning("%s; looking again later", type(error).__name__)
            if not asked.every:
                return
            time.sleep(asked.every)


if __name__ == "__main__":
    main()
