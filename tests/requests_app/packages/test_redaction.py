"""What staff leave out is in none of the three forms, and the person is told that something is missing, and why."""

import base64
import html
import io
import json
import re
import unicodedata
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import jsonschema
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from consents import subjects
from consents.models import Subject
from portal import actors, audit
from portal.errors import Conflict
from requests_app import messages, packages, sealing, workflow
from requests_app.models import Package, Redaction, Request
from requests_app.packages import archive, building, file_words, redaction
from requests_app.packages.parts import Column, Part
from requests_app.packages.redaction import RedactionError, What
from requests_app.states import Ground
from tests.conftest import BY, OTHER
from tests.requests_app.asking import received
from tests.requests_app.files import docx, upload
from tests.requests_app.packages import packing
from tests.requests_app.packages.packing import LATER, SOON, Opened, access, built, opened, post, say_no

pytestmark = pytest.mark.django_db

SECRET = "Mallory Zimmermann"
POSTS = "dataset-posts"


def leave_out(request: Request, *, ground: str = Ground.RIGHTS_OF_OTHERS, **what: Any) -> Redaction:
    said = What(part=what.pop("part", POSTS), **what)
    return packages.redact(request=request, what=said, ground=ground, reason="She is someone else.", by=BY, at=SOON)


@pytest.fixture
def request_(alice: Subject, tmp_path: Path) -> Request:
    texts = ["mine", f"I met {SECRET} today", "mine too", f"{SECRET.upper()} again, with mallory  zimmermann"]
    packing.posts(tmp_path / "posts", *(post("alice", number, text) for number, text in enumerate(texts)))
    return access(alice, note=f"{SECRET} told me to ask")


def mark(request: Request, number: int, part: str = POSTS) -> str:
    seen = packages.look(request=request, part=part, by=BY, at=SOON)
    return seen.rows[number].mark


def names_nobody(found: Opened, secret: str = SECRET) -> bool:
    said = found.everything.decode().casefold()
    return all(word.casefold() not in said for word in secret.split())


def with_files(request: Request, *files: tuple[str, bytes]) -> None:
    assert request.subject_id is not None
    sent = [upload(name, content) for name, content in files]
    messages.write(request=request, body="See there.", files=sent, by=actors.subject(request.subject_id), at=SOON)


def test_a_file_that_holds_the_words_is_left_out_whole(alice: Subject) -> None:
    request = access(alice)
    spread = f"<w:t>About {SECRET[:9]}</w:t></w:r><w:r><w:t>{SECRET[9:]}</w:t>".encode()
    told, mine = b"x" * 70_000 + f"I met {SECRET.upper()}".encode(), b"Of me alone."
    with_files(request, ("told.txt", told), ("mine.txt", mine), ("letter.docx", docx(word__document_xml=spread)))
    leave_out(request, part="*", words=SECRET)
    seen = packages.look(request=request, part="files", by=BY, at=SOON)
    assert [one.after and one.after["file"] for one in seen.rows] == ["[left out]", "files/0002.txt", "[left out]"]
    found = opened(built(request))
    assert {name for name in found.files if name.startswith("files/")} == {"files/0002.txt"}
    assert [row["file"] for row in found.rows("files")] == ["[left out]", "files/0002.txt", "[left out]"]
    assert found.json("files")["left_out"]["entries"] == {"rights_of_others": 2}
    assert packages.can_release(Package.objects.get())


def test_words_everywhere_are_in_no_form(request_: Request) -> None:
    leave_out(request_, part="*", words=SECRET)
    found = opened(built(request_))
    assert names_nobody(found)
    assert [row["text"] for row in found.rows(POSTS)] == [
        "mine",
        "I met [left out] today",
        "mine too",
        "[left out] again, with [left out]",
    ]
    assert "In 2 entries something was made unreadable" in found.pages(POSTS)
    assert "GDPR Art. 15(4)" in found.files["index.html"].decode()


