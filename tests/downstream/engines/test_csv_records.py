"""Of CSV exactly the person's records go, and all others stay byte for byte."""

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downstream.engines.errors import ConnectorError
from downstream.engines.spans import Part, Span, Spans
from tests.downstream.connectors.contract import AUGUST, MAY
from tests.downstream.engines.acting import difference, engine_of, put, refusal, without

CSV = engine_of("csv")


@pytest.mark.parametrize(
    ("data", "stays"),
    [
        (b"person,x\nm_go,1\nm_keep,2\n", b"person,x\nm_keep,2\n"),
        (b"\xef\xbb\xbfperson,x\r\nm_go,1\r\nm_keep,2", b"\xef\xbb\xbfperson,x\r\nm_keep,2"),
        (b'person,x\nm_keep,"a\nm_go,b"\n"m_go","c\r\n""d"""\nm_keep,5\n', b'person,x\nm_keep,"a\nm_go,b"\nm_keep,5\n'),
        (b'\n"per\nson",person\nm_go,"m_keep"\n\nm_go,"m_go"\n', b'\n"per\nson",person\nm_go,"m_keep"\n\n'),
        (b'person,x\nm_keep,5" disk\nm_go,6" disk\n', b'person,x\nm_keep,5" disk\n'),
        (b'x,person\n"",m_go\n"""",\n,"m_""go"\n', b'x,person\n"""",\n,"m_""go"\n'),
        (b"person\n", b"person\n"),
        (b"x,person\n1,m_keep\n2,m_go", b"x,person\n1,m_keep\n"),
    ],
)
def test_what_stays_stays_byte_for_byte(tmp_path: Path, data: bytes, stays: bytes) -> None:
    assert without(CSV, put(tmp_path, data), {"m_go"}) == stays


@pytest.mark.parametrize(
    ("options", "data", "stays"),
    [
        ({"delimiter": ";"}, b"x;person\n1,5;m_go\n2;m_keep\n", b"x;person\n2;m_keep\n"),
        ({"delimiter": "|", "quote": "'"}, b"x|person\n'a|\nb'|m_go\n'c|'|\"\n", b"x|person\n'c|'|\"\n"),
        ({"quote": ""}, b'person,x\nm_go,"a\nm_keep,b"\n', b'person,x\nm_keep,b"\n'),
        ({"encoding": "latin-1"}, "person,ü\nm_gö,ß\nm_keep,ß\n".encode("latin-1"),
         "person,ü\nm_keep,ß\n".encode("latin-1")),
    ],
)  # fmt: skip
def test_other_rules_can_be_told(tmp_path: Path, options: dict[str, Any], data: bytes, stays: bytes) -> None:
    assert without(engine_of("csv", **options), put(tmp_path, data), {"m_go", "m_gö"}) == stays


def test_without_a_header_columns_are_told_by_their_number(tmp_path: Path) -> None:
    engine = engine_of("csv", header=False)
    file = put(tmp_path, b"1,m_go\n2,m_keep\n")
    assert without(engine, file, {"m_go"}, key_column="1") == b"2,m_keep\n"
    assert engine.inspect(file, key_column="1").schema == "0, 1"


def test_a_mark_stays_where_every_record_goes(tmp_path: Path) -> None:
    file = put(tmp_path, b"\xef\xbb\xbfm_go\n")
    assert without(engine_of("csv", header=False), file, {"m_go"}, key_column="0") == b"\xef\xbb\xbf"


def test_files_named_tsv_have_tabs(tmp_path: Path) -> None:
    file = put(tmp_path, gzip.compress(b"person\tx\nm_go\t1,2\nm_keep\t3\n"), "a.tsv.gz")
    assert gzip.decompress(without(CSV, file, {"m_go"})) == b"person\tx\nm_keep\t3\n"


