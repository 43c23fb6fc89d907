"""What is in an answer equals what the database and the files say, in each of its three forms."""

import io
import json
import re
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from consents import decisions, evaluation, ledger, reasons, subjects
from consents.models import LedgerEvent, Preference, Subject
from consents.receipts import verifying
from downstream import registry
from downstream.models import Dataset
from requests_app import attachments, packages
from requests_app.models import Request
from requests_app.packages import archive, building, contents, readable, redaction, spooling
from requests_app.packages.parts import Asking, Column, Content, Part, plain
from requests_app.states import FileUse
from tests.conftest import AT, BY, dataset_of, write_parquet
from tests.downstream.connectors import iceberg_ground
from tests.downstream.connectors.databases import SqliteGround
from tests.downstream.connectors.delta_ground import DeltaGround
from tests.downstream.connectors.iceberg_ground import IcebergGround
from tests.downstream.connectors.lance_grounds import LanceGround
from tests.requests_app.packages import packing
from tests.requests_app.packages.packing import SOON, Opened, access, built, opened, post, say_no

pytestmark = pytest.mark.django_db

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>'
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", " =1"]


@pytest.fixture
def answer(alice: Subject, charlie: Subject, tmp_path: Path) -> Opened:
    """Alice's, who said no, and whose dataset holds Charlie's rows too."""
    say_no(alice, evidence="by telephone")
    rows = [post(name, number) for number, name in enumerate(["alice", "charlie"] * 5)]
    packing.posts(tmp_path / "posts", *rows, post("alice", 10, HOSTILE))
    return opened(built(access(alice, note=HOSTILE)))


def test_it_has_every_part_in_each_form(answer: Opened, alice: Subject) -> None:
    expected = [
        *("about", "person", "identifiers", "uses", "choices", "history", "receipts", "dataset-posts", "datasets"),
        *("removals", "models", "holds", "notices", "requests", "timeline", "messages", "files"),
    ]
    assert answer.parts == expected
    for part in expected:
        assert {f"csv/{part}.csv", f"json/{part}.schema.json", f"pages/{part}.html"} <= answer.files.keys()
    assert {"index.html", "package.json"} <= answer.files.keys()


def test_it_says_what_the_database_says(answer: Opened, alice: Subject) -> None:
    names = {(one["scheme"], one["value"]) for one in answer.rows("identifiers")}
    assert names == {("account reference", "m_alice"), ("mail address", "alice@example.org")}
    (event,) = LedgerEvent.objects.filter(subject_id=alice.pk)
    (told,) = answer.rows("history")
    assert told["reference"] == ledger.reference(event.pk)
    assert told["evidence"] == "by telephone"
    assert datetime.fromisoformat(told["recorded_at"]) == event.recorded_at
    held = Preference.objects.get(subject=alice)
    assert [(one["choice"], one["receipt"]) for one in answer.rows("choices")] == [
        ("No", ledger.reference(held.event_id))
    ]


def test_every_purpose_is_told_as_it_is_decided_with_its_reasons_in_words(answer: Opened, alice: Subject) -> None:
    decision = decisions.decide(subject=alice, question=evaluation.Question("ai-training"), at=SOON)
    first = answer.rows("uses")[0]
    assert (first["is_used"], first["reasons"]) == (decision.allow, reasons.told(decision))
    assert not decision.allow


def test_what_the_law_wants_told_is_on_the_first_page(answer: Opened) -> None:
    page = answer.files["index.html"].decode()
    for article in ("15(1)(a)", "15(1)(b)", "15(1)(c)", "15(1)(d)", "15(1)(e)", "15(1)(f)", "15(1)(g)", "15(1)(h)"):
        assert article in page
    for text in ("Models learn from it.", "Linkwell (United States)", "until you delete it"):
        assert text in page


def test_receipts_are_files_that_verify(answer: Opened, alice: Subject) -> None:
    (row,) = answer.rows("receipts")
    receipt = json.loads(answer.files[row["file"]])
    assert receipt["event"]["subject"] == str(alice.pk)
    assert f'href="../{row["file"]}"' in answer.pages("receipts")
    verdict = verifying.verify(answer.files[row["file"]])
    assert verdict.valid


def test_every_row_of_the_person_is_in_it_once_and_nobody_elses(answer: Opened) -> None:
    told = Counter((row["author"], row["number"]) for row in answer.rows("dataset-posts"))
    assert told == Counter(("m_alice", number) for number in (0, 2, 4, 6, 8, 10))
    assert b"m_charlie" not in answer.everything
    assert answer.rows("datasets")[0]["rows"] == 6