def test_rows_are_left_out_and_counted_without_saying_which(request_: Request) -> None:
    leave_out(request_, rows=(mark(request_, 1), mark(request_, 3)))
    found = opened(built(request_))
    assert [row["number"] for row in found.rows(POSTS)] == [0, 2]
    assert [row["number"] for row in found.csv(POSTS)] == ["0", "2"]
    assert found.json(POSTS)["left_out"] == {"rows": {"rights_of_others": 2}, "entries": {}}
    assert "2 entries were left out, because: rights and freedoms of others" in found.files["index.html"].decode()
    assert b"someone else" not in found.everything


def test_a_column_and_a_cell(request_: Request) -> None:
    leave_out(request_, column="number")
    leave_out(request_, column="text", rows=(mark(request_, 1),), ground=Ground.LEGAL_CLAIMS)
    found = opened(built(request_))
    assert {row["number"] for row in found.rows(POSTS)} == {"[left out]"}
    assert [row["text"] for row in found.rows(POSTS)][:2] == ["mine", "[left out]"]
    assert found.json(POSTS)["left_out"]["entries"] == {"legal_claims": 1, "rights_of_others": 4}
    jsonschema.validate(found.json(POSTS), json.loads(found.files[f"json/{POSTS}.schema.json"]))


def test_a_whole_part(request_: Request) -> None:
    leave_out(request_)
    found = opened(built(request_))
    assert found.rows(POSTS) == []
    assert found.json(POSTS)["left_out"]["rows"] == {"rights_of_others": 4}


def test_a_receipt_that_is_left_out_brings_no_file(alice: Subject) -> None:
    say_no(alice)
    say_no(alice, "marketing")
    request = access(alice)
    leave_out(request, part="receipts", rows=(mark(request, 0, "receipts"),))
    found = opened(built(request))
    files = [name for name in found.files if name.startswith("receipts/")]
    assert files == [row["file"] for row in found.rows("receipts")]
    assert len(files) == 1


def test_a_person_who_reads_german_is_told_in_theirs(alice: Subject, tmp_path: Path) -> None:
    packing.posts(tmp_path / "posts", post("alice", 1, SECRET))
    request = access(alice, locale="de")
    leave_out(request, words=SECRET)
    found = opened(built(request))
    assert names_nobody(found)


def test_it_takes_effect_at_the_next_build_and_holds_up_the_release_until_then(request_: Request) -> None:
    package = built(request_)
    one = leave_out(request_, words=SECRET)
    with pytest.raises(Conflict, match="Build it again"):
        packages.release(package=package, by=BY, at=SOON)
    again = built(request_)
    packages.undo(redaction=one, by=OTHER, at=SOON)
    with pytest.raises(Conflict, match="Build it again"):
        packages.release(package=again, by=BY, at=SOON)
    last = built(request_)
    assert SECRET.encode() in opened(last).everything
    packages.release(package=last, by=BY, at=SOON)


def test_what_is_not_found_any_more_holds_up_the_release(request_: Request, tmp_path: Path) -> None:
    leave_out(request_, rows=(mark(request_, 1),))
    # the row was changed meanwhile: it is not the one that somebody looked at
    edited = [f"{SECRET}, edited"]
    packing.write_parquet(
        tmp_path / "posts", {"author": ["m_alice"], "number": [1], "text": edited}, name="part-000.parquet"
    )
    package = built(request_)
    with pytest.raises(Conflict, match="was not found"):
        packages.release(package=package, by=BY, at=SOON)


def test_the_preview_shows_what_it_would_do_before_it_is_done(request_: Request) -> None:
    trying = What(part=POSTS, words=SECRET)
    seen = packages.look(request=request_, part=POSTS, find="mallory", trying=trying, by=BY, at=SOON)
    assert (seen.looked_at, seen.matching, seen.is_whole) == (4, 2, True)
    assert [row.is_changed for row in seen.rows] == [True, True]
    assert "[left out]" in (seen.rows[0].after or {})["text"]
    assert SECRET in seen.rows[0].before["text"]
    assert not Redaction.objects.exists()


