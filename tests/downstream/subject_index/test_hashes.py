"""A key gets one number, in whatever column it is, and under another secret another."""

import uuid
from typing import Any

import pyarrow as pa
import pytest

from downstream.engines.key_columns import form_of
from downstream.subject_index.hashes import Hasher

HASHER = Hasher(b"s" * 32, "person")
LONG = "a name that is longer than twelve letters: Ünïcödé 你好"
SOMEBODY = uuid.UUID("00010203-0405-0607-0809-0a0b0c0d0e0f")


def hashed(column: "pa.Array[Any]") -> list[int]:
    chunked = pa.chunked_array([column])
    return HASHER.column(chunked, form_of("a", "person", column.type)).tolist()


@pytest.mark.parametrize(
    ("column", "key"),
    [
        (pa.array(["m_alice"]), "m_alice"),
        (pa.array(["m_alice"], pa.large_string()), "m_alice"),
        (pa.array(["m_alice"], pa.string_view()), "m_alice"),
        (pa.array(["m_alice"]).dictionary_encode(), "m_alice"),
        (pa.array([LONG]), LONG),
        (pa.array([""]), ""),
        (pa.array([7], pa.int32()), "7"),
        (pa.array([7], pa.int64()), "7"),
        (pa.array([7], pa.uint32()), "7"),
        (pa.array([7], pa.uint64()), "7"),
        (pa.array([-7], pa.int32()), "-7"),
        (pa.array([2**64 - 1], pa.uint64()), str(2**64 - 1)),
        (pa.array([-(2**63)], pa.int64()), str(-(2**63))),
        (pa.array([SOMEBODY.bytes], pa.binary(16)), str(SOMEBODY)),
        (pa.array([SOMEBODY.bytes], pa.uuid()), str(SOMEBODY).upper()),
    ],
)
def test_a_key_and_its_row_get_the_same_number_in_every_form(column: "pa.Array[Any]", key: str) -> None:
    (number,) = hashed(column)
    assert number in HASHER.keys({key, "somebody", "8"}, form_of("a", "person", column.type).family)


def test_a_missing_key_has_no_number_and_the_others_keep_their_order() -> None:
    assert hashed(pa.array([None, "a", None, "b"])) == hashed(pa.array(["a"])) + hashed(pa.array(["b"]))
    assert hashed(pa.array([None], pa.string())) == []


@pytest.mark.parametrize("family", ["text", "integer", "uuid"])
def test_nobody_has_no_numbers(family: str) -> None:
    assert HASHER.keys(set(), family).tolist() == []


def test_keys_that_cannot_be_of_a_form_have_no_number() -> None:
    assert HASHER.keys({"m_alice", "007"}, "integer").tolist() == HASHER.keys({"m_alice"}, "uuid").tolist() == []


@pytest.mark.parametrize("other", [Hasher(b"t" * 32, "person"), Hasher(b"s" * 32, "author")])
def test_another_secret_or_column_is_another_make(other: Hasher) -> None:
    assert other.make != HASHER.make


def test_another_secret_gives_other_numbers() -> None:
    other = Hasher(b"t" * 32, "person").keys({"m_alice"}, "text")
    assert other.tolist() != HASHER.keys({"m_alice"}, "text").tolist()


def test_what_is_printed_shows_no_secret() -> None:
    assert "ssss" not in repr(HASHER)
