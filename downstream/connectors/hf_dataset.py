"""Datasets as Hugging Face's `datasets` saves them to disk: Arrow streams, named by a `state.json` in their folder.

A dataset of several splits is a folder of such folders. What is written beside the data is kept true:

| when | what `state.json` says |
|---|---|
| before a file is swapped | a new fingerprint, so that no cache of before is taken for one of now; more is to come |
| after it | another one; `dataset_info.json` tells the rows that are left |

Who dies in between leaves the mark that more is to come; the next run's sweep does the rest.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from downstream.connectors import file_folder
from downstream.connectors.base import ConnectorError, StagedUnit
from downstream.connectors.data_files import FileKind
from downstream.connectors.file_folder import FileFolder
from downstream.engines import arrow_streams
from downstream.engines.errors import reading, writing
from downstream.stores import folders
from downstream.stores.base import Store, Stored
from portal.fault_points import reach

_STATE, _INFO = "state.json", "dataset_info.json"
_PENDING = "_heed_pending"
_SELECTION = "indices.arrow"
_CACHES = ("cache-", "tmp")
_UNREACHABLE = ("reader_caches", "hub_history")


def connect(location: str, key_column: str, options: Mapping[str, Any]) -> FileFolder:
    """The connector to one dataset, with its splits. Options: `created_column`, `memory_mb`, `threads`.

    The key is a column, or a path into a struct such as `author.id`. Raises ConnectorError.
    """
    listing = Listing()
    kind = FileKind("hf_dataset", "Hugging Face dataset", listing.is_data, unreachable=_UNREACHABLE)
    return file_folder.connect(kind, location, key_column, options, make=partial(SavedDataset, listing))


class Listing:
    """Which files the states of all folders name, as they were last read."""

    def __init__(self) -> None:
        self._of: dict[str, set[str]] = {}

    def forget(self) -> None:
        """Read every state again."""
        self._of.clear()

    def is_data(self, store: Store, stored: Stored) -> bool:
        """Whether a state names the file. Raises ConnectorError for what forbids to go on."""
        name = PurePosixPath(stored.name)
        if name.name == _SELECTION:
            raise _selected(stored.name)
        state = _beside(stored.name, _STATE)
        if state not in self._of:
            self._of[state] = _checked(store, state) if store.size(state) is not None else set()
        if name.name in self._of[state]:
            return True
        if name.suffix == ".arrow" and not _is_cache(stored.name):
            raise ConnectorError(
                "unlisted_file",
                f"{stored.name} is named in no {_STATE} beside it, so that nobody would read it; remove it, or have "
                "the dataset saved anew with save_to_disk.",
                permanent=True,
            )
        return False


class SavedDataset(FileFolder):
    """Implements `downstream.connectors.base.Connector`."""

    def __init__(self, listing: Listing, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._listing = listing
        self._totals: dict[str, tuple[str, tuple[int, int]]] = {}

    def sweep(self) -> list[str]:
        swept = super().sweep()
        for name in _names(self._store, _STATE):
            self._finish(name)
        return swept

    def commit(self, staged: StagedUnit, *, fence: Callable[[], object]) -> None:
        state = _beside(staged.unit, _STATE)

        def announced() -> None:
            fence()
            self._announce(state, staged)
            reach("commit.after_announcement")

        super().commit(staged, fence=announced)
        reach("commit.before_finish")
        self._finish(state)

    def purge(self, *, retention: timedelta | None, at: datetime) -> None:
        """Delete caches too: they are copies, made anew by whoever wants them; nothing says how long they are kept."""
        super().purge(retention=retention, at=at)
        # a state may list a file that is called as caches are: then it is data
        data = {one.name for one in self._files()}
        for name in [one.name for one in self._store.walk()]:
            if _is_cache(name) and name not in data:
                self._store.discard(name)

    def _files(self) -> list[Stored]:
        self._listing.forget()
        return super()._files()

    def _announce(self, name: str, staged: StagedUnit) -> None:
        state = _read(self._store, name)
        _write(self._store, name, state | {"_fingerprint": _next(state, staged.after), _PENDING: True})

    def _finish(self, name: str) -> None:
        state = _read(self._store, name)
        if _PENDING not in state:
            return
        units = [_beside(name, one) for one in sorted(_listed(state))]
        totals = [self._total(unit) for unit in units]
        # in a dataset of several splits, each folder tells of all of them
        for info in _names(self._store, _INFO):
            if PurePosixPath(info).parent == PurePosixPath(name).parent or _is_sibling(info, name):
                self._tell(info, state.get("_split"), totals)
        done = {key: value for key, value in state.items() if key != _PENDING}
        _write(self._store, name, done | {"_fingerprint": _next(state, "finished")})

    def _tell(self, name: str, split: Any, totals: list[tuple[int, int]]) -> None:
        info = _read(self._store, name)
        told = (info.get("splits") or {}).get(split)
        if not isinstance(told, dict):
            return
        told["num_examples"] = sum(rows for rows, _ in totals)
        told["num_bytes"] = sum(size for _, size in totals)
        if told.get("shard_lengths"):
            told["shard_lengths"] = [rows for rows, _ in totals]
        if info.get("dataset_size") is not None:
            info["dataset_size"] = sum(one.get("num_bytes") or 0 for one in info["splits"].values())
        if info.get("size_in_bytes") is not None:
            info["size_in_bytes"] = (info.get("dataset_size") or 0) + (info.get("download_size") or 0)
        _write(self._store, name, info)

    def _total(self, unit: str) -> tuple[int, int]:
        """Rows and bytes of one file; read again only where it is another than it was."""
        fingerprint = self._store.fingerprint(unit)
        known = self._totals.get(unit)
        if known is None or known[0] != fingerprint:
            with self._store.at_hand([unit]) as (file,):
                known = self._totals[unit] = fingerprint, arrow_streams.totals(file)
        return known[1]


def _checked(store: Store, name: str) -> set[str]:
    """The files that a state names, all of which are there. Raises ConnectorError."""
    state = _read(store, name)
    if state.get("_indices_files") or state.get("_indices_data_files"):
        raise _selected(name)
    listed = _listed(state)
    for one in sorted(listed):
        if "/" in one or store.size(_beside(name, one)) is None:
            raise ConnectorError(
                "data_file_missing",
                f"{name} names data files that are not beside it; restore them, or have the dataset saved anew.",
                permanent=True,
            )
    return listed


def _selected(name: str) -> ConnectorError:
    return ConnectorError(
        "saved_selection",
        f"{name} selects rows by their number, which would mean others after a rewrite; have its owner save "
        "the dataset after flatten_indices().",
        permanent=True,
    )


def _is_cache(name: str) -> bool:
    last = PurePosixPath(name)
    return last.suffix == ".arrow" and last.name.startswith(_CACHES)


def _listed(state: Mapping[str, Any]) -> set[str]:
    files = state.get("_data_files") or []
    return {one["filename"] for one in files if isinstance(one, dict) and isinstance(one.get("filename"), str)}


def _names(store: Store, last: str) -> list[str]:
    return [one.name for one in store.walk() if PurePosixPath(one.name).name == last]


def _beside(name: str, other: str) -> str:
    return str(PurePosixPath(name).with_name(other))


def _is_sibling(info: str, state: str) -> bool:
    return (
        PurePosixPath(info).parent.parent == PurePosixPath(state).parent.parent and len(PurePosixPath(state).parts) > 1
    )


def _next(state: Mapping[str, Any], what: str) -> str:
    """A fingerprint that was never given before, of the form that `datasets` gives them."""
    return hashlib.sha256(f"{state.get('_fingerprint')}\0{what}".encode()).hexdigest()[:16]


def _read(store: Store, name: str) -> dict[str, Any]:
    with store.stream(name) as stream:
        content = stream.read()
    try:
        found = json.loads(content)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ConnectorError(
            "dataset_unreadable", f"{name} is no JSON object: it is damaged; restore it.", permanent=True
        )
    return found


def _write(store: Store, name: str, content: Mapping[str, Any]) -> None:
    """Swap the file for one with this content, as `datasets` writes it."""
    before = store.fingerprint(name)
    draft = store.draft(name, token="state")  # noqa: S106  (part of a file's name)
    try:
        with writing(name):
            draft.write_text(json.dumps(content, indent=2, sort_keys=True))
        with reading(name):
            digest = folders.sha256(draft)
        temporary = store.settle(draft, like=name)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    try:
        store.replace(name, by=temporary, fingerprint=before, digest=digest, fence=lambda: None)
    finally:
        store.discard(temporary)