def test_what_was_said_is_sealed(request_: Request) -> None:
    one = leave_out(request_, words=SECRET)
    one.refresh_from_db()
    assert SECRET.encode() not in bytes(one.sealed_what) + bytes(one.sealed_reason)
    assert redaction.what_of(one) == What(part=POSTS, words=SECRET)
    assert redaction.reason_of(one) == "She is someone else."
    entry = request_.timeline.get(code="redacted")
    assert (entry.details, entry.sealed) == ({"ground": "rights_of_others"}, None)
    assert sealing.unseal(request_, None, context=sealing.REDACTION) is None


@pytest.mark.parametrize(
    ("what", "code"),
    [
        (What(part=""), "part_missing"),
        (What(part="*"), "words_missing"),
        (What(part="*", column="text"), "words_missing"),
        (What(part=POSTS, words="x"), "words_too_short"),
        (What(part=POSTS, words="x" * 501), "too_long"),
        (What(part=POSTS, rows=("1",)), "unknown_row"),
        (What(part=POSTS, rows=("0" * 16,) * 5_001), "too_long"),
    ],
)
def test_what_cannot_be_left_out_is_refused(request_: Request, what: What, code: str) -> None:
    with pytest.raises(RedactionError) as refused:
        packages.redact(request=request_, what=what, ground=Ground.RIGHTS_OF_OTHERS, reason="why", by=BY, at=SOON)
    assert refused.value.code == code
    assert not Redaction.objects.exists()


@pytest.mark.parametrize(("ground", "reason", "code"), [("mood", "why", "unknown_ground"), ("", " ", "unknown_ground")])
def test_without_a_ground_nothing_is_left_out(request_: Request, ground: str, reason: str, code: str) -> None:
    with pytest.raises(RedactionError) as refused:
        packages.redact(request=request_, what=What(part=POSTS), ground=ground, reason=reason, by=BY, at=SOON)
    assert refused.value.code == code


def test_without_a_reason_nothing_is_left_out(request_: Request) -> None:
    with pytest.raises(RedactionError, match="Say why"):
        packages.redact(
            request=request_, what=What(part=POSTS), ground=Ground.RIGHTS_OF_OTHERS, reason=" ", by=BY, at=SOON
        )


def test_twice_is_not_undone(request_: Request) -> None:
    one = leave_out(request_, words=SECRET)
    packages.undo(redaction=one, by=BY, at=SOON)
    with pytest.raises(Conflict, match="already"):
        packages.undo(redaction=one, by=BY, at=SOON)


def test_a_closed_request_stays_as_it_is(request_: Request) -> None:
    one = leave_out(request_, words=SECRET)
    workflow.withdraw(request=request_, by=BY, at=SOON)
    for act in (lambda: leave_out(request_, words=SECRET), lambda: packages.undo(redaction=one, by=BY, at=SOON)):
        with pytest.raises(Conflict) as refused:
            act()
        assert refused.value.code == "closed"


