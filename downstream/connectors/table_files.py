"""The files that one version of a table is made of: how they are named, counted, and known again.

Names that people see and fingerprints in records hold nobody's key, though a file's path may.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from downstream.connectors.base import ConnectorError, Manifest, StagedUnit, UnitFinding
from downstream.engines.base import Comparison, DataFile
from downstream.engines.errors import changed, reading
from downstream.engines.parquet_files import opened


@dataclass(frozen=True)
class TableFile:
    """A data file of one version: `name` is shown to people and tells nobody's key."""

    name: str
    path: str
    key_column: str | None
    """What the key column is called in this file; None where it has none, so that all its keys are null."""
    key: str | None = None
    """The one key of all its rows, where the table is partitioned by it and the file does not repeat it."""

    folder: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What the table says of all its rows: the values of its partition, by column."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What columns are called in the table now, where that is not as in the file."""

    @property
    def data(self) -> DataFile:
        return DataFile(self.name, self.path)


@dataclass(frozen=True)
class TableFinding(UnitFinding):
    """A unit of several files that go in one commit."""

    files: tuple[str, ...] = ()


def rows_of(file: TableFile) -> int:
    """By the file's own footer."""
    with opened(file.data) as parquet:
        return int(parquet.metadata.num_rows)


def size_of(file: TableFile) -> int:
    """Bytes."""
    with reading(file.name):
        return Path(file.path).stat().st_size


def manifest_of(files: Sequence[TableFile]) -> Manifest:
    """Names the version by its files, their rows and sizes; a file that cannot be read is named with its trouble."""
    rows, digest = 0, hashlib.sha256()
    for file in files:
        try:
            counted = rows_of(file)
            digest.update(f"{file.name}\0{counted}\0{size_of(file)}\n".encode())
        except ConnectorError as error:
            digest.update(f"{file.name}\0{error.code}\n".encode())
            continue
        rows += counted
    return Manifest(files=len(files), rows=rows, digest=digest.hexdigest())


def files_of(finding: UnitFinding, files: Iterable[TableFile]) -> list[TableFile]:
    """The files that a finding is about. Raises `source_changed` where one is no longer in the table."""
    names = finding.files if isinstance(finding, TableFinding) else (finding.unit,)
    known = {file.name: file for file in files}
    if not set(names) <= known.keys():
        raise changed(finding.unit)
    return [known[name] for name in names]


def staged(
    finding: UnitFinding,
    files: Sequence[TableFile],
    written: Sequence[Path],
    compared: Sequence[Comparison],
    *,
    temporary: str,
    before: str,
    after: str,
) -> StagedUnit:
    """The record of a unit. Raises `source_changed` where other rows went than were found."""
    rows_before = sum(one.rows_before for one in compared)
    rows_after = sum(one.rows_after for one in compared)
    if rows_before - rows_after != finding.matching:
        raise changed(finding.unit)
    with reading(finding.unit):
        return StagedUnit(
            unit=finding.unit,
            temporary=temporary,
            fingerprint=finding.fingerprint,
            before=before,
            after=after,
            size_before=sum(size_of(file) for file in files),
            size_after=sum(path.stat().st_size for path in written),
            rows_before=rows_before,
            rows_after=rows_after,
            rows_removed=rows_before - rows_after,
            digest=_digest_of(compared),
            links=max(Path(file.path).stat().st_nlink for file in files),
        )


def prints(paths: Iterable[str]) -> str:
    """The fingerprint of a unit: what stands for the paths of its files."""
    return ",".join(sorted(map(short, paths)))


def all_active(unit: StagedUnit, paths: Iterable[str]) -> bool:
    """Whether the unit's old files are all among the table's."""
    return set(unit.fingerprint.split(",")) <= set(map(short, paths))


def mark_of(entry: Path) -> str:
    """What the names of a staged entry's new files have in them."""
    return entry.name.split(".tmp")[0].rsplit("-", 1)[-1]


def short(path: str) -> str:
    """What stands for a path in records: it may hold a key."""
    return hashlib.sha256(path.encode()).hexdigest()[:16]


def _digest_of(compared: Sequence[Comparison]) -> str:
    """Of the rows that stay in several files; of one it is its own."""
    digests = sorted(one.digest for one in compared)
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()
