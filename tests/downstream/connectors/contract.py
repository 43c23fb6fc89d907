"""What every connector promises, as tests. A connector's test class inherits them and says how its ground is made."""

import json
from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pytest

from downstream.connectors.base import Connector, ConnectorError, StagedUnit

ALICE, BOB, CHARLIE = "m_alice", "m_bob", "m_charlie"
POSTS = pa.table({"person": [ALICE, BOB, None, ALICE, CHARLIE], "text": ["a", "b", "nobody's", "a", "c"]})
MORE = pa.table({"person": [BOB, CHARLIE], "text": ["d", "e"]})


class Ground(ABC):
    """A place that a connector reaches, seen without Heed's own code."""

    @abstractmethod
    def connector(self, key_column: str = "person") -> Connector: ...

    @abstractmethod
    def put(self, unit: str, table: pa.Table) -> None: ...

    @abstractmethod
    def remove(self, unit: str) -> None: ...

    @abstractmethod
    def read(self) -> dict[str, list[dict[str, Any]]]:
        """All rows that readers see, by unit."""

    @abstractmethod
    def leftovers(self) -> list[str]:
        """Everything that is there but the units."""


def unfenced() -> None:
    """The lease is held."""


def lost() -> None:
    raise ConnectorError("fence_lost", "Another worker took over.", permanent=False)


def stage_first(connector: Connector, keys: set[str]) -> StagedUnit:
    return connector.stage(next(connector.find(keys)), keys, token="run-1")


def remove(connector: Connector, keys: set[str]) -> list[StagedUnit]:
    staged = []
    for finding in connector.find(keys):
        staged.append(connector.stage(finding, keys, token="run-1"))
        connector.commit(staged[-1], fence=unfenced)
    return staged


