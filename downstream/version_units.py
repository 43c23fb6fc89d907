"""The units of versions, kept as what changed since the parent, so that thousands of files cost a few bytes a version.

Every 32nd version holds all of its units again, so that none has far to go back.
"""

import json
import zlib
from collections.abc import Iterable
from dataclasses import astuple
from typing import Any

from downstream.connectors.base import UnitVersion
from downstream.models import DatasetVersion

WHOLE_EACH = 32

Units = dict[str, UnitVersion]
"""By name."""


def packed(units: Iterable[UnitVersion], *, number: int, before: Units | None) -> bytes:
    """What version `number` keeps of these units; `before` are its parent's, None where nobody knows them."""
    named = {unit.name: unit for unit in units}
    whole = before is None or number % WHOLE_EACH == 1
    old = {} if whole or before is None else before
    changed = [astuple(unit) for name, unit in sorted(named.items()) if old.get(name) != unit]
    kept = {"whole": whole, "units": changed, "gone": sorted(old.keys() - named.keys())}
    return zlib.compress(json.dumps(kept, separators=(",", ":")).encode())


def of(version: DatasetVersion) -> Units | None:
    """The units of a version; None where its store did not tell them."""
    kept: list[dict[str, Any]] = []
    at: DatasetVersion | None = version
    while at is not None and at.units is not None:
        kept.append(json.loads(zlib.decompress(bytes(at.units))))
        if kept[-1]["whole"]:
            return _replayed(kept)
        at = at.parent
    return None


def _replayed(kept: list[dict[str, Any]]) -> Units:
    units: Units = {}
    for step in reversed(kept):
        for name in step["gone"]:
            del units[name]
        units.update({row[0]: UnitVersion(*row) for row in step["units"]})
    return units
