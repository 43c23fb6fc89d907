"""Of Arrow streams exactly the person's rows go; types, metadata and batches stay, and nothing is left in the bytes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from downstream.engines.base import DataFile
from downstream.engines.errors import ConnectorError
from tests.downstream.connectors.file_grounds import stream_of
from tests.downstream.engines.acting import difference, engine_of, put, refusal, without

STREAMS = engine_of("hf_dataset")
PEOPLE = ["m_keep", "m_go", None, "m_go", "m_keep", "m_keep"]
STAY = [0, 2, 4, 5]
MADE = datetime(2024, 5, 7, tzinfo=UTC)
COLUMNS: dict[str, "pa.Array[Any]"] = {
    "text": pa.array(list("abcdef")),
    "large": pa.array(list("abcdef"), pa.large_string()),
    "dictionary": pa.array(list("abcabd")).dictionary_encode(),
    "small dictionary": pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, 2, 0, 0], pa.int8()), list("abc")),
    "bytes": pa.array([{"bytes": b"x" * n, "path": None} for n in range(6)]),
    "list": pa.array([[n] * n for n in range(6)]),
    "fixed": pa.array([[n, n] for n in range(6)], pa.list_(pa.float32(), 2)),
    "map": pa.array([[("k", n)] for n in range(6)], pa.map_(pa.string(), pa.int64())),
    "uuid": pa.array([bytes([n]) * 16 for n in range(6)], pa.uuid()),
    "ns": pa.array(list(range(6)), pa.timestamp("ns", "UTC")),
    "decimal": pa.array(list(range(6)), pa.decimal128(20, 3)),
    "null": pa.nulls(6),
    "none": pa.nulls(6, pa.list_(pa.struct([("x", pa.int8())]))),
}


def table(**columns: Any) -> pa.Table:
    return pa.table({"person": PEOPLE, **columns})


def read(data: bytes) -> pa.Table:
    return pa.ipc.open_stream(data).read_all()


@pytest.mark.parametrize("column", COLUMNS)
def test_every_type_stays_as_it_is(tmp_path: Path, column: str) -> None:
    whole = table(x=COLUMNS[column])
    kept = read(without(STREAMS, put(tmp_path, stream_of(whole)), {"m_go"}))
    assert kept.schema.equals(whole.schema, check_metadata=True)
    assert kept.to_pylist() == whole.take(STAY).to_pylist()


def test_metadata_of_the_schema_and_of_fields_stays(tmp_path: Path) -> None:
    image = pa.field("person", pa.string(), metadata={"ARROW:extension:name": "datasets.features.features.Array2D"})
    schema = pa.schema([image], metadata={"huggingface": '{"info": {"features": {}}}'})
    file = put(tmp_path, stream_of(pa.table([pa.array(PEOPLE)], schema=schema)))
    assert read(without(STREAMS, file, {"m_go"})).schema.equals(schema, check_metadata=True)


def test_batches_stay_and_emptied_ones_are_left_out(tmp_path: Path) -> None:
    sink = pa.BufferOutputStream()
    parts = [PEOPLE[:3], ["m_go"], PEOPLE[4:]]
    with pa.ipc.new_stream(sink, pa.schema([("person", pa.string())])) as writer:
        for number, part in enumerate(parts):
            batch = pa.record_batch({"person": pa.array(part, pa.string())})
            writer.write_batch(batch, custom_metadata={"number": str(number)})
    new = without(STREAMS, put(tmp_path, sink.getvalue().to_pybytes()), {"m_go"})
    stream: Any = pa.ipc.open_stream(new)
    found = [stream.read_next_batch_with_custom_metadata() for _ in range(2)]
    assert [batch.to_pydict()["person"] for batch, _ in found] == [["m_keep", None], ["m_keep", "m_keep"]]
    assert [metadata[b"number"] for _, metadata in found] == [b"0", b"2"]


def test_nothing_of_the_person_is_left_in_the_bytes(tmp_path: Path) -> None:
    people = pa.array(PEOPLE).dictionary_encode()
    texts = pa.array([f"said by {person}" for person in PEOPLE]).dictionary_encode()
    file = put(tmp_path, stream_of(pa.table({"person": people, "text": texts}), batch_size=2))
    new = without(STREAMS, file, {"m_go"})
    assert b"m_go" not in new
    assert b"m_keep" in new


def test_dictionaries_inside_others_are_refused(tmp_path: Path) -> None:
    inner: Any = pa.StructArray.from_arrays([pa.array(PEOPLE).dictionary_encode()], ["x"])
    assert refusal(STREAMS, put(tmp_path, stream_of(table(x=inner)))) == "unsupported_schema"


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_compressed_bodies_stay_compressed(tmp_path: Path, codec: Any) -> None:
    sink = pa.BufferOutputStream()
    whole = table(x=["long " * 200] * 6)
    with pa.ipc.new_stream(sink, whole.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
        writer.write_table(whole)
    new = without(STREAMS, put(tmp_path, sink.getvalue().to_pybytes()), {"m_go"})
    assert len(new) < 2_000
    assert read(new).to_pylist() == whole.take(STAY).to_pylist()


@pytest.mark.parametrize("depth", [1, 2])
def test_a_key_may_lie_in_structs(tmp_path: Path, depth: int) -> None:
    people: Any = pa.array(PEOPLE)
    for name in ["id", "person"][:depth][::-1]:
        people = pa.StructArray.from_arrays([people], [name])
    name = ".".join(["author", "id", "person"][: depth + 1])
    whole = pa.table({"author": people, "n": range(6)})
    assert read(without(STREAMS, put(tmp_path, stream_of(whole)), {"m_go"}, key_column=name))["n"].to_pylist() == STAY


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"person": [["m_go"]]}, "key_column_unsupported"),
        ({"person": [1.5]}, "key_column_unsupported"),
        ({"person": [[{"id": "m_go"}]]}, "key_column_unsupported"),
        ({"text": ["m_go"]}, "key_column_missing"),
        ({"person": ["m_go"], "Person": ["m_keep"]}, "key_column_missing"),
    ],
)
def test_keys_that_cannot_be_compared_are_refused(tmp_path: Path, columns: dict[str, Any], code: str) -> None:
    file = put(tmp_path, stream_of(pa.table(columns)))
    assert refusal(STREAMS, file) == code
    if "list<" in str(pa.table(columns).schema):
        assert refusal(STREAMS, file, key_column="person.id") == code


@pytest.mark.parametrize("cut", [10, 300])
def test_what_is_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    data = stream_of(table(x=["long" * 200] * 6))
    file = put(tmp_path, data[:-cut])
    assert refusal(STREAMS, file) == "dataset_unreadable"


def test_another_form_of_arrow_is_refused(tmp_path: Path) -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table().schema) as writer:
        writer.write_table(table())
    assert refusal(STREAMS, put(tmp_path, sink.getvalue().to_pybytes())) == "not_arrow_stream"
    assert refusal(STREAMS, put(tmp_path, b"")) == "not_arrow_stream"


def test_statements_are_counted(tmp_path: Path) -> None:
    file = put(tmp_path, stream_of(table(u=["a", "a", None, "a", "b", "b"], r=[True, True, None, True, False, False])))
    told = STREAMS.tally([file], columns=["u", "r"], key_column="person", keys={"m_go"})
    assert {(one.values, one.rows, one.of_keys) for one in told} == {
        (("a", "1"), 3, 2), ((None, None), 1, 0), (("b", "0"), 2, 0)
    }  # fmt: skip
    with pytest.raises(ConnectorError, match="no column w"):
        STREAMS.check_statements(file, columns=["w"])


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (table(n=range(6)), "still holds"),
        (table(n=range(6)).take(STAY[1:]), "differ"),
        (table(n=range(1, 7)).take(STAY), "differ"),
        (table(m=range(6)).take(STAY), "schema"),
        (table(n=range(6)).take(STAY).replace_schema_metadata({"x": "y"}), "schema"),
    ],
)
def test_a_version_that_differs_otherwise_is_not_taken(tmp_path: Path, new: pa.Table, why: str) -> None:
    source = put(tmp_path, stream_of(table(n=range(6))))
    assert why in difference(STREAMS, source, stream_of(new), {"m_go"})


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.sampled_from(["m_go", "m_keep", None]), st.none() | st.text(max_size=3)), max_size=9),
    st.integers(1, 4),
    st.booleans(),
)
def test_it_agrees_with_a_filter_of_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str | None, str | None]], size: int, encoded: bool
) -> None:
    people = pa.array([person for person, _ in rows], pa.string())
    whole = pa.table({
        "person": people.dictionary_encode() if encoded else people,
        "x": pa.array([text for _, text in rows], pa.string()),
    })  # fmt: skip
    file: DataFile = put(tmp_path_factory.mktemp("streams"), stream_of(whole, batch_size=size))
    kept = read(without(STREAMS, file, {"m_go"}))
    assert [(row["person"], row["x"]) for row in kept.to_pylist()] == [row for row in rows if row[0] != "m_go"]
