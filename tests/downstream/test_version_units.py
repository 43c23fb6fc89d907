"""The units of a version survive being kept as differences, whatever came and went."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from downstream import version_units
from downstream.connectors.base import UnitVersion
from downstream.models import DatasetVersion
from downstream.version_units import WHOLE_EACH, Units

NAMES = st.sampled_from([f"part-{number}.parquet" for number in range(6)] + ["ö/ü.parquet", 'a"b'])
STEPS = st.lists(st.dictionaries(NAMES, st.integers(0, 3), min_size=1), min_size=1, max_size=2 * WHOLE_EACH + 3)


def chain(steps: list[Units]) -> list[DatasetVersion]:
    """Unsaved versions, each the child of the one before."""
    made: list[DatasetVersion] = []
    before: Units | None = None
    for number, units in enumerate(steps, start=1):
        kept = version_units.packed(units.values(), number=number, before=before)
        made.append(DatasetVersion(number=number, parent=made[-1] if made else None, units=kept))
        before = units
    return made


@given(STEPS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_version_answers_its_own_units(steps: list[dict[str, int]]) -> None:
    wanted = [{name: UnitVersion(name, f"d{rows}", rows, 10 * rows) for name, rows in step.items()} for step in steps]
    assert [version_units.of(version) for version in chain(wanted)] == wanted


def test_a_version_of_thousands_of_files_keeps_only_what_changed() -> None:
    units = {f"part-{n:05}.parquet": UnitVersion(f"part-{n:05}.parquet", f"{n:064x}", n, n) for n in range(5_000)}
    changed = {**units, "part-00007.parquet": replace(units["part-00007.parquet"], digest="f" * 64)}
    first, second = chain([units, changed])
    assert len(bytes(second.units or b"")) < 200 < len(bytes(first.units or b""))
    assert version_units.of(second) == changed


@pytest.mark.parametrize("units", [None])
def test_a_store_that_tells_no_units_has_none(units: None) -> None:
    assert version_units.of(DatasetVersion(number=1, units=units)) is None


def test_after_a_version_without_units_the_next_holds_all_of_its_own() -> None:
    units = {"a": UnitVersion("a", "d", 1, 1)}
    lost = DatasetVersion(number=2, units=None)
    kept = version_units.packed(units.values(), number=3, before=None)
    assert version_units.of(DatasetVersion(number=3, parent=lost, units=kept)) == units
