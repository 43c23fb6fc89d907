"""What every connector promises, as tests. A connector's test class inherits them and says how its ground is made."""

import json
from abc import ABC, abstractmethod
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from downstream.connectors.base import (
    WHOLE,
    Connector,
    ConnectorError,
    Part,
    ReadsRows,
    Span,
    Spans,
    StagedUnit,
    TellsKeys,
)

ALICE, BOB, CHARLIE = "m_alice", "m_bob", "m_charlie"
POSTS = pa.table({"person": [ALICE, BOB, None, ALICE, CHARLIE], "text": ["a", "b", "nobody's", "a", "c"]})
MORE = pa.table({"person": [BOB, CHARLIE], "text": ["d", "e"]})


class Ground(ABC):
    """A place that a connector reaches, seen without Heed's own code."""

    is_one_unit = False
    """Whether the dataset is one unit, such as a table, whatever is in it; then there is a unit `a` alone."""

    @abstractmethod
    def connector(self, key_column: str = "person", created_column: str = "") -> Connector: ...

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

    keeps_empty_units = True
    """Whether a unit of which all rows went is still there; a table's own list of files needs no such file."""

    def holds(self, table: pa.Table) -> bool:
        """Whether such columns can be there at all."""
        return True

    def as_put(self, values: dict[str, Any]) -> dict[str, Any]:
        """A row as the connector tells it, as `read` would tell it."""
        return values

    def spoil(self, unit: str) -> str:
        """Put a unit there that cannot be worked on; answers how it is refused."""
        self.put(unit, pa.table({"text": ["nobody is named"]}))
        return "key_column_missing"


def unfenced() -> None:
    """The lease is held."""


def lost() -> None:
    raise ConnectorError("fence_lost", "Another worker took over.", permanent=False)


def stage_first(connector: Connector, keys: set[str]) -> StagedUnit:
    return connector.stage(next(connector.find(keys)), keys, token="run-1")


def remove(connector: Connector, keys: set[str], spans: Spans = WHOLE) -> list[StagedUnit]:
    staged = []
    for finding in connector.find(keys, spans):
        staged.append(connector.stage(finding, keys, spans, token="run-1"))
        connector.commit(staged[-1], fence=unfenced)
    return staged


def rows_of(ground: Ground, keys: set[str], key_column: str = "person") -> dict[str, list[dict[str, Any]]]:
    """What the connector tells of these people, by unit."""
    connector = ground.connector(key_column)
    assert isinstance(connector, ReadsRows)
    found: dict[str, list[dict[str, Any]]] = {}
    for row in connector.rows(keys):
        found.setdefault(row.unit, []).append(ground.as_put(row.values))
    return found


def read_of(ground: Ground, keys: set[str]) -> dict[str, list[dict[str, Any]]]:
    """What readers see of these people, by unit."""
    every = {unit: [row for row in rows if row["person"] in keys] for unit, rows in ground.read().items()}
    return {unit: rows for unit, rows in every.items() if rows}


SIMILAR = [
    "m_1",
    "m_10",
    "m_",
    "M_1",
    "m%",
    "m%1",
    "%",
    "_",
    "m_1'",
    'm"1',
    "mä_1",
    "ma\u0308_1",
    "m_1 ",
    " m_1",
    "m\\1",
]
"""Keys of as many people, which a careless comparison takes for one another."""


def put(ground: Ground, table: pa.Table) -> None:
    """As the one unit, where such columns can be there."""
    if not ground.holds(table):
        pytest.skip("columns of this type cannot be there")
    ground.put("a", table)


MAY, AUGUST = datetime(2024, 5, 7, tzinfo=UTC), datetime(2024, 8, 1, tzinfo=UTC)
UNDERTAKEN = Span(MAY, AUGUST)
BEFORE, FIRST, LAST, AFTER = (
    MAY - timedelta(microseconds=1),
    MAY,
    AUGUST - timedelta(microseconds=1),
    AUGUST,
)
MOMENTS = [BEFORE, FIRST, LAST, AFTER, None]


def of(keys: set[str], *spans: Span) -> Spans:
    return Spans((Part(spans or (UNDERTAKEN,), frozenset(keys)),))


