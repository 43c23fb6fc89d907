"""RunEvents of any sender are understood; what cannot be is refused with its place."""

import uuid
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downstream import openlineage
from downstream.openlineage import EventError, Name
from tests.conftest import AT
from tests.downstream import events
from tests.downstream.events import event, facet, named

RUN = uuid.UUID(int=7)


@pytest.mark.parametrize(
    ("sent", "kind", "inputs"),
    [
        (events.airflow(), "COMPLETE", "postgres://db:5432"),
        (events.spark("/data/posts"), "RUNNING", "hive://metastore:9083"),
        (events.dbt(), "FAIL", "duckdb:///tmp/x.db"),
        (events.flink(), "OTHER", "kafka://broker:9092"),
    ],
    ids=["airflow", "spark", "dbt", "flink"],
)
def test_each_senders_events_are_understood(sent: dict[str, Any], kind: str, inputs: str) -> None:
    read = openlineage.read(sent)
    assert (read.type, read.inputs[0].named.namespace) == (kind, inputs)
    assert read.time.tzinfo is not None


def test_what_facets_say_of_a_dataset_is_heard() -> None:
    known = named(
        "db",
        "t",
        version=facet(datasetVersion="7"),
        symlinks=facet(identifiers=[{"namespace": "file", "name": "/data/t", "type": "LOCATION"}, {"name": 1}, "x"]),
        lifecycleStateChange=facet(lifecycleStateChange="OVERWRITE"),
        datasetType=facet(datasetType="MODEL"),
    )
    (side,) = openlineage.read(event("START", AT, run=RUN, inputs=[known])).inputs
    assert side.names == (Name("db", "t"), Name("file", "/data/t"))
    assert (side.version, side.replaces, side.is_model) == ("7", True, True)


@pytest.mark.parametrize("facets", [None, [], "x", {"version": 1, "symlinks": None, "datasetType": []}])
def test_facets_of_another_shape_are_passed_over(facets: Any) -> None:
    (side,) = openlineage.read(event("START", AT, run=RUN, inputs=[{**named("a", "b"), "facets": facets}])).inputs
    assert (side.names, side.version, side.is_model) == ((Name("a", "b"),), None, False)


def but(**changes: Any) -> dict[str, Any]:
    return {**event("START", AT, run=RUN), **changes}


@pytest.mark.parametrize(
    ("sent", "code", "field"),
    [
        ([], "not_an_event", ""),
        ("x", "not_an_event", ""),
        ({"job": {}, "eventTime": "x"}, "not_a_run_event", "run"),
        (but(run="x"), "object_missing", "run"),
        (but(run={}), "run_id_malformed", "run.runId"),
        (but(run={"runId": "manual__2026"}), "run_id_malformed", "run.runId"),
        (but(run={"runId": 7}), "run_id_malformed", "run.runId"),
        (but(eventType="DONE"), "event_type_unknown", "eventType"),
        (but(eventType=None), "event_type_unknown", "eventType"),
        (but(eventTime=None), "event_time_malformed", "eventTime"),
        (but(eventTime="yesterday"), "event_time_malformed", "eventTime"),
        (but(eventTime="2026-02-30T12:00:00Z"), "event_time_malformed", "eventTime"),
        (but(eventTime="2026-03-02T12:00:00"), "event_time_without_zone", "eventTime"),
        (but(job=None), "object_missing", "job"),
        (but(job={"namespace": "", "name": "x"}), "name_missing", "job.namespace"),
        (but(job={"namespace": "x"}), "name_missing", "job.name"),
        (but(inputs={}), None, None),
        (but(inputs={"a": 1}), "list_malformed", "inputs"),
        (but(inputs=["x"]), "object_missing", "inputs.0"),
        (but(outputs=[named("a", "b"), {"namespace": "a"}]), "name_missing", "outputs.1.name"),
        (but(outputs=[named("a", "b" * 1001)]), "name_malformed", "outputs.0.name"),
        (but(outputs=[named("a", "b\x00")]), "name_malformed", "outputs.0.name"),
    ],
)
def test_what_cannot_be_understood_says_where(sent: Any, code: str | None, field: str | None) -> None:
    if code is None:
        assert openlineage.read(sent).inputs == ()
        return
    with pytest.raises(EventError) as error:
        openlineage.read(sent)
    assert (error.value.code, error.value.field) == (code, field)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
PLACES = ["eventType", "eventTime", "run", "job", "inputs", "outputs", "producer"]


@given(place=st.sampled_from(PLACES), value=JSON)
def test_nothing_that_can_be_sent_fails_otherwise(place: str, value: Any) -> None:
    with suppress(EventError):
        assert openlineage.read(but(**{place: value})).type in openlineage.TYPES


@given(value=JSON)
def test_nor_do_facets(value: Any) -> None:
    for facets in (value, {"version": value, "symlinks": value, "lifecycleStateChange": value}):
        openlineage.read(but(inputs=[{**named("a", "b"), "facets": facets}]))
    openlineage.read(but(inputs=[named("a", "b", symlinks=facet(identifiers=value))]))


@pytest.mark.parametrize("word", ["a\0b", "\ud800", "v" * 501, 7.5, None])
def test_what_no_database_takes_is_passed_over_where_it_only_tells_more(word: Any) -> None:
    source = named("db", "t", version=facet(datasetVersion=word))
    read = openlineage.read(but(producer=word, inputs=[source]))
    assert (read.producer, read.inputs[0].version) == ("", None)


def test_a_time_before_all_reports_is_refused() -> None:
    for time in ("0001-01-01T00:00:00+14:00", "1969-12-31T00:00:00Z"):
        with pytest.raises(EventError) as refused:
            openlineage.read(but(eventTime=time))
        assert refused.value.code == "event_time_malformed"


def test_an_event_has_its_bounds() -> None:
    also = facet(identifiers=[{"namespace": "file", "name": f"/{number}", "type": "LOCATION"} for number in range(50)])
    (side,) = openlineage.read(but(inputs=[named("db", "t", symlinks=also)])).inputs
    assert len(side.names) == 21
    with pytest.raises(EventError) as refused:
        openlineage.read(but(inputs=[named("db", f"t{number}") for number in range(201)]))
    assert refused.value.code == "list_malformed"
