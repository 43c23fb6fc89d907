"""Streams that lie about themselves are refused before anything is read by them."""

import io
import struct
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from consents import arrow_streams


def stream(*batches: pa.RecordBatch, options: Any = None) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batches[0].schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue()


def read(content: bytes) -> list[Any]:
    with arrow_streams.open_stream(io.BytesIO(content)) as reader:
        return [batch.to_pydict()["id"] for batch in arrow_streams.batches(reader)]


def of(column: Any) -> pa.RecordBatch:
    return pa.record_batch({"id": column})


def with_offsets(*offsets: int) -> bytes:
    content, honest = stream(of(["a", "b"])), struct.pack("<3i", 0, 1, 2)
    # the last such numbers; the metadata has some too
    before, found, after = content.rpartition(honest)
    assert found
    return before + struct.pack("<3i", *offsets) + after


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["m_1", None, "m_3"]),
        pa.array(["m_1", "m_2"], pa.large_string()),
        pa.array(["m_1", "a name of more than twelve bytes"], pa.string_view()),
        pa.array(["m_1", "m_1", None]).dictionary_encode(),
        pa.array([], pa.string()),
        pa.array([], pa.string()).dictionary_encode(),
    ],
)
def test_what_is_well_formed_is_read(column: Any) -> None:
    assert read(stream(of(column), of(column))) == [column.to_pylist()] * 2


@pytest.mark.parametrize("offsets", [(0, 1, 2_000_000_000), (0, 2_000_000_000, 2), (0, -5, 2), (1, 0, 2)])
def test_an_offset_that_points_elsewhere_is_refused(offsets: tuple[int, ...]) -> None:
    with pytest.raises(pa.ArrowInvalid):
        read(with_offsets(*offsets))


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_a_compressed_batch_is_refused(codec: str) -> None:
    batch = of(["m" * 1_000] * 10)
    with pytest.raises(pa.ArrowInvalid, match="compressed"):
        read(stream(batch, options=pa.ipc.IpcWriteOptions(compression=codec)))


def test_rows_that_cost_no_byte_are_counted_all_the_same() -> None:
    with pytest.raises(pa.ArrowInvalid, match="rows"):
        read(stream(of(pa.nulls(arrow_streams.MOST_ROWS + 1))))


def test_a_body_is_refused_before_memory_is_taken_for_it() -> None:
    content = stream(of(["m_1"] * 5))
    messages = pa.ipc.MessageReader.open_stream(content)
    _, records = messages.read_next_message(), messages.read_next_message()
    said = records.body.size.to_bytes(8, "little")
    assert content.count(said) == 1
    with pytest.raises(pa.ArrowInvalid, match="larger"):
        read(content.replace(said, (1 << 60).to_bytes(8, "little")))


def pointing(times: int, *, text: bytes) -> pa.Array:
    """A column of views that all point to the one text."""
    view = struct.pack("<i4sii", len(text), text[:4], 0, 0)
    buffers = [None, pa.py_buffer(view * times), pa.py_buffer(text)]
    return pa.Array.from_buffers(pa.string_view(), times, buffers)


def indexing(times: int, *, text: bytes) -> pa.Array:
    return pa.DictionaryArray.from_arrays([0] * times, pa.array([text.decode()]))


@pytest.mark.parametrize("column", [pointing, indexing])
def test_text_that_is_pointed_to_again_and_again_is_counted_each_time(
    column: Callable[..., pa.Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrow_streams, "MOST_BYTES", 5_000)
    assert arrow_streams.checked(of(column(5, text=b"m" * 1_000))).num_rows == 5
    with pytest.raises(pa.ArrowInvalid, match="text"):
        arrow_streams.checked(of(column(6, text=b"m" * 1_000)))


def test_a_dictionary_that_grows_is_refused() -> None:
    short, longer = pa.array(["a"]), pa.array(["a", "b"])
    batches = [of(pa.DictionaryArray.from_arrays([0], one)) for one in (short, longer)]
    deltas = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
    with pytest.raises(pa.ArrowInvalid, match="whole"):
        read(stream(*batches, options=deltas))
    assert read(stream(*batches)) == [["a"], ["a"]]


@pytest.mark.parametrize("place", range(0, 400, 3))
def test_a_damaged_byte_is_refused_or_harmless(place: int) -> None:
    content = bytearray(stream(of(["m_1", "m_2"])))
    content[place % len(content)] ^= 0xFF
    try:
        read(bytes(content))
    except (pa.ArrowException, OSError, KeyError, UnicodeDecodeError):
        return
