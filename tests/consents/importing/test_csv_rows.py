"""CSV as it comes: quotes, marks, ends of lines; and what of it is refused, by its line."""

import io

import pytest

from consents.importing import csv_rows
from consents.importing.rows import LONGEST_LINE, InputRefused, Refused, Row

HEAD = b"scheme,value,purpose,action,occurred_at\n"
LINE = b"account,m_1,ai-training,deny,2026-03-02T12:00:00Z\n"


def read(content: bytes) -> list[tuple[int, Row | Refused]]:
    return list(csv_rows.read(io.BytesIO(content)))


def code(content: bytes) -> tuple[str, str]:
    with pytest.raises(InputRefused) as refusal:
        read(content)
    return refusal.value.code, refusal.value.message


def test_rows_come_with_the_lines_on_which_they_begin() -> None:
    ((number, row),) = read(HEAD + b"\n" + LINE)
    assert (number, row) == (3, Row("account", "m_1", "ai-training", "deny", "2026-03-02T12:00:00Z", *[""] * 6))


def test_columns_come_in_any_order() -> None:
    content = b"evidence,occurred_at,action,purpose,value,scheme\nbox,now,deny,p,m_1,account\n"
    ((_, row),) = read(content)
    assert row == Row("account", "m_1", "p", "deny", "now", "", "", "", "box", "", "")


def test_quoted_fields_hold_commas_quotes_and_line_ends() -> None:
    quoted = b'account,m_1,p,deny,now,"a,""b""\nc\r\nd"\n'
    rows = read(HEAD.replace(b"\n", b",evidence\n") + quoted + LINE.replace(b"\n", b",\n"))
    assert [(number, row.evidence) for number, row in rows if isinstance(row, Row)] == [(2, 'a,"b"\nc\r\nd'), (5, "")]


@pytest.mark.parametrize(
    "content", [b"\xef\xbb\xbf" + HEAD + LINE, (HEAD + LINE).replace(b"\n", b"\r\n"), HEAD + LINE[:-1]]
)
def test_marks_and_line_ends_do_no_harm(content: bytes) -> None:
    ((number, row),) = read(content)
    assert number == 2
    assert isinstance(row, Row)
    assert row.value == "m_1"


def test_letters_of_every_kind_are_kept() -> None:
    ((_, row),) = read(HEAD + LINE.replace(b"m_1", "m_ß木🌲".encode()))
    assert isinstance(row, Row)
    assert row.value == "m_ß木🌲"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"account,m_1,p,deny\n", "wrong_length"),
        (b"account,m_1,p,deny,now,more\n", "wrong_length"),
        (b'account,"m"_1,p,deny,now\n', "malformed_line"),
    ],
)
def test_a_wrong_line_is_refused_and_the_next_is_read(line: bytes, expected: str) -> None:
    (number, refused), (_, row) = read(HEAD + line + LINE)
    assert isinstance(refused, Refused)
    assert (number, refused.code) == (2, expected)
    assert isinstance(row, Row)


@pytest.mark.parametrize(
    ("content", "expected", "place"),
    [
        (b"", "empty", ""),
        (b"\n\n", "empty", ""),
        (LINE, "wrong_columns", "lacks scheme"),
        (b"scheme,value,purpose,action\n", "wrong_columns", "lacks occurred_at"),
        (HEAD.replace(b"action", b"action,action"), "wrong_columns", "action twice"),
        (HEAD.replace(b"action", b"action,colour"), "wrong_columns", "place 5"),
        (HEAD + LINE + LINE.replace(b"m_1", b"m\xff1"), "not_utf8", "Line 3 is not UTF-8 (byte 10)"),
        ((HEAD + LINE).decode().encode("utf-16"), "not_utf8", "Line 1"),
        (HEAD + LINE + b'account,"m_1,p\n' + LINE * 3, "malformed", "line 3"),
        (HEAD + b"account,m_" + b"1" * LONGEST_LINE, "line_too_long", "Line 2"),
        (HEAD + b'account,"' + b"1\n" * LONGEST_LINE, "malformed", "line 2"),
        (b'"scheme"x,value\n', "malformed", "header"),
    ],
)
def test_what_cannot_be_read_on_is_refused_with_the_place(content: bytes, expected: str, place: str) -> None:
    found, message = code(content)
    assert found == expected
    assert place in message
    assert "m_1" not in message


def test_a_header_alone_is_a_file_of_no_rows() -> None:
    assert read(HEAD) == []