def test_json_fulfils_its_schema(answer: Opened) -> None:
    for part in answer.parts:
        schema = json.loads(answer.files[f"json/{part}.schema.json"])
        jsonschema.Draft202012Validator.check_schema(schema)
        checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
        jsonschema.Draft202012Validator(schema, format_checker=checker).validate(answer.json(part))


def test_a_schema_refuses_a_row_that_is_none(answer: Opened) -> None:
    schema = json.loads(answer.files["json/identifiers.schema.json"])
    said = answer.json("identifiers")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**said, "rows": [{"scheme": 1}]}, schema)


def test_csv_holds_the_same_rows_as_json(answer: Opened) -> None:
    for part in answer.parts:
        assert len(answer.csv(part)) == len(answer.rows(part))
    assert [row["text"] for row in answer.csv("dataset-posts")] == [row["text"] for row in answer.rows("dataset-posts")]
    assert answer.files["csv/history.csv"].startswith(b"\xef\xbb\xbf")


def test_hostile_text_is_text_on_every_page(answer: Opened) -> None:
    for name, content in answer.files.items():
        if name.endswith(".html"):
            page = content.decode()
            assert "<script" not in page
            assert "<img" not in page
            assert "default-src 'none'" in page
    assert "&lt;script&gt;" in answer.pages("dataset-posts")
    assert "&lt;script&gt;" in answer.pages("requests")
    assert answer.rows("requests")[0]["note"] == HOSTILE


def test_pages_open_from_the_folder_alone(answer: Opened) -> None:
    for name, content in answer.files.items():
        if not name.endswith(".html"):
            continue
        page = content.decode()
        assert not re.search(r"""(?:src|href)=["']?(?:https?:|//|/)""", page)
        for link in re.findall(r'href="([^"#]+)"', page):
            parts = [*name.split("/")[:-1], *link.split("/")]
            while ".." in parts:
                at = parts.index("..")
                del parts[at - 1 : at + 1]
            assert "/".join(parts) in answer.files


def test_nothing_that_a_spreadsheet_would_run(alice: Subject, tmp_path: Path) -> None:
    rows = [post("alice", number, text) for number, text in enumerate([*FORMULAS, "harmless", "-"])]
    packing.posts(tmp_path / "posts", *rows, {**post("alice", -7, "x")})
    found = opened(built(access(alice)))
    cells = [row["text"] for row in found.csv("dataset-posts")]
    # where cells are parted by semicolons a line break within one begins another
    marked = [re.sub(r"^([\r\n])", r"\1'", text) for text in FORMULAS]
    assert cells == [f"'{text}" for text in marked] + ["harmless", "'-", "x"]
    # a number is a number
    assert found.csv("dataset-posts")[-1]["number"] == "-7"
    assert [row["text"] for row in found.rows("dataset-posts")] == [*FORMULAS, "harmless", "-", "x"]


def test_a_column_whose_name_is_a_formula(alice: Subject, tmp_path: Path) -> None:
    write_parquet(tmp_path / "posts", {"author": ["m_alice"], "=cmd|' /C calc'!A0": ["x"]})
    dataset_of(tmp_path / "posts")
    assert (
        opened(built(access(alice))).files["csv/dataset-posts.csv"].decode("utf-8-sig").startswith("_where,author,'=")
    )


@pytest.mark.parametrize(
    ("locale", "label", "date_of_it"),
    [
        ("en", "mail address", "2 March 2026"),
        ("de", "E-Mail-Adresse", "2. März 2026"),
        ("fr", "adresse", "2 mars 2026"),
    ],
)
def test_it_speaks_the_language_of_the_request(alice: Subject, locale: str, label: str, date_of_it: str) -> None:
    found = opened(built(access(alice, locale=locale)))
    page = found.files["index.html"].decode()
    assert f'<html lang="{locale}">' in page
    assert date_of_it in page
    assert any(label in row["scheme"] for row in found.rows("identifiers"))


def test_an_unknown_language_is_answered_in_english(alice: Subject) -> None:
    assert '<html lang="en">' in opened(built(access(alice, locale="xx"))).files["index.html"].decode()


