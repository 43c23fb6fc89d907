"""NDJSON, flat or with the subject as POST /choices has it."""

import gzip
import io
import json
from typing import Any

import pytest

from consents.importing import ndjson_rows
from consents.importing.rows import LONGEST_LINE, InputRefused, Refused, Row

CHOICE = {"scheme": "account", "value": "m_1", "purpose": "p", "action": "deny", "occurred_at": "now"}


def read(content: bytes) -> list[tuple[int, Row | Refused]]:
    return list(ndjson_rows.read(io.BytesIO(content)))


def line(**changes: Any) -> bytes:
    return json.dumps({**CHOICE, **changes}).encode() + b"\n"


def test_rows_come_with_their_lines() -> None:
    rows = read(line() + b"\n" + line(recipient="northlight", is_minor=True, notice=None))
    assert rows == [
        (1, Row(*CHOICE.values(), *[""] * 6)),
        (3, Row(*CHOICE.values(), "northlight", "", "", "", "", "yes")),
    ]


def test_a_body_of_post_choices_is_a_line_too() -> None:
    nested = {"subject": {"scheme": "account", "value": "m_1"}, "purpose": "p", "action": "deny", "occurred_at": "now"}
    assert read(json.dumps(nested).encode())[0][1] == read(line())[0][1]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"{", "malformed_line"),
        (b"7", "malformed_line"),
        (b"[]", "malformed_line"),
        (b"\xff", "malformed_line"),
        (b'{"a": "\\ud800"}', "malformed_line"),
        (b"{}", "required"),
        (line(value=None), "required"),
        (line(colour="red"), "unknown_field"),
        (line(value=7), "wrong_type"),
        (line(action=["deny"]), "wrong_type"),
        (line(is_minor=1), "wrong_type"),
        (line(subject={"scheme": "account", "value": "m_2"}), "malformed_line"),
        (b'{"subject": "m_1"}', "malformed_line"),
        (b'{"subject": {"scheme": "account"}}', "malformed_line"),
    ],
)
def test_a_wrong_line_is_refused_and_the_next_is_read(content: bytes, code: str) -> None:
    (_, refused), (_, row) = read(content.strip() + b"\n" + line())
    assert isinstance(refused, Refused)
    assert refused.code == code
    assert isinstance(row, Row)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (line() + b'{"evidence": "' + b"x" * LONGEST_LINE, "line_too_long"),
        (line() + line()[:-3], "cut_off"),
    ],
)
def test_what_cannot_be_read_on_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(InputRefused) as refusal:
        read(content)
    assert refusal.value.code == code


@pytest.mark.parametrize("spoilt", [lambda packed: packed[:-9], lambda packed: packed[:40] + b"\x07" * 9 + packed[49:]])
def test_a_packed_file_that_is_cut_off_or_damaged_says_after_which_line(spoilt: Any) -> None:
    packed = gzip.compress(b"".join(line(value=f"m_{number}") for number in range(3)))
    with pytest.raises(InputRefused) as refusal:
        list(ndjson_rows.read(gzip.GzipFile(fileobj=io.BytesIO(spoilt(packed)))))
    assert refusal.value.code == "cut_off"
    assert "after line" in refusal.value.message
