"""Datasets that are a folder of Parquet files, at any depth, on a local or mounted file system.

A file whose rows all go stays as a valid file without rows: readers that list files or take the schema from one
keep working, and the dataset does not turn into a missing one.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from downstream.connectors import folders, statement_columns
from downstream.connectors.base import (
    WHOLE,
    ConnectorError,
    Description,
    Manifest,
    Residue,
    RowsSaying,
    Spans,
    StagedUnit,
    Trace,
    UnitFinding,
    UnitState,
    Verification,
)
from downstream.connectors.side_by_side import staged_side_by_side
from downstream.connectors.statement_columns import NO_COLUMNS, StatementColumns
from downstream.engines import open_engine
from downstream.engines.base import DataFile, Engine, Shape
from downstream.engines.errors import reading, writing
from downstream.engines.parquet_files import looks_like_parquet
from portal.fault_points import reach

_SUFFIXES = {".parquet", ".parq", ".pq"}
_OPTIONS = {"engine", "memory_mb", "threads", "created_column"} | statement_columns.OPTIONS
# one copy of every file's statistics, and the files' own offsets: rewriting a file makes it wrong
_SUMMARY = "_metadata"
_SUMMARY_OF_SCHEMA = "_common_metadata"
_TABLE_FORMATS = {"_delta_log": "Delta Lake", ".hoodie": "Apache Hudi"}


def connect(location: str, key_column: str, options: Mapping[str, Any]) -> "ParquetFolder":
    """The connector to one folder. Options: `created_column`, `engine`, and the engine's own. Raises ConnectorError."""
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        raise ConnectorError(
            "invalid_options", f"A Parquet folder knows no option {', '.join(unknown)}.", permanent=True
        )
    engine = open_engine(options.get("engine", "embedded"), options)
    return ParquetFolder(
        location,
        key_column,
        engine,
        created_column=options.get("created_column", ""),
        statements=statement_columns.from_options(options),
    )