def test_portability_hands_over_what_the_person_provided(alice: Subject, tmp_path: Path) -> None:
    packing.posts(tmp_path / "posts", post("alice", 1))
    found = opened(built(access(alice, right="portability")))
    assert {"dataset-posts", "identifiers", "choices", "history", "messages"} <= set(found.parts)
    assert not {"about", "uses", "holds", "removals", "models", "notices", "timeline"} & set(found.parts)


def test_what_cannot_be_read_is_told_and_the_rest_is_there(alice: Subject, tmp_path: Path) -> None:
    folder = packing.posts(tmp_path / "posts", *(post("alice", number) for number in range(4)))
    (folder / "part-003.parquet").write_bytes(b"PAR1 broken")
    found = opened(built(access(alice)))
    assert found.json("dataset-posts")["unread"]
    assert len(found.rows("dataset-posts")) == 3
    assert "Not everything could be read." in found.files["index.html"].decode()
    schema = json.loads(found.files["json/dataset-posts.schema.json"])
    jsonschema.validate(found.json("dataset-posts"), schema)


def test_a_dataset_that_does_not_name_the_person_says_so(alice: Subject, tmp_path: Path) -> None:
    packing.posts(tmp_path / "posts", post("alice", 1))
    Dataset.objects.update(key_scheme="device")
    found = opened(built(access(alice)))
    assert found.json("dataset-posts")["unread"] == "gap"
    assert "does not name you" in found.rows("datasets")[0]["unread"]


def test_many_rows_are_on_several_pages_that_lead_on(alice: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readable, "ROWS_A_PAGE", 3)
    found = written(alice, rows=[{"n": number} for number in range(8)])
    assert [name for name in found.files if name.startswith("pages/")] == [
        "pages/numbers.html",
        "pages/numbers-00002.html",
        "pages/numbers-00003.html",
    ]
    middle = found.files["pages/numbers-00002.html"].decode()
    assert 'href="numbers.html"' in middle
    assert 'href="numbers-00003.html"' in middle
    assert re.findall(r"<h2>(\d+)</h2>", found.pages("numbers")) == [str(number) for number in range(1, 9)]


def test_rows_with_columns_of_their_own_become_one_table(alice: Subject) -> None:
    found = written(alice, rows=[{"a": 1}, {"b": "x"}, {"a": None, "c": [1]}])
    assert found.rows("numbers") == [
        {"n": None, "a": 1, "b": None, "c": None},
        {"n": None, "a": None, "b": "x", "c": None},
        {"n": None, "a": None, "b": None, "c": [1]},
    ]
    assert found.files["csv/numbers.csv"].decode("utf-8-sig").splitlines() == ["n,a,b,c", ",1,,", ",,x,", ",,,[1]"]


def test_columns_without_end_stay_within_bounds(alice: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooling, "_MOST_COLUMNS", 3)
    found = written(alice, rows=[{f"c{number}": number for number in range(6)}])
    assert found.rows("numbers") == [{"n": None, "c0": 0, "c1": 1, "_others": {"c2": 2, "c3": 3, "c4": 4, "c5": 5}}]


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=12),
        st.binary(max_size=8),
        st.datetimes(timezones=st.just(UTC)),
        st.dates(),
        st.times(),
        st.decimals(),
        st.uuids(),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.text(min_size=1, max_size=6)


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(rows=st.lists(st.dictionaries(NAMES, VALUES, max_size=4), max_size=6))
def test_whatever_is_in_a_row_is_written_in_three_forms(
    alice: Subject, rows: list[dict[str, Any]], settings: Any
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings.FILES_DIR = Path(folder)
        found = written(alice, rows=rows)
    assert len(found.rows("numbers")) == len(rows)
    jsonschema.validate(found.json("numbers"), json.loads(found.files["json/numbers.schema.json"]))
    assert len(found.csv("numbers")) == len(rows)
    assert found.pages("numbers").count("<article") == len(rows)
    assert "<script" not in found.pages("numbers")


@hypothesis_settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    authors=st.lists(st.sampled_from(["m_alice", "m_charlie", "m_nobody", None]), min_size=1, max_size=40),
    texts=st.lists(st.text(max_size=20), min_size=1, max_size=5),
)
def test_whatever_the_files_hold_every_row_of_theirs_is_told_once(
    alice: Subject, authors: list[str | None], texts: list[str], settings: Any
) -> None:
    Dataset.objects.update(retired_at=AT)
    with tempfile.TemporaryDirectory() as folder:
        settings.FILES_DIR = Path(folder) / "files"
        columns = {
            "author": pa.array(authors, pa.string()),
            "text": pa.array([texts[number % len(texts)] for number in range(len(authors))], pa.string()),
            "number": pa.array(range(len(authors)), pa.int64()),
        }
        write_parquet(Path(folder) / "posts", columns)
        slug = f"posts-{Dataset.objects.count()}"
        dataset_of(Path(folder) / "posts", slug=slug)
        (part,) = [one for one in contents.of(asking(alice)) if one.name == f"dataset-{slug}"]
        with spooling.spool(part, [], keep=lambda _name, _pieces: None) as read:
            told = [(row["number"], row["text"]) for row in read.rows()]
    theirs = [number for number, author in enumerate(authors) if author == "m_alice"]
    assert told == [(number, texts[number % len(texts)]) for number in theirs]


