"""What the files of one dataset say about themselves, remembered where telling it takes reading the whole file.

Like the index it is a memory that may be deleted at any time, and is asked of a file only while a change since would
show. It is one file beside the segments; of two that write it at once the last stays.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from downstream.engines.columns import Column
from downstream.stores.base import Stored
from downstream.subject_index.building import is_settled
from downstream.subject_index.index import Place
from downstream.subject_index.segments import TEMPORARY

_NAME = "headers.json"


@dataclass(frozen=True)
class Header:
    """What a file says about itself."""

    rows: int
    size: int
    token: str
    columns: tuple[Column, ...] = ()
    """Where it was read just now, or its format has no subject index; segments do not hold them."""


class Headers:
    """The headers of one dataset, as they were read with the options that `make` stands for."""

    def __init__(self, place: Place, make: str) -> None:
        self._path = place.folder / _NAME
        self._make = hashlib.sha256(make.encode()).hexdigest()
        # when everything is to be read again, nothing is taken from memory
        self._known: dict[str, list[Any]] | None = {} if place.full_look_due else None

    def of(self, stored: Stored) -> Header | None:
        """What was read of this very version of the file."""
        known = self._all().get(stored.name)
        if known is None or known[0] != stored.fingerprint:
            return None
        try:
            _, rows, size, token, columns = known
            return Header(int(rows), int(size), str(token), tuple(_column(one) for one in columns))
        except (TypeError, ValueError, KeyError):
            return None

    def keep(self, files: Sequence[Stored], read: Mapping[str, Header], *, since_ns: int) -> None:
        """Remember what was read of these files, which are all there are; `since_ns`: reading began after it."""
        known = self._all()
        fresh = {
            one.name: [one.fingerprint, header.rows, header.size, header.token, [asdict(c) for c in header.columns]]
            for one in files
            if (header := read.get(one.name)) is not None and is_settled(one, now_ns=since_ns)
        }
        names = {one.name for one in files}
        kept = {name: entry for name, entry in known.items() if name in names} | fresh
        if kept != known:
            self._known = kept
            with suppress(OSError):
                self._write(kept)

    def _all(self) -> dict[str, list[Any]]:
        if self._known is None:
            self._known = {}
            with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
                found = json.loads(self._path.read_text())
                if found["make"] == self._make:
                    self._known = {name: list(entry) for name, entry in found["files"].items() if entry}
        return self._known

    def _write(self, files: dict[str, list[Any]]) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._path.with_name(f"{_NAME}.{secrets.token_hex(8)}{TEMPORARY}")
        try:
            temporary.write_text(json.dumps({"make": self._make, "files": files}))
            os.replace(temporary, self._path)
        finally:
            temporary.unlink(missing_ok=True)


def _column(told: Mapping[str, Any]) -> Column:
    inner = tuple(_column(one) for one in told["columns"])
    return Column(told["name"], told["kind"], told["type"], told["is_list"], inner)