class ParquetFolder:
    """Implements `downstream.connectors.base.Connector`."""

    def __init__(
        self,
        location: str,
        key_column: str,
        engine: Engine,
        *,
        created_column: str = "",
        statements: StatementColumns = NO_COLUMNS,
    ) -> None:
        self._location = location
        self._key_column = key_column
        self._engine = engine
        self._created_column = created_column
        self._statements = statements

    def describe(self) -> Description:
        files = self._files()
        shapes = [
            self._engine.inspect(file, key_column=self._key_column, created_column=self._created_column)
            for file in files
        ]
        families = {shape.key_family: file.name for file, shape in zip(files, shapes, strict=True)}
        if len(families) > 1:
            forms = ", ".join(f"{family} in {name}" for family, name in sorted(families.items()))
            raise ConnectorError(
                "schemas_disagree",
                f"The key column {self._key_column} is not the same everywhere: {forms}.",
                permanent=True,
            )
        for file in files:
            self._engine.check_rewritable(file)
            self._engine.check_statements(file, columns=self._statements.names)
        return Description(
            format="parquet",
            files=len(files),
            rows=sum(shape.rows for shape in shapes),
            size=sum(shape.size for shape in shapes),
            schema=shapes[0].schema,
        )

    def manifest(self) -> Manifest:
        rows, digest = 0, hashlib.sha256()
        files = self._files()
        for file in files:
            try:
                shape = self._inspect(file)
            except ConnectorError as error:
                digest.update(f"{file.name}\0{error.code}\n".encode())
                continue
            rows += shape.rows
            digest.update(f"{file.name}\0{shape.size}\0{shape.token}\n".encode())
        return Manifest(files=len(files), rows=rows, digest=digest.hexdigest())

    def sweep(self) -> list[str]:
        place = folders.root(self._location)
        with reading(self._location):
            leftovers = folders.temporaries(place)
        with writing(self._location):
            for leftover in leftovers:
                leftover.unlink(missing_ok=True)
        return [folders.name_of(leftover, place) for leftover in leftovers]

    def find(self, keys: Collection[str], spans: Spans = WHOLE) -> Iterator[UnitFinding]:
        spans = self._by_column(spans)
        files = self._files()
        fingerprints = self._fingerprints(files)
        failures: list[ConnectorError] = []
        located = self._locate(files, keys, spans, failures)
        for file in files:
            if file.name in located:
                try:
                    finding = self._look_into(file, fingerprints[file.name], located[file.name], keys, spans)
                except ConnectorError as failure:
                    failures.append(failure)
                else:
                    yield finding
        if failures:
            # one that a person has to act on comes first
            raise min(failures, key=lambda failure: not failure.permanent)

    def stage(self, finding: UnitFinding, keys: Collection[str], spans: Spans = WHOLE, *, token: str) -> StagedUnit:
        spans = self._by_column(spans)
        source = self._file(finding.unit)
        reach("stage.before_write")
        temporary = folders.make_temporary(Path(source.path), token=token)
        try:
            self._engine.rewrite(source, str(temporary), key_column=self._key_column, keys=keys, spans=spans)
            reach("stage.after_write")
            with writing(source.name):
                folders.settle_temporary(temporary, like=Path(source.path))
            reach("stage.after_fsync")
            return self._verified(source, temporary, finding, keys, spans)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def stage_each(
        self, findings: Iterable[UnitFinding], keys: Collection[str], spans: Spans = WHOLE, *, token: str
    ) -> Iterator[tuple[UnitFinding, StagedUnit]]:
        return staged_side_by_side(
            lambda finding: self.stage(finding, keys, spans, token=token), findings, discard=self._discard
        )

    def commit(self, staged: StagedUnit, *, fence: Callable[[], object]) -> None:
        source, temporary = Path(self._file(staged.unit).path), Path(self._file(staged.temporary).path)
        try:
            if self._is_in_place(staged):
                return
            fence()
            self._check_unchanged(source, staged.unit, staged.fingerprint)
            reach("commit.before_rename")
            self._swap(temporary, source, staged.unit)
            reach("commit.after_rename")
            with writing(staged.unit):
                folders.sync(source.parent)
            reach("commit.after_dirsync")
        finally:
            temporary.unlink(missing_ok=True)

    def unit_state(self, staged: StagedUnit) -> UnitState:
        path = Path(self._file(staged.unit).path)
        with reading(staged.unit):
            if not path.exists():
                return "missing"
            if path.stat().st_size not in (staged.size_before, staged.size_after):
                return "changed"
            digest = folders.sha256(path)
            if digest == staged.after:
                # who renamed it may have died before the name was on disk
                folders.sync(path.parent)
                return "new"
            return "old" if digest == staged.before else "changed"

    def verify(self, keys: Collection[str], spans: Spans = WHOLE) -> Verification:
        spans = self._by_column(spans)
        files = self._files()
        before = self._fingerprints(files)
        failures: list[ConnectorError] = []
        located = self._locate(files, keys, spans, failures)
        if failures:
            raise failures[0]
        manifest = self.manifest()
        if self._fingerprints(self._files()) != before:
            raise _changed("The dataset")
        return Verification(
            rows_found=sum(located.values()),
            rows=manifest.rows,
            files=manifest.files,
            digest=manifest.digest,
        )

    def statements(self, keys: Collection[str]) -> Iterator[RowsSaying]:
        columns = self._statements.names
        if columns:
            found = self._engine.tally(self._files(), columns=columns, key_column=self._key_column, keys=keys)
            yield from map(self._statements.saying, found)

    def purge(self, *, retention: timedelta | None, at: datetime) -> None:
        """Nothing old is kept: the old file went when the new one took its name."""

    def residue(self, keys: Collection[str], *, retention: timedelta | None, at: datetime) -> Residue:
        files = self._files()
        located = self._locate(files, keys, WHOLE, [])
        return Residue(looked_at=len(files), found=tuple(Trace(name, "old_version") for name in sorted(located)))

    def _files(self) -> list[DataFile]:
        place = folders.root(self._location)
        with reading(self._location):
            names = {folders.name_of(path, place): path for path in folders.walk(place)}
            _refuse_tables(place)
            files = [DataFile(name, str(path)) for name, path in names.items() if _is_parquet(path)]
        if not files and names:
            raise ConnectorError(
                "not_parquet",
                f"{self._location} holds {len(names)} files, none of which is Parquet; name another folder or kind.",
                permanent=True,
            )
        if not files:
            raise ConnectorError(
                "dataset_empty", f"{self._location} holds no files; name the folder with the data.", permanent=True
            )
        return files

    def _file(self, name: str) -> DataFile:
        return DataFile(name, str(folders.path_of(name, folders.root(self._location))))

    def _inspect(self, file: DataFile) -> Shape:
        return self._engine.inspect(file, key_column=self._key_column)

    def _fingerprints(self, files: list[DataFile]) -> dict[str, str]:
        prints = {}
        for file in files:
            with reading(file.name):
                prints[file.name] = folders.fingerprint(Path(file.path))
        return prints

    def _by_column(self, spans: Spans) -> Spans:
        if spans and not self._created_column:
            raise ConnectorError(
                "created_column_missing",
                "Nobody has said which column tells when a row was made; name it, and try again.",
                permanent=True,
            )
        return replace(spans, column=self._created_column) if spans else WHOLE

    def _locate(
        self, files: list[DataFile], keys: Collection[str], spans: Spans, failures: list[ConnectorError]
    ) -> dict[str, int]:
        """Rows that have to go by file; where the look at all fails, each is looked at, to go on with the good."""
        try:
            return dict(self._engine.locate(files, key_column=self._key_column, keys=keys, spans=spans))
        except ConnectorError:
            located: dict[str, int] = {}
            for file in files:
                try:
                    located |= self._engine.locate([file], key_column=self._key_column, keys=keys, spans=spans)
                except ConnectorError as failure:
                    failures.append(failure)
            return located

    def _look_into(
        self, file: DataFile, fingerprint: str, matching: int, keys: Collection[str], spans: Spans
    ) -> UnitFinding:
        self._engine.check_rewritable(file)
        return UnitFinding(
            unit=file.name,
            fingerprint=fingerprint,
            rows=self._inspect(file).rows,
            matching=matching,
            rows_per_key=self._engine.count(file, key_column=self._key_column, keys=keys, spans=spans),
        )

    def _verified(
        self, source: DataFile, temporary: Path, finding: UnitFinding, keys: Collection[str], spans: Spans
    ) -> StagedUnit:
        old = Path(source.path)
        try:
            compared = self._engine.compare(source, str(temporary), key_column=self._key_column, keys=keys, spans=spans)
        except ConnectorError:
            # two versions differ also where somebody replaced the old one meanwhile: then try again
            self._check_unchanged(old, source.name, finding.fingerprint)
            raise
        removed = compared.rows_before - compared.rows_after
        with reading(source.name):
            staged = StagedUnit(
                unit=source.name,
                temporary=str(Path(source.name).with_name(temporary.name)),
                fingerprint=finding.fingerprint,
                before=folders.sha256(old),
                after=folders.sha256(temporary),
                size_before=old.stat().st_size,
                size_after=temporary.stat().st_size,
                rows_before=compared.rows_before,
                rows_after=compared.rows_after,
                rows_removed=removed,
                digest=compared.digest,
                links=old.stat().st_nlink,
            )
        # last, so that everything above was read from the file that was found
        self._check_unchanged(old, source.name, finding.fingerprint)
        if removed != finding.matching:
            raise _changed(source.name)
        return staged

    def _discard(self, staged: StagedUnit) -> None:
        Path(self._file(staged.temporary).path).unlink(missing_ok=True)

    def _check_unchanged(self, path: Path, name: str, fingerprint: str) -> None:
        with reading(name):
            if folders.fingerprint(path) != fingerprint:
                raise _changed(name)

    def _is_in_place(self, staged: StagedUnit) -> bool:
        path = Path(self._file(staged.unit).path)
        untouched = path.exists() and folders.fingerprint(path) == staged.fingerprint
        return not untouched and self.unit_state(staged) == "new"

    def _swap(self, temporary: Path, source: Path, name: str) -> None:
        with writing(name):
            try:
                folders.swap(temporary, into=source)
            except FileNotFoundError:
                raise ConnectorError(
                    "fence_lost", f"Another worker took over and swept the new version of {name}.", permanent=False
                ) from None


def _is_parquet(path: Path) -> bool:
    if path.name == _SUMMARY:
        raise ConnectorError(
            "summary_file",
            f"{path.name} repeats statistics of all files and would be wrong after a rewrite; remove it.",
            permanent=True,
        )
    if path.name == _SUMMARY_OF_SCHEMA:
        return False
    return path.suffix.lower() in _SUFFIXES or looks_like_parquet(path)


def _refuse_tables(place: Path) -> None:
    found = [name for log, name in _TABLE_FORMATS.items() if (place / log).is_dir()]
    if any((place / "metadata").glob("*.metadata.json")):
        found.append("Apache Iceberg")
    if found:
        raise ConnectorError(
            "table_format",
            f"This folder is a table of {found[0]}, whose log would not know of a rewritten file.",
            permanent=True,
        )


def _changed(name: str) -> ConnectorError:
    return ConnectorError(
        "source_changed", f"{name} was changed by somebody else meanwhile; it will be tried again.", permanent=False
    )