def test_values_lose_nothing() -> None:
    assert plain(2**53) == str(2**53)
    assert plain(float("nan")) == "nan"
    assert plain(b"\xff\x00") == "base64:/wA="
    assert plain("caf\u00e9".encode()) == "caf\u00e9"
    assert plain(Decimal("1.10")) == "1.10"
    assert plain({1: date(2026, 1, 2), "x": (b"a", {"y": None})})["1"] == "2026-01-02"
    assert plain("\ud800") == "?"


def test_the_number_of_statements_does_not_grow_with_history(
    alice: Subject, django_assert_max_num_queries: Any
) -> None:
    def history() -> list[Any]:
        found = [part for part in contents.of(asking(alice)) if part.name == "history"]
        return list(found[0].rows())

    for _number in range(3):
        say_no(alice)
    asking(alice)
    with django_assert_max_num_queries(7):
        assert len(history()) == 3


def asking(subject: Subject) -> Asking:
    request = Request.objects.filter(subject=subject).first() or access(subject)
    return building.asking_for(request, at=SOON)


def written(
    subject: Subject, *, rows: Iterable[dict[str, Any]], redactions: Sequence[redaction.InForce] = ()
) -> Opened:
    """An answer of one part with these rows."""
    part = Part("numbers", "Numbers", "Some.", (Column("n", "N", "any"),), lambda: iter(rows), is_open=True)
    target = io.BytesIO()
    archive.write(target, asking=asking(subject), parts=[part], redactions=redactions, tell=lambda _name: None)  # type: ignore[arg-type]
    with zipfile.ZipFile(target) as found:
        return Opened({name: found.read(name) for name in found.namelist()})


def test_a_name_of_nobody_is_in_no_file_name(answer: Opened, alice: Subject) -> None:
    name = subjects.name("email", "alice@example.org")
    assert not [one for one in answer.files if "alice" in one or name.value in one]


def test_the_package_knows_what_is_in_it(alice: Subject, tmp_path: Path) -> None:
    packing.posts(tmp_path / "posts", post("alice", 1))
    package = built(access(alice))
    listed = {part["name"]: part["rows"] for part in package.parts}
    found = opened(package)
    assert listed == {part: len(found.rows(part)) for part in found.parts}
    assert packages.current(package.request) == package


def test_content_beside_a_row_becomes_a_file_and_leaves_with_its_row(alice: Subject) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        for number in range(3):
            said = f"picture {number}".encode()
            read = partial(iter, [said])
            yield {"n": number, "jpg": Content("a b.JPG", len(said), "…", f"files/{number}.jpg", read)}

    found = written(alice, rows=rows())
    assert [found.files[f"files/{number}.jpg"] for number in range(3)] == [b"picture 0", b"picture 1", b"picture 2"]
    assert found.rows("numbers")[2]["jpg"] == {"name": "a b.JPG", "size": 9, "sha256": "…", "file": "files/2.jpg"}
    first = next(iter(rows()))
    mark = redaction.mark_of({name: plain(value) for name, value in first.items()})
    for what in (packages.What(part="numbers", rows=(mark,)), packages.What(part="numbers", words="a b.jpg")):
        found = written(alice, rows=rows(), redactions=[redaction.InForce(alice.pk, what, "rights_of_others")])
        assert "files/0.jpg" not in found.files
        assert ("files/1.jpg" in found.files) == (what.words == "")