@pytest.mark.parametrize(
    "data",
    [
        b'person,x\n"m_go,1\nm_keep,2\n',
        b'person,x\n"m_go"x,1\n',
        b'person,x\n1, "m_go"\n',
        b"person,x\nm_go\n",
        b"person,x\nm_go,1,2\n",
        b"person,x\nm_go\r,1\n",
        b'person,x\n"a",m_go\r\r\n',
        b"person,x\r1,m_go\r",
        b"person,x\nm_\xffgo,1\n",
    ],
)
def test_what_readers_take_differently_is_refused_with_its_line(tmp_path: Path, data: bytes) -> None:
    file = put(tmp_path, data)
    assert refusal(CSV, file) in {"not_csv", "key_column_missing"}


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    assert refusal(CSV, put(tmp_path, b"person,person\n1,m_go\n")) == "column_ambiguous"


def test_keys_that_became_fractions_are_refused(tmp_path: Path) -> None:
    assert refusal(CSV, put(tmp_path, b"person,x\n7.0,1\n8.0,2\n,3\n"), {"7"}) == "key_column_unsupported"


def test_a_key_that_looks_like_a_fraction_is_its_text(tmp_path: Path) -> None:
    file = put(tmp_path, b"person\nm_x\n12.5\n12.50\n")
    assert without(CSV, file, {"12.5"}) == b"person\nm_x\n12.50\n"
    assert "12.5" in {key for some in CSV.keys(file, key_column="person") for key in some}


def test_every_digit_of_a_key_counts(tmp_path: Path) -> None:
    assert without(CSV, put(tmp_path, b"person\n007\n7\n"), {"7"}) == b"person\n007\n"


def test_times_that_are_numbers_are_refused(tmp_path: Path) -> None:
    spans = Spans((Part((Span(MAY, AUGUST),), frozenset({"m_go"})),), column="made")
    file = put(tmp_path, b"person,made\nm_go,1714953600\n")
    with pytest.raises(ConnectorError, match="ISO 8601") as refused:
        CSV.locate([file], key_column="person", keys=set(), spans=spans)
    assert refused.value.code == "created_column_unsupported"


@pytest.mark.parametrize(
    "options",
    [{"delimiter": ""} | {"delimiter": '"'}, {"delimiter": ";;"}, {"delimiter": 1}, {"delimiter": "é"},
     {"quote": "`"}, {"encoding": "utf-16"}, {"header": "no"}],
)  # fmt: skip
def test_rules_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConnectorError) as refused:
        engine_of("csv", **options)
    assert refused.value.code == "invalid_options"


@pytest.mark.parametrize("new", [b"person,y\nm_keep,2\n", b'person,x\n"m_keep",2\n', b"person,x\r\nm_keep,2\n"])
def test_a_version_that_differs_otherwise_is_not_taken(tmp_path: Path, new: bytes) -> None:
    assert "differs" in difference(CSV, put(tmp_path, b"person,x\nm_go,1\nm_keep,2\n"), new, {"m_go"})


_TEXTS = st.text(st.sampled_from('ab,;"\r\n é\t'), max_size=4)


@given(
    st.lists(st.tuples(_TEXTS, st.sampled_from(["m_go", "m_keep", ""]), _TEXTS), max_size=6),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.sampled_from(",;"),
)
def test_it_agrees_with_a_filter_of_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], end: str, quoting: Any, delimiter: str
) -> None:
    def written(row: tuple[str, ...]) -> bytes:
        out = io.StringIO(newline="")
        # a carriage return that is not in quotes is refused
        texts = row if quoting == csv.QUOTE_ALL else [text.replace("\r", "") for text in row]
        csv.writer(out, lineterminator=end, quoting=quoting, delimiter=delimiter).writerow(texts)
        return out.getvalue().encode()

    header = written(("x", "person", "y"))
    file = put(tmp_path_factory.mktemp("csv"), header + b"".join(map(written, rows)))
    kept = without(engine_of("csv", delimiter=delimiter), file, {"m_go"})
    assert kept == header + b"".join(written(row) for row in rows if row[1] != "m_go")