def test_where_the_trail_fails_nothing_is_left_out(request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(audit, "record", fails)
    with pytest.raises(RuntimeError):
        leave_out(request_, words=SECRET)
    assert not Redaction.objects.exists()


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_are_found_however_they_are_written(alice: Subject, tmp_path: Path, form: Any) -> None:
    name = "José Müller"
    packing.posts(tmp_path / "posts", post("alice", 1, unicodedata.normalize(form, f"with {name} there")))
    request = access(alice)
    leave_out(request, words=unicodedata.normalize("NFC" if form == "NFD" else "NFD", name))
    assert [row["text"] for row in opened(built(request)).rows(POSTS)] == ["with [left out] there"]


NAME = "José Groß"


@pytest.mark.parametrize(
    "said",
    [
        json.dumps({"by": NAME, "to": "😀"}),
        json.dumps({"by": "José\nGroß"}),
        html.escape(f"<p>{NAME}</p>").replace("é", "&eacute;"),
        f"https://example.org/?by={quote_plus(NAME)}",
        base64.b64encode(f"by {NAME}".encode()).decode(),
        f"by {NAME}".encode(),
        f"by {NAME}\xff".encode("latin-1"),
        NAME.upper(),
    ],
    ids=["json", "json_lines", "html", "address", "base64", "bytes", "latin1", "capitals"],
)
def test_words_are_found_in_the_codes_that_texts_are_kept_in(alice: Subject, tmp_path: Path, said: Any) -> None:
    packing.posts(tmp_path / "posts", {"author": "m_alice", "text": said, "mine": "aGVsbG8= & 100 % of \\u0041"})
    request = access(alice)
    leave_out(request, part="*", words=NAME)
    (row,) = opened(built(request)).rows(POSTS)
    assert row["text"] in {"[left out]", "by [left out]"}
    assert row["mine"] == "aGVsbG8= & 100 % of \\u0041"


@pytest.mark.parametrize("order", [1, -1])
def test_of_words_within_longer_words_nothing_is_left(alice: Subject, tmp_path: Path, order: int) -> None:
    packing.posts(tmp_path / "posts", post("alice", 1, "with Bob Smith there"))
    request = access(alice)
    for words in ["Bob", "Bob Smith"][::order]:
        leave_out(request, words=words)
    found = opened(built(request))
    assert [row["text"] for row in found.rows(POSTS)] == ["with [left out] there"]
    assert found.json(POSTS)["left_out"]["entries"] == {"rights_of_others": 1}
    assert packages.can_release(Package.objects.get())


@pytest.mark.parametrize(
    "content",
    [
        docx(word___rels__document_xml_rels=f'<Relationship Target="mailto:{SECRET}"/>'.encode()),
        docx(word__comments_xml=f'<w:comment w:author="{SECRET}"><w:t>no</w:t></w:comment>'.encode()),
        json.dumps({"by": NAME}).encode(),
    ],
    ids=["link", "author", "json"],
)
def test_files_hide_words_no_better(alice: Subject, content: bytes) -> None:
    request = access(alice)
    with_files(request, ("told.docx" if content.startswith(b"PK") else "told.txt", content))
    leave_out(request, part="*", words=SECRET if content.startswith(b"PK") else NAME)
    assert [row["file"] for row in opened(built(request)).rows("files")] == ["[left out]"]


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_words_are_found_in_files_of_other_encodings(encoding: str) -> None:
    content = ("x" * 100_000 + f" by {NAME}").encode(encoding)
    pattern = re.compile(re.escape(NAME))
    assert file_words.holds(iter([content[:150_000], content[150_000:]]), pattern)


NESTED = st.recursive(
    st.sampled_from(["Mallory", "x mallory y", "MALLORY", "other", "", 5, None, True, 1.5]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["k", "Mallory", "to mallory"]), inner, max_size=2)
    ),
    max_leaves=6,
)


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(rows=st.lists(st.dictionaries(st.sampled_from(["a", "Mallory", "c"]), NESTED, max_size=3), max_size=4))
def test_words_leak_from_nowhere_in_a_row(alice: Subject, rows: list[dict[str, Any]]) -> None:
    request = Request.objects.first() or access(alice)
    part = Part("numbers", "Numbers", "Some.", (Column("n", "N", "any"),), lambda: iter(rows), is_open=True)
    target = io.BytesIO()
    archive.write(
        target,  # type: ignore[arg-type]  # any stream will do
        asking=building.asking_for(request, at=SOON),
        parts=[part],
        redactions=[redaction.InForce(request.pk, What(part="*", words="mallory"), Ground.RIGHTS_OF_OTHERS)],
        tell=lambda _name: None,
    )
    with zipfile.ZipFile(target) as found:
        answer = Opened({name: found.read(name) for name in found.namelist()})
    assert b"mallory" not in answer.everything.lower()
    assert len(answer.rows("numbers")) == len(rows)


def test_an_erased_persons_redactions_say_nothing(request_: Request) -> None:
    one = leave_out(request_, words=SECRET)
    assert request_.subject is not None
    subjects.forget(subject=request_.subject, by=BY, at=LATER)
    one = Redaction.objects.select_related("request__subject").get(pk=one.pk)
    assert (redaction.what_of(one), redaction.reason_of(one)) == (None, None)
    assert not Package.objects.exists()


def test_an_erasure_has_no_answer_to_leave_something_out_of(alice: Subject) -> None:
    with pytest.raises(Conflict, match="Only access and portability"):
        packages.look(request=received(alice), part=POSTS, by=BY, at=SOON)