class ConnectorContract:
    """Inherit, and give a fixture `ground` that is empty."""

    @pytest.fixture
    def two_units(self, ground: Ground) -> Ground:
        ground.put("a", POSTS)
        ground.put("b", MORE)
        return ground

    def test_describing_tells_units_and_rows(self, two_units: Ground) -> None:
        described = two_units.connector().describe()
        assert (described.files, described.rows) == (2, 7)
        assert "person" in described.schema

    def test_a_place_that_is_not_there_is_refused(self, ground: Ground) -> None:
        with pytest.raises(ConnectorError, match=r"does not exist|nothing at") as refused:
            ground.connector().describe()
        assert (refused.value.code, refused.value.permanent) == ("dataset_missing", True)

    def test_an_empty_place_is_refused(self, two_units: Ground) -> None:
        two_units.remove("a")
        two_units.remove("b")
        with pytest.raises(ConnectorError) as refused:
            two_units.connector().describe()
        assert (refused.value.code, refused.value.permanent) == ("dataset_empty", True)

    def test_a_missing_key_column_is_refused(self, two_units: Ground) -> None:
        with pytest.raises(ConnectorError) as refused:
            two_units.connector("author").describe()
        assert (refused.value.code, refused.value.permanent) == ("key_column_missing", True)

    def test_a_key_column_of_floats_is_refused(self, ground: Ground) -> None:
        ground.put("a", pa.table({"person": [1.5]}))
        with pytest.raises(ConnectorError) as refused:
            ground.connector().describe()
        assert (refused.value.code, refused.value.permanent) == ("key_column_unsupported", True)

    def test_finding_tells_rows_per_unit_and_key_and_writes_nothing(self, two_units: Ground) -> None:
        before = two_units.read()
        found = list(two_units.connector().find({ALICE, CHARLIE, "m_nobody"}))
        assert [(one.unit, one.rows, one.matching, one.rows_per_key) for one in found] == [
            ("a", 5, 3, {ALICE: 2, CHARLIE: 1}),
            ("b", 2, 1, {CHARLIE: 1}),
        ]
        assert two_units.read() == before
        assert two_units.leftovers() == []

    @pytest.mark.parametrize("keys", [{"m_nobody"}, set()])
    def test_finding_nothing_is_a_success(self, two_units: Ground, keys: set[str]) -> None:
        connector = two_units.connector()
        assert list(connector.find(keys)) == []
        assert connector.verify(keys).rows_found == 0

    def test_a_printed_finding_shows_no_key(self, two_units: Ground) -> None:
        assert ALICE not in repr(next(two_units.connector().find({ALICE})))

    def test_exactly_the_rows_of_the_keys_go(self, two_units: Ground) -> None:
        before = two_units.read()
        staged = remove(two_units.connector(), {ALICE, CHARLIE})
        assert two_units.read() == {
            unit: [row for row in rows if row["person"] not in {ALICE, CHARLIE}] for unit, rows in before.items()
        }
        assert [(one.rows_before, one.rows_after, one.rows_removed) for one in staged] == [(5, 2, 3), (2, 1, 1)]

    def test_units_without_the_keys_are_not_touched(self, two_units: Ground) -> None:
        assert [one.unit for one in remove(two_units.connector(), {ALICE})] == ["a"]

    def test_verifying_counts_rows_that_are_still_there(self, two_units: Ground) -> None:
        connector = two_units.connector()
        assert connector.verify({ALICE, BOB}).rows_found == 4
        remove(connector, {ALICE, BOB})
        verified = connector.verify({ALICE, BOB})
        assert (verified.rows_found, verified.rows, verified.files) == (0, 3, 2)

    def test_the_manifest_names_a_version(self, two_units: Ground) -> None:
        connector = two_units.connector()
        first = connector.manifest()
        assert (first.files, first.rows) == (2, 7)
        assert connector.manifest() == first
        remove(connector, {BOB})
        assert connector.manifest().digest not in {first.digest, ""}
        assert connector.manifest().digest == connector.verify({BOB}).digest

    def test_readers_see_the_old_version_until_the_swap(self, two_units: Ground) -> None:
        connector, before = two_units.connector(), two_units.read()
        staged = stage_first(connector, {ALICE})
        assert two_units.read() == before
        assert connector.unit_state(staged) == "old"
        connector.commit(staged, fence=unfenced)
        assert connector.unit_state(staged) == "new"
        assert two_units.leftovers() == []

    def test_a_staged_unit_can_be_stored_and_holds_no_key(self, two_units: Ground) -> None:
        stored = json.dumps(asdict(stage_first(two_units.connector(), {ALICE})))
        assert ALICE not in stored
        resumed = two_units.connector()
        resumed.commit(StagedUnit(**json.loads(stored)), fence=unfenced)
        assert resumed.verify({ALICE}).rows_found == 0

    def test_committing_twice_is_harmless(self, two_units: Ground) -> None:
        connector = two_units.connector()
        staged = stage_first(connector, {ALICE})
        connector.commit(staged, fence=unfenced)
        after = two_units.read()
        connector.commit(staged, fence=unfenced)
        assert two_units.read() == after

    def test_a_unit_that_changed_since_it_was_found_is_left_alone(self, two_units: Ground) -> None:
        connector = two_units.connector()
        finding = next(connector.find({ALICE}))
        two_units.put("a", MORE)
        with pytest.raises(ConnectorError) as refused:
            connector.stage(finding, {ALICE}, token="run-1")
        assert (refused.value.code, refused.value.permanent) == ("source_changed", False)
        assert two_units.leftovers() == []

    def test_a_unit_that_changed_since_it_was_staged_is_left_alone(self, two_units: Ground) -> None:
        connector = two_units.connector()
        staged = stage_first(connector, {ALICE})
        two_units.put("a", MORE)
        with pytest.raises(ConnectorError) as refused:
            connector.commit(staged, fence=unfenced)
        assert (refused.value.code, refused.value.permanent) == ("source_changed", False)
        assert two_units.read()["a"] == MORE.to_pylist()
        assert connector.unit_state(staged) == "changed"
        assert two_units.leftovers() == []

    def test_a_unit_that_disappeared_is_told(self, two_units: Ground) -> None:
        connector = two_units.connector()
        staged = stage_first(connector, {ALICE})
        two_units.remove("a")
        assert connector.unit_state(staged) == "missing"
        with pytest.raises(ConnectorError) as refused:
            connector.commit(staged, fence=unfenced)
        assert (refused.value.code, refused.value.permanent) == ("source_changed", False)

    def test_a_holder_without_its_lease_changes_nothing(self, two_units: Ground) -> None:
        connector, before = two_units.connector(), two_units.read()
        staged = stage_first(connector, {ALICE})
        with pytest.raises(ConnectorError, match="took over"):
            connector.commit(staged, fence=lost)
        assert two_units.read() == before
        assert two_units.leftovers() == []

    def test_sweeping_disarms_a_holder_that_comes_back(self, two_units: Ground) -> None:
        connector, before = two_units.connector(), two_units.read()
        staged = stage_first(connector, {ALICE})
        assert two_units.connector().sweep() == [staged.temporary]
        assert two_units.leftovers() == []
        with pytest.raises(ConnectorError) as refused:
            connector.commit(staged, fence=unfenced)
        assert (refused.value.code, refused.value.permanent) == ("fence_lost", False)
        assert two_units.read() == before

    def test_sweeping_takes_no_data(self, two_units: Ground) -> None:
        before = two_units.read()
        assert two_units.connector().sweep() == []
        assert two_units.read() == before

    def test_a_unit_of_which_all_rows_go_stays_without_rows(self, two_units: Ground) -> None:
        connector = two_units.connector()
        remove(connector, {BOB, CHARLIE})
        assert two_units.read()["b"] == []
        assert connector.describe().files == 2
        assert list(connector.find({BOB})) == []

    def test_a_bad_unit_does_not_keep_the_others_from_being_found(self, two_units: Ground) -> None:
        two_units.put("aa", pa.table({"text": ["nobody is named"]}))
        found = two_units.connector().find({BOB})
        assert [next(found).unit, next(found).unit] == ["a", "b"]
        with pytest.raises(ConnectorError, match="aa") as refused:
            next(found)
        assert refused.value.code == "key_column_missing"

    def test_verifying_refuses_while_a_unit_cannot_be_read(self, two_units: Ground) -> None:
        two_units.put("aa", pa.table({"text": ["nobody is named"]}))
        with pytest.raises(ConnectorError, match="aa"):
            two_units.connector().verify({BOB})

    @pytest.mark.parametrize(
        ("column", "key"),
        [
            (pa.array([7, 8, None], pa.int64()), "7"),
            (pa.array([7, 2**32 - 1, None], pa.uint32()), "4294967295"),
            (pa.array([2**64 - 1, 1, None], pa.uint64()), "18446744073709551615"),
            (pa.array([-7, 1, None], pa.int32()), "-7"),
            (pa.array(["x", "y", None], pa.large_string()), "y"),
            (pa.array(["x", "y", None]).dictionary_encode(), "x"),
            (pa.array([bytes(16), bytes(range(16)), None], pa.binary(16)), "00010203-0405-0607-0809-0a0b0c0d0e0f"),
            (pa.array([bytes(16), bytes(range(16)), None], pa.uuid()), "00010203-0405-0607-0809-0A0B0C0D0E0F"),
        ],
    )
    def test_keys_are_found_in_whatever_form_they_are_held(
        self, ground: Ground, column: "pa.Array[Any]", key: str
    ) -> None:
        ground.put("a", pa.table({"person": column}))
        connector = ground.connector()
        keys = {key, "007", "7.0", "x7", "-0", "99999999999999999999999"}
        assert [one.rows_per_key for one in connector.find(keys)] == [{key: 1}]
        remove(connector, keys)
        assert connector.verify(keys).rows_found == 0
        assert len(ground.read()["a"]) == 2
