"""Of JSON lines exactly the person's go, and all others stay byte for byte."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from downstream.engines import jsonl, records
from tests.downstream.engines.acting import difference, engine_of, put, refusal, without

LINES = engine_of("jsonl")
GO = b'{"person": "m_go"}\n'


@pytest.mark.parametrize(
    ("data", "stays"),
    [
        (b'{"person":"m_keep"}\n' + GO, b'{"person":"m_keep"}\n'),
        (b'{"person" :\t"m_keep" }\r\n' + GO + b"\n  \n", b'{"person" :\t"m_keep" }\r\n\n  \n'),
        (b'\xef\xbb\xbf{"person": "m_go"}\n{"person": 1}\n', b'\xef\xbb\xbf{"person": 1}\n'),
        (b"\xef\xbb\xbf\n" + GO, b"\xef\xbb\xbf\n"),
        (GO + b'{"person": "m_keep"}', b'{"person": "m_keep"}'),
        (b'{"person": "m_keep"}\n{"person": "m_go"}', b'{"person": "m_keep"}\n'),
        (b'{"person": null}\n[1]\n"m_go"\n7\n' + GO, b'{"person": null}\n[1]\n"m_go"\n7\n'),
        (b'{"person": "m_keep", "x": NaN}\n' + GO, b'{"person": "m_keep", "x": NaN}\n'),
        (b'{"person": "m_go", "x": Infinity}\n{"person": "m_keep"}\n', b'{"person": "m_keep"}\n'),
        (b'{"person": "m_keep", "x": "\\ud800"}\n' + GO, b'{"person": "m_keep", "x": "\\ud800"}\n'),
    ],
)
def test_what_stays_stays_byte_for_byte(tmp_path: Path, data: bytes, stays: bytes) -> None:
    assert without(LINES, put(tmp_path, data), {"m_go"}) == stays


@pytest.mark.parametrize(
    "line",
    [
        b'{"person": "m_go", "person": "m_keep"}',
        b'{"person": "m_keep", "person": "m_go"}',
        b'{"pers\\u006fn": "m_go", "person": "m_keep"}',
        b'{"person": "m\\u005fgo"}',
        b'{"\\u0070erson": "m_go"}',
    ],
)
def test_whatever_a_line_says_twice_or_otherwise_counts(tmp_path: Path, line: bytes) -> None:
    keep = b'{"person": "m_keep"}\n'
    assert without(LINES, put(tmp_path, keep + line + b"\n"), {"m_go"}) == keep


@pytest.mark.parametrize("line", [b'{"author": {"id": "m_go"}}', b'{"author.id": "m_go"}',
                                  b'{"author": {"id": 1}, "author": {"id": "m_go"}}',
                                  b'{"author": {"id": "m_go", "id": 1}}'])  # fmt: skip
def test_a_key_may_lie_inside(tmp_path: Path, line: bytes) -> None:
    keep = b'{"id": "m_go", "author": {"id": "m_keep", "also": {"id": "m_go"}}}\n'
    data = put(tmp_path, keep + line + b"\n")
    assert without(LINES, data, {"m_go"}, key_column="author.id") == keep


@pytest.mark.parametrize("name", ["författare", "per/son", "a b", 'a"b', "a\\b"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_name_is_found_however_it_is_spelled(tmp_path: Path, name: str, ascii_only: bool) -> None:
    both = [json.dumps({name: who}, ensure_ascii=ascii_only).encode() + b"\n" for who in ("m_keep", "m_go")]
    both += [b'{"x": 1, ' + both[1][1:]]
    assert without(LINES, put(tmp_path, b"".join(both)), {"m_go"}, key_column=name) == both[0]


def test_whole_numbers_name_people_and_nothing_else_does(tmp_path: Path) -> None:
    values = ["7", "7.0", "true", '"7"', "7e0", "18446744073709551616", "-0", "1", "[]", "{}"]
    data = b"".join(b'{"person": %b}\n' % value.encode() for value in values if value != "[]")
    kept = without(LINES, put(tmp_path, data), {"7", "18446744073709551616", "1", "True"}).decode()
    assert [json.dumps(json.loads(line)["person"]) for line in kept.splitlines()] == ["true", "0", "{}"]


@pytest.mark.parametrize("key", ["7.5", "1e300", "9007199254740993.0", "Infinity", '["m_keep", 7.5]'])
def test_keys_that_lost_their_digits_are_refused_beside_good_ones(tmp_path: Path, key: str) -> None:
    file = put(tmp_path, b'{"person": 8}\n{"person": %b}\n' % key.encode())
    assert refusal(engine_of("jsonl", key_lists=True), file, {"7"}) == "key_column_unsupported"


def test_a_file_whose_keys_are_all_written_as_fractions_is_taken(tmp_path: Path) -> None:
    file = put(tmp_path, b'{"person": 7.0}\n{"person": 8.0}\n{"person": NaN}\n')
    assert without(LINES, file, {"7"}) == b'{"person": 8.0}\n{"person": NaN}\n'


@pytest.mark.parametrize("column", ["authors", "authors.id"])
def test_lists_of_people_are_refused_unless_they_were_told_of(tmp_path: Path, column: str) -> None:
    def line(*people: str) -> bytes:
        value: list[Any] = [{"id": one} for one in people] if "." in column else list(people)
        return json.dumps({"authors": value}).encode() + b"\n"

    file = put(tmp_path, line("m_keep", "m_go") + line("m_keep") + line("m_go"))
    assert refusal(LINES, file, key_column=column) == "list_of_keys"
    of_any = engine_of("jsonl", key_lists=True)
    assert without(of_any, file, {"m_go"}, key_column=column) == line("m_keep")
    assert of_any.count(file, key_column=column, keys={"m_go", "m_keep"}) == {"m_go": 2, "m_keep": 2}


@pytest.mark.parametrize(
    "line", [b"{", b"m_go", b"\xff", b'{"person": "m_go"}{"person": 1}', b"[" * 100_000, b"\x1e{}", b"{'person': 1}"]
)
def test_what_is_no_json_is_refused_with_its_line(tmp_path: Path, line: bytes) -> None:
    file = put(tmp_path, GO + b"\n" + line + b"\n")
    assert refusal(LINES, file) == "not_jsonl"
    with pytest.raises(Exception, match="line 3 is not JSON"):
        LINES.check_rewritable(file)


def test_a_line_too_long_to_be_held_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "LONGEST", 1 << 20)
    file = put(tmp_path, b'{"person": "' + b"x" * (1 << 20) + b'"}\n')
    assert refusal(LINES, file) == "record_too_long"
    assert records.LONGEST == 100 << 20


def test_a_file_that_names_nobody_is_refused_unless_it_may(tmp_path: Path) -> None:
    file = put(tmp_path, b'{"text": "x"}\n')
    assert refusal(LINES, file) == "key_column_missing"
    assert without(engine_of("jsonl", key_optional=True), file, {"m_go"}) == b'{"text": "x"}\n'
    assert without(LINES, put(tmp_path, b"\n"), {"m_go"}) == b"\n"


def test_an_older_member_of_packed_lines_is_read_too(tmp_path: Path) -> None:
    keep = b'{"person": "m_keep"}\n'
    packed = put(tmp_path, gzip.compress(GO + keep) + gzip.compress(keep + GO))
    assert gzip.decompress(without(LINES, packed, {"m_go"})) == keep * 2
    packed = put(tmp_path, zstandard.compress(GO + keep) + zstandard.compress(keep + GO))
    assert zstandard.decompress(without(LINES, packed, {"m_go"}), max_output_size=100) == keep * 2


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (b'{"person": "m_keep", "n": 1}\n{"person": "m_go"}\n{"n": 2}\n', "still holds"),
        (b'{"person": "m_keep", "n": 1}\n', "not 2"),
        (b'{"person": "m_keep","n": 1}\n{"n": 2}\n', "differs"),
        (b'{"n": 2}\n{"person": "m_keep", "n": 1}\n', "differs"),
        (b'\n{"person": "m_keep", "n": 1}\n{"n": 2}\n', "differs"),
    ],
)
def test_a_version_that_differs_otherwise_is_not_taken(tmp_path: Path, new: bytes, why: str) -> None:
    source = put(tmp_path, b'{"person": "m_keep", "n": 1}\n{"person": "m_go"}\n{"n": 2}\n')
    assert why in difference(LINES, source, new, {"m_go"})


def test_statements_are_told_as_the_standards_write_them(tmp_path: Path) -> None:
    file = put(tmp_path, b'{"person":"m_go","u":"train-ai=n","r":true}\n{"person":1,"r":0}\n{"u":null,"r":"1"}\n' * 2)
    told = LINES.tally([file], columns=["u", "r"], key_column="person", keys={"m_go"})
    assert {(one.values, one.rows, one.of_keys) for one in told} == {
        (("train-ai=n", "1"), 2, 2), ((None, "0"), 2, 0), ((None, "1"), 2, 0)
    }  # fmt: skip
    for column, code in (("w", "statement_column_missing"), ("x", "statement_column_unsupported")):
        with pytest.raises(Exception, match="a") as refused:
            LINES.check_statements(put(tmp_path, b'{"x": [1]}\n'), columns=[column])
        assert getattr(refused.value, "code", "") == code


_PEOPLE = st.sampled_from(["m_go", "m_keep", 7, "7", None, True, "ü", "m_gö", "\\u0041", 'q"\\'])
_VALUES = st.sampled_from(
    [
        None,
        1.5,
        float("nan"),
        "m_go",
        '"person"',
        "line\nend",
        "\ud800",
        ["m_go"],
        {"person": "m_go", "ü": [{}]},
        "ü\u2028",
    ]
)


@st.composite
def _lines(draw: st.DrawFn) -> tuple[bytes, bool]:
    """A line as some writer wrote it, and whether it has to go when m_go, 7 and m_gö do."""
    members = draw(st.lists(st.tuples(st.sampled_from(["x", "person_", "ü"]), _VALUES), max_size=3))
    people = draw(st.lists(_PEOPLE, max_size=2))
    members = draw(st.permutations([*members, *(("person", one) for one in people)]))
    ascii_only, between = draw(st.booleans()), draw(st.sampled_from([", ", ","]))
    inside = [f"{json.dumps(name, ensure_ascii=ascii_only)}:{json.dumps(value, ensure_ascii=ascii_only)}"
              for name, value in members]  # fmt: skip
    end = draw(st.sampled_from([b"\n", b"\r\n", b" \n", b"\n\n"]))
    going = any(one in ("m_go", "7", "m_gö") or (one == 7 and one is not True) for one in people)
    return ("{" + between.join(inside) + "}").encode("utf-8", "replace") + end, going


@given(st.lists(_lines(), max_size=8), st.sampled_from(["", "gzip", "zstd"]), st.booleans())
def test_it_agrees_with_a_filter_of_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, written: list[tuple[bytes, bool]], codec: str, mark: bool
) -> None:
    folder = tmp_path_factory.mktemp("lines")
    pack = {"": bytes, "gzip": gzip.compress, "zstd": zstandard.compress}[codec]
    start = b"\xef\xbb\xbf" if mark else b""
    file = put(folder, pack(start + b"".join(line for line, _ in written)))
    kept = without(engine_of("jsonl", key_optional=True), file, {"m_go", "7", "m_gö"})
    unpack = {
        "": bytes, "gzip": gzip.decompress,
        "zstd": lambda data: zstandard.ZstdDecompressor().stream_reader(data).read(),
    }[codec]  # fmt: skip
    assert unpack(kept) == start + b"".join(_rest(line) if going else line for line, going in written)


def _rest(line: bytes) -> bytes:
    """The blank line behind a line that went is no part of it."""
    return b"\n" if line.endswith(b"\n\n") else b""