def made(times: "pa.Array[Any]", *, person: str = ALICE) -> pa.Table:
    """Rows of one person, numbered from 0, and one of somebody else at the same first time."""
    count = len(times)
    every = pa.concat_arrays([times, times.slice(0, 1)])
    return pa.table({"person": [person] * count + [BOB], "n": [*range(count), 99], "made": every})


def texts(*moments: datetime | None, zone: str = "+00:00") -> list[str | None]:
    return [one and one.isoformat().replace("+00:00", zone) for one in moments]


NAIVE = [one and one.replace(tzinfo=None) for one in MOMENTS]
TIMES: dict[str, "pa.Array[Any]"] = {
    "us": pa.array(NAIVE, pa.timestamp("us")),
    "us UTC": pa.array(MOMENTS, pa.timestamp("us", "UTC")),
    "us Tokyo": pa.array(MOMENTS, pa.timestamp("us", "Asia/Tokyo")),
    "ns": pa.array(NAIVE, pa.timestamp("ns")),
    "ns UTC": pa.array(MOMENTS, pa.timestamp("ns", "UTC")),
    "text": pa.array(texts(*MOMENTS)),
    "text Z": pa.array(texts(*MOMENTS, zone="Z")),
    "text without zone": pa.array(texts(*MOMENTS, zone="")),
    "large text": pa.array(texts(*MOMENTS), pa.large_string()),
    "dictionary": pa.array(texts(*MOMENTS)).dictionary_encode(),
}
COARSE: dict[str, "pa.Array[Any]"] = {
    "ms": pa.array(NAIVE[1:], pa.timestamp("us")).cast(pa.timestamp("ms"), safe=False),
    "ms UTC": pa.array(MOMENTS[1:], pa.timestamp("us", "UTC")).cast(pa.timestamp("ms", "UTC"), safe=False),
    "date": pa.array([one and one.date() for one in MOMENTS[1:]]),
    "date text": pa.array([one and one.date().isoformat() for one in MOMENTS[1:]]),
}