@pytest.mark.parametrize("kind", ["jsonl_folder", "csv_folder"])
def test_rows_of_other_kinds_of_datasets(alice: Subject, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "posts"
    folder.mkdir()
    lines = {
        "jsonl_folder": '{"author":"m_alice","deep":{"a":[1]}}\n{"author":"m_charlie"}\n{"author":"m_alice","x":2}\n',
        "csv_folder": "author,x\nm_alice,1\nm_charlie,2\nm_alice,3\n",
    }[kind]
    (folder / f"part.{kind.partition('_')[0]}").write_text(lines)
    registration = registry.Registration(
        slug="posts",
        name="Posts",
        owner="linkwell",
        purposes=("ai-training",),
        location=str(folder),
        kind=kind,
        key_column="author",
        key_scheme="account",
    )
    registry.register(registration=registration, by=BY, at=AT)
    found = opened(built(access(alice)))
    assert [row["author"] for row in found.rows("dataset-posts")] == ["m_alice", "m_alice"]
    jsonschema.validate(found.json("dataset-posts"), json.loads(found.files["json/dataset-posts.schema.json"]))


@pytest.mark.parametrize("kind", ["sql_table", "delta_table", "iceberg_table", "lance_table"])
def test_rows_of_tables(alice: Subject, tmp_path: Path, kind: str) -> None:
    ground, location, options = {
        "sql_table": lambda: (SqliteGround(tmp_path / "a.db"), f"sqlite:///{tmp_path}/a.db", {"table": "a"}),
        "delta_table": lambda: (DeltaGround(tmp_path / "a"), str(tmp_path / "a"), {}),
        "iceberg_table": lambda: (IcebergGround(tmp_path), iceberg_ground.NAME, iceberg_ground.options(tmp_path)),
        "lance_table": lambda: (LanceGround(tmp_path), str(tmp_path / "a.lance"), {}),
    }[kind]()
    ground.put("a", pa.table({"author": ["m_alice", "m_charlie", "m_alice"], "text": ["a", "b", "ü"]}))
    registration = registry.Registration(
        slug="posts",
        name="Posts",
        owner="linkwell",
        purposes=("ai-training",),
        location=location,
        kind=kind,
        connector_options=options,
        key_column="author",
        key_scheme="account",
    )
    registry.register(registration=registration, by=BY, at=AT)
    found = opened(built(access(alice)))
    assert sorted((row["author"], row["text"]) for row in found.rows("dataset-posts")) == [
        ("m_alice", "a"),
        ("m_alice", "ü"),
    ]
    jsonschema.validate(found.json("dataset-posts"), json.loads(found.files["json/dataset-posts.schema.json"]))


def test_bytes_that_are_text_are_told_as_text(alice: Subject, tmp_path: Path) -> None:
    packing.posts(tmp_path / "posts", {"author": "m_alice", "text": "Grüße".encode(), "raw": b"\xff\x00"})
    (row,) = opened(built(access(alice))).rows("dataset-posts")
    assert (row["text"], row["raw"]) == ("Grüße", "base64:/wA=")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [("\\ud800", "1", {"?": 1}), ("deep", "[" * 300 + "]" * 300, None)],
    ids=["half a letter", "deep"],
)
def test_what_no_json_could_hold_is_written_all_the_same(
    alice: Subject, tmp_path: Path, name: str, value: str, told: dict[str, Any] | None
) -> None:
    folder = tmp_path / "posts"
    folder.mkdir()
    (folder / "part.jsonl").write_text(f'{{"author":"m_alice","{name}":{value}}}\n')
    registration = registry.Registration(
        slug="posts",
        name="Posts",
        owner="linkwell",
        purposes=("ai-training",),
        location=str(folder),
        kind="jsonl_folder",
        key_column="author",
        key_scheme="account",
    )
    registry.register(registration=registration, by=BY, at=AT)
    (row,) = opened(built(access(alice))).rows("dataset-posts")
    assert row["author"] == "m_alice"
    assert told is None or told.items() <= row.items()


def test_parts_of_another_answer_are_not_in_it_before_that_is_given(alice: Subject) -> None:
    mine, other = access(alice), access(alice, right="rectification")
    for request, content in ((mine, b"Of this answer."), (other, b"Of the other.")):
        attachments.add(request=request, use=FileUse.ANSWER, name="a.txt", stream=io.BytesIO(content), by=BY, at=SOON)
    found = opened(built(mine))
    assert [found.files[row["file"]] for row in found.rows("files")] == [b"Of this answer."]
