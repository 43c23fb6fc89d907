"""One file's new version: made beside the old one, verified against it, and swapped in."""

from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from downstream.connectors.base import ConnectorError, Spans, StagedUnit, UnitFinding, UnitState
from downstream.engines.base import DataFile, Engine
from downstream.engines.errors import changed, reading
from downstream.stores import folders
from downstream.stores.base import Store
from portal.fault_points import reach


class Swaps:
    """Swaps files of one dataset."""

    def __init__(self, store: Store, engine: Engine, key_column: str) -> None:
        self._store = store
        self._engine = engine
        self._key_column = key_column

    def stage(self, finding: UnitFinding, keys: Collection[str], spans: Spans, *, token: str) -> StagedUnit:
        """See `base.Connector.stage`; the spans know their column."""
        with self._store.at_hand([finding.unit]) as (source,):
            reach("stage.before_write")
            draft, temporary = self._store.draft(finding.unit, token=token), ""
            try:
                self._engine.rewrite(
                    source, str(draft), key_column=self._key_column, keys=keys, spans=spans, groups=finding.groups
                )
                reach("stage.after_write")
                temporary = self._store.settle(draft, like=finding.unit)
                reach("stage.after_fsync")
                return self._verified(source, draft, temporary, finding, keys, spans)
            except BaseException:
                with suppress(OSError):
                    draft.unlink(missing_ok=True)
                if temporary:
                    self._throw_away(temporary)
                raise

    def commit(self, staged: StagedUnit, *, fence: Callable[[], object]) -> None:
        """See `base.Connector.commit`."""
        try:
            if not self._is_in_place(staged):
                self._store.replace(
                    staged.unit, by=staged.temporary, fingerprint=staged.fingerprint, digest=staged.after, fence=fence
                )
        except BaseException:
            self.give_up(staged)
            raise
        self._store.discard(staged.temporary)

    def state(self, staged: StagedUnit) -> UnitState:
        """See `base.Connector.unit_state`."""
        size = self._store.size(staged.unit)
        if size is None:
            return "missing"
        if size not in (staged.size_before, staged.size_after):
            return "changed"
        digest = self._store.digest(staged.unit)
        if digest == staged.after:
            return "new"
        return "old" if digest == staged.before else "changed"

    def give_up(self, staged: StagedUnit) -> None:
        """Throw a new version away that nobody commits any more."""
        self._throw_away(staged.temporary)

    def _verified(
        self,
        source: DataFile,
        draft: Path,
        temporary: str,
        finding: UnitFinding,
        keys: Collection[str],
        spans: Spans,
    ) -> StagedUnit:
        try:
            compared = self._engine.compare(
                source, str(draft), key_column=self._key_column, keys=keys, spans=spans, groups=finding.groups
            )
        except ConnectorError:
            # two versions differ also where somebody replaced the old one meanwhile: then try again
            self._check_unchanged(finding)
            raise
        with reading(source.name):
            staged = StagedUnit(
                unit=source.name,
                temporary=temporary,
                fingerprint=finding.fingerprint,
                before=folders.sha256(Path(source.path)),
                after=folders.sha256(draft),
                size_before=Path(source.path).stat().st_size,
                size_after=draft.stat().st_size,
                rows_before=compared.rows_before,
                rows_after=compared.rows_after,
                rows_removed=compared.rows_before - compared.rows_after,
                digest=compared.digest,
                links=self._store.links(source.name),
            )
        # last, so that everything above was read from the file that was found
        self._check_unchanged(finding)
        if staged.rows_removed != finding.matching:
            raise changed(source.name)
        return staged

    def _check_unchanged(self, finding: UnitFinding) -> None:
        if self._store.fingerprint(finding.unit) != finding.fingerprint:
            raise changed(finding.unit)

    def _is_in_place(self, staged: StagedUnit) -> bool:
        exists = self._store.size(staged.unit) is not None
        untouched = exists and self._store.fingerprint(staged.unit) == staged.fingerprint
        return not untouched and self.state(staged) == "new"

    def _throw_away(self, temporary: str) -> None:
        # where that fails too, the first error counts, and a sweep follows
        with suppress(ConnectorError):
            self._store.discard(temporary)