class ConnectorContract:
    """Inherit, and give a fixture `ground` that is empty."""

    @pytest.fixture
    def two_units(self, ground: Ground) -> Ground:
        ground.put("a", POSTS)
        if not ground.is_one_unit:
            ground.put("b", MORE)
        return ground

    @pytest.fixture
    def several_units(self, two_units: Ground) -> Ground:
        """For what one unit alone cannot show."""
        if two_units.is_one_unit:
            pytest.skip("this kind of dataset is one unit")
        return two_units

    def test_describing_tells_units_and_rows(self, two_units: Ground) -> None:
        described = two_units.connector().describe()
        assert (described.files, described.rows) == ((1, 5) if two_units.is_one_unit else (2, 7))
        assert "person" in described.schema

    def test_a_place_that_is_not_there_is_refused(self, ground: Ground) -> None:
        with pytest.raises(ConnectorError, match=r"does not exist|nothing at") as refused:
            ground.connector().describe()
        assert (refused.value.code, refused.value.permanent) == ("dataset_missing", True)

    def test_an_empty_place_is_refused(self, several_units: Ground) -> None:
        several_units.remove("a")
        several_units.remove("b")
        with pytest.raises(ConnectorError) as refused:
            several_units.connector().describe()
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
        expected = [("a", 5, 3, {ALICE: 2, CHARLIE: 1}), ("b", 2, 1, {CHARLIE: 1})]
        assert [(one.unit, one.rows, one.matching, one.rows_per_key) for one in found] == expected[: len(before)]
        assert two_units.read() == before
        assert two_units.leftovers() == []

    @pytest.mark.parametrize("keys", [{"m_nobody"}, set()])
    def test_finding_nothing_is_a_success(self, two_units: Ground, keys: set[str]) -> None:
        connector = two_units.connector()
        assert list(connector.find(keys)) == []
        assert connector.verify(keys).rows_found == 0

    @pytest.mark.parametrize("keys", [{ALICE}, {BOB}, {ALICE, CHARLIE, "m_nobody"}])
    def test_exactly_the_rows_of_the_keys_are_told(self, two_units: Ground, keys: set[str]) -> None:
        before = two_units.read()
        assert rows_of(two_units, keys) == read_of(two_units, keys) != {}
        assert (two_units.read(), two_units.leftovers()) == (before, [])

    @pytest.mark.parametrize("keys", [{"m_nobody"}, {"m_ali"}, {""}, set()])
    def test_of_nobody_no_row_is_told(self, two_units: Ground, keys: set[str]) -> None:
        assert rows_of(two_units, keys) == {}

    def test_similar_keys_are_other_people(self, ground: Ground) -> None:
        ground.put("a", pa.table({"person": SIMILAR, "text": [f"of {key!r}" for key in SIMILAR]}))
        for key in SIMILAR:
            told = rows_of(ground, {key})
            assert [row["text"] for rows in told.values() for row in rows] == [f"of {key!r}"]

    def test_rows_that_are_gone_are_not_told(self, two_units: Ground) -> None:
        remove(two_units.connector(), {ALICE})
        assert rows_of(two_units, {ALICE}) == {}
        # a table's files have other names now
        assert list(rows_of(two_units, {BOB}).values()) == list(read_of(two_units, {BOB}).values())

    def test_as_many_rows_are_told_as_are_found(self, two_units: Ground) -> None:
        keys = {ALICE, BOB, CHARLIE}
        found = {one.unit: one.matching for one in two_units.connector().find(keys)}
        assert {unit: len(rows) for unit, rows in rows_of(two_units, keys).items()} == found

    def test_a_bad_unit_does_not_keep_the_rows_of_others_from_being_told(self, several_units: Ground) -> None:
        several_units.spoil("aa")
        connector, failures = several_units.connector(), list[ConnectorError]()
        assert isinstance(connector, ReadsRows)
        assert [row.unit for row in connector.rows({BOB}, failures)] == ["a", "b"]
        assert [failure.message[:2] for failure in failures] == ["aa"]
        told = connector.rows({BOB})
        assert [next(told).unit, next(told).unit] == ["a", "b"]
        with pytest.raises(ConnectorError, match="aa"):
            next(told)

    def test_a_printed_row_shows_nothing_of_it(self, two_units: Ground) -> None:
        connector = two_units.connector()
        assert isinstance(connector, ReadsRows)
        assert ALICE not in repr(next(iter(connector.rows({ALICE}))))

    def test_a_printed_finding_shows_no_key(self, two_units: Ground) -> None:
        assert ALICE not in repr(next(two_units.connector().find({ALICE})))

    def test_exactly_the_rows_of_the_keys_go(self, two_units: Ground) -> None:
        before = two_units.read()
        staged = remove(two_units.connector(), {ALICE, CHARLIE})
        assert two_units.read() == {
            unit: [row for row in rows if row["person"] not in {ALICE, CHARLIE}] for unit, rows in before.items()
        }
        expected = [(5, 2, 3), (2, 1, 1)]
        assert [(one.rows_before, one.rows_after, one.rows_removed) for one in staged] == expected[: len(before)]

    def test_units_without_the_keys_are_not_touched(self, two_units: Ground) -> None:
        assert [one.unit for one in remove(two_units.connector(), {ALICE})] == ["a"]

    def test_verifying_counts_rows_that_are_still_there(self, two_units: Ground) -> None:
        connector = two_units.connector()
        assert connector.verify({ALICE, BOB}).rows_found == (3 if two_units.is_one_unit else 4)
        remove(connector, {ALICE, BOB})
        verified = connector.verify({ALICE, BOB})
        expected = (0, 2, 1) if two_units.is_one_unit else (0, 3, 2)
        assert (verified.rows_found, verified.rows, verified.files) == expected

    def test_the_manifest_names_a_version(self, two_units: Ground) -> None:
        connector = two_units.connector()
        first = connector.manifest()
        assert (first.files, first.rows) == ((1, 5) if two_units.is_one_unit else (2, 7))
        assert connector.manifest() == first
        remove(connector, {BOB})
        assert connector.manifest().digest not in {first.digest, ""}
        assert connector.manifest().digest == connector.verify({BOB}).digest

    def test_the_manifest_tells_which_unit_is_another_now(self, two_units: Ground) -> None:
        before = two_units.connector().manifest()
        if [unit.name for unit in before.units] != sorted(two_units.read()):
            pytest.skip("its manifest tells no units, or others than what is put there")
        assert sum(unit.rows for unit in before.units) == before.rows
        two_units.put("b", POSTS)
        after = {unit.name: unit for unit in two_units.connector().manifest().units}
        changed = [unit.name for unit in before.units if after[unit.name].digest != unit.digest]
        assert changed == ["b"]
        if before.columns:
            # records of JSON or CSV have names and no types, and tell none
            assert {column.name for column in before.columns} >= {"person", "text"}

    def test_the_keys_of_units_are_told_once_each_as_text(self, two_units: Ground) -> None:
        connector = two_units.connector()
        if not isinstance(connector, TellsKeys):
            pytest.skip("it tells no keys")
        if [unit.name for unit in connector.manifest().units] == sorted(two_units.read()):
            assert sorted(key for keys in connector.keys(["b"]) for key in keys) == [BOB, CHARLIE]
        assert {key for keys in connector.keys(None) for key in keys} == {ALICE, BOB, CHARLIE}
        assert [key for keys in connector.keys([]) for key in keys] == []

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
        emptied = "a" if two_units.is_one_unit else "b"
        two_units.put(emptied, MORE)
        connector = two_units.connector()
        remove(connector, {BOB, CHARLIE})
        assert two_units.read().get(emptied, []) == []
        assert (emptied in two_units.read()) == two_units.keeps_empty_units
        assert connector.describe().files == len(two_units.read())
        assert list(connector.find({BOB})) == []

    def test_a_bad_unit_does_not_keep_the_others_from_being_found(self, several_units: Ground) -> None:
        code = several_units.spoil("aa")
        found = several_units.connector().find({BOB})
        assert [next(found).unit, next(found).unit] == ["a", "b"]
        with pytest.raises(ConnectorError, match="aa") as refused:
            next(found)
        assert refused.value.code == code

    def test_verifying_refuses_while_a_unit_cannot_be_read(self, several_units: Ground) -> None:
        several_units.spoil("aa")
        with pytest.raises(ConnectorError, match="aa"):
            several_units.connector().verify({BOB})

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
        put(ground, pa.table({"person": column}))
        connector = ground.connector()
        keys = {key, "007", "7.0", "x7", "-0", "99999999999999999999999"}
        assert [one.rows_per_key for one in connector.find(keys)] == [{key: 1}]
        assert [len(rows) for rows in rows_of(ground, keys).values()] == [1]
        if isinstance(connector, TellsKeys):
            # as they would be given to us, so that a fingerprint of theirs is found
            assert key.lower() in {one for some in connector.keys(None) for one in some}
        remove(connector, keys)
        assert connector.verify(keys).rows_found == 0
        assert len(ground.read()["a"]) == 2

    @pytest.mark.parametrize("form", TIMES)
    def test_of_a_span_exactly_its_rows_go_and_those_of_unknown_time(self, ground: Ground, form: str) -> None:
        put(ground, made(TIMES[form]))
        connector, spans = ground.connector(created_column="made"), of({ALICE})
        assert [one.rows_per_key for one in connector.find(set(), spans)] == [{ALICE: 3}]
        assert connector.verify(set(), spans).rows_found == 3
        (staged,) = remove(connector, set(), spans)
        assert staged.rows_removed == 3
        assert [(row["person"], row["n"]) for row in ground.read()["a"]] == [(ALICE, 0), (ALICE, 3), (BOB, 99)]
        assert connector.verify(set(), spans).rows_found == 0
        assert list(connector.find(set(), spans)) == []

    @pytest.mark.parametrize("form", COARSE)
    def test_times_of_a_coarse_unit_are_compared_as_they_are(self, ground: Ground, form: str) -> None:
        put(ground, made(COARSE[form]))
        remove(ground.connector(created_column="made"), set(), of({ALICE}))
        assert [row["n"] for row in ground.read()["a"]] == [2, 99]

    @pytest.mark.parametrize(
        ("spans", "stay"),
        [
            ((Span(MAY, None),), [0]),
            ((Span(None, AUGUST),), [3]),
            ((Span(MAY, LAST), Span(AUGUST, None)), [0, 2]),
            ((Span(MAY, AUGUST), Span(MAY, AUGUST), Span(LAST, None)), [0]),
        ],
    )
    def test_spans_may_be_open_be_several_and_overlap(
        self, ground: Ground, spans: tuple[Span, ...], stay: list[int]
    ) -> None:
        ground.put("a", made(TIMES["us UTC"]))
        connector = ground.connector(created_column="made")
        found = next(connector.find(set(), of({ALICE}, *spans)))
        assert found.matching == sum(found.rows_per_key.values()) == 5 - len(stay)
        remove(connector, set(), of({ALICE}, *spans))
        assert [row["n"] for row in ground.read()["a"]] == [*stay, 99]

    def test_whole_people_and_spans_go_in_one_pass(self, ground: Ground) -> None:
        of_alice, of_charlie = made(TIMES["us"]), made(TIMES["us"], person=CHARLIE)
        if ground.is_one_unit:
            ground.put("a", pa.concat_tables([of_alice, of_charlie]))
        else:
            ground.put("a", of_alice)
            ground.put("b", of_charlie)
        connector = ground.connector(created_column="made")
        spans = Spans((Part((UNDERTAKEN,), frozenset({ALICE})), Part((Span(AUGUST, None),), frozenset({CHARLIE}))))
        remove(connector, {BOB}, spans)
        staying = {unit: [row["n"] for row in rows] for unit, rows in ground.read().items()}
        assert staying == ({"a": [0, 3, 0, 1, 2]} if ground.is_one_unit else {"a": [0, 3], "b": [0, 1, 2]})
        verified = connector.verify({BOB}, spans)
        assert (verified.rows_found, verified.rows) == (0, 5)

    @pytest.mark.parametrize(
        "text", ["2024-06-31", "yesterday", "", "2024-06-01T25:00", "2024-06-01T10:00:00.1234567", "0000-01-01", "１"]
    )
    def test_a_time_that_cannot_be_read_is_taken_for_inside(self, ground: Ground, text: str) -> None:
        ground.put("a", made(pa.array([text, "2024-01-01"])))
        remove(ground.connector(created_column="made"), set(), of({ALICE}))
        assert [row["n"] for row in ground.read()["a"]] == [1, 99]

    @pytest.mark.parametrize(
        ("text", "goes"),
        [
            ("2024-05-07T01:59:59+02:00", False),
            ("2024-05-07T02:00:00+02:00", True),
            ("2024-05-06T22:00:00-02:00", True),
            ("2024-05-06 23:59", False),
            ("2024-07-31 23:59:59.999999", True),
            ("2024-08-01T01:00+02:00", True),
        ],
    )
    def test_a_text_counts_by_its_own_zone_and_without_one_as_utc(self, ground: Ground, text: str, goes: bool) -> None:
        ground.put("a", made(pa.array([text])))
        remove(ground.connector(created_column="made"), set(), of({ALICE}))
        assert [row["n"] for row in ground.read()["a"]] == [99] if goes else [0, 99]

    def test_without_a_column_of_times_spans_are_refused_and_whole_people_go(self, ground: Ground) -> None:
        ground.put("a", made(TIMES["us"]))
        with pytest.raises(ConnectorError) as refused:
            list(ground.connector().find(set(), of({ALICE})))
        assert (refused.value.code, refused.value.permanent) == ("created_column_missing", True)
        remove(ground.connector(), {ALICE})
        assert [row["n"] for row in ground.read()["a"]] == [99]

    @pytest.mark.parametrize(
        ("table", "code"),
        [
            (pa.table({"person": [ALICE], "text": ["a"]}), "created_column_missing"),
            (pa.table({"person": [ALICE], "made": [1.5]}), "created_column_unsupported"),
            (pa.table({"person": [ALICE], "made": [20240507]}), "created_column_unsupported"),
        ],
    )
    def test_a_column_that_tells_no_times_is_refused_before_and_during(
        self, ground: Ground, table: pa.Table, code: str
    ) -> None:
        ground.put("a", table)
        connector = ground.connector(created_column="made")
        for look in (connector.describe, lambda: list(connector.find(set(), of({ALICE})))):
            with pytest.raises(ConnectorError, match=r"^a") as refused:
                look()
            assert (refused.value.code, refused.value.permanent) == (code, True)

    def test_columns_may_be_called_what_the_search_calls_its_own(self, ground: Ground) -> None:
        table = pa.table({"text": [ALICE, BOB], "probe": [MAY, MAY], "keys": ["x", "y"], "file": ["f", "f"]})
        ground.put("a", table)
        connector = ground.connector("text", created_column="probe")
        assert [one.rows_per_key for one in connector.find({BOB}, of({ALICE}))] == [{ALICE: 1, BOB: 1}]
        remove(connector, {BOB}, of({ALICE}))
        assert ground.read().get("a", []) == []

    def test_what_is_printed_of_spans_shows_no_key(self) -> None:
        assert ALICE not in repr(of({ALICE}))
