"""Which files are taken in: by what they hold, whatever they are called, and nothing that is two things at once."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from requests_app import file_kinds
from requests_app.file_kinds import FileRefused
from tests.requests_app.files import EICAR, GOOD, JPEG, PDF, PNG, TEXT, archive, docx, odt

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
PAGE = b"<!DOCTYPE html><html><body>hello</body></html>"
ZIP = archive({"a.txt": b"a"})
PROGRAM = b"MZ\x90\x00" + b"\x00" * 60 + b"PE\x00\x00" + b"\x00" * 300


def refusal(content: bytes, name: str, *, by_staff: bool = False) -> str:
    with pytest.raises(FileRefused) as refused:
        file_kinds.of(content, name=name, by_staff=by_staff)
    return refused.value.code


@pytest.mark.parametrize("name", GOOD)
def test_a_known_kind_is_told_by_its_content(name: str) -> None:
    content, kind = GOOD[name]
    assert file_kinds.of(content, name=name, by_staff=False).content_type == kind
    # without an extension the content says it all
    assert file_kinds.of(content, name="scan", by_staff=False).content_type == kind


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("claimed", ["exe", "html", "svg", "gif", "zip", "docm"])
def test_a_name_that_claims_something_else_is_refused(name: str, claimed: str) -> None:
    assert refusal(GOOD[name][0], f"file.{claimed}") == "file_other_kind"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (SVG, "picture.svg"),
        (SVG, "picture.png"),
        (b"\xef\xbb\xbf  " + SVG, "picture.txt"),
        (PAGE, "page.html"),
        (PAGE, "page.txt"),
        (b"hello\n" * 20 + b"<script>alert(1)</script>", "note.txt"),
        (b"#!/bin/sh\nrm -rf ~\n", "note.txt"),
        (b"{\\rtf1 hello}", "note.txt"),
        (b"%!PS-Adobe-3.0\n", "note.txt"),
        (PROGRAM, "setup.exe"),
        (PROGRAM, "scan.pdf"),
        (b"\x7fELF" + b"\x02" * 60, "note.txt"),
        (b"\xca\xfe\xba\xbe" + b"\x00" * 60, "photo.jpg"),
        (ZIP, "files.zip"),
        (ZIP, "note.docx"),
        (b"Rar!\x1a\x07\x01\x00" + b"\x00" * 60, "files.rar"),
        # Word's and Excel's old format, which a DOCX under a password is as well
        (bytes.fromhex("d0cf11e0a1b11ae1") + b"\x00" * 600, "note.docx"),
        (b"GIF89a" + b"\x00" * 30, "photo.gif"),
        (b"\x00\x01\x02\x03", "note.txt"),
        ("in another encoding: ü".encode("latin-1"), "note.txt"),
        (b"  " + PDF, "letter.pdf"),
    ],
)
def test_what_runs_is_shown_or_cannot_be_looked_into_is_refused(content: bytes, name: str) -> None:
    assert refusal(content, name) == "file_unknown"


def test_what_a_compressed_stream_holds_by_chance_is_no_script() -> None:
    stream = b"3 0 obj<</Length 9>>\nstream\nab/JS \xff#\nendstream endobj\n"
    content = PDF.replace(b"trailer", stream + b"trailer")
    assert file_kinds.of(content, name="scan.pdf", by_staff=False).extension == "pdf"
    assert refusal(content.replace(b"endobj", b"endobj /JS (x)", 1), "scan.pdf") == "file_unsafe"


def test_the_worst_case_of_each_kind_is_looked_at_quickly() -> None:
    """Megabytes that lead every pattern astray: the time grows with the size and not with its square."""
    filler = {
        "a.pdf": PDF[:9] + b"stream\n" * 300_000 + PDF[9:],
        "b.pdf": PDF[:9] + b"#41/J" * 400_000 + PDF[9:],
        "a.txt": "ä\n<".encode() * 500_000,
        "a.jpg": JPEG[:-2] + b"\xff" * 2_000_000 + JPEG[-2:],
    }
    for name, content in filler.items():
        began = time.process_time()
        with contextlib.suppress(FileRefused):
            file_kinds.of(content, name=name, by_staff=False)
        assert time.process_time() - began < 5, name


def test_an_empty_file_is_refused() -> None:
    assert refusal(b"", "note.txt") == "file_empty"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (PDF + ZIP, "letter.pdf"),
        (JPEG + ZIP, "photo.jpg"),
        (PNG + ZIP, "scan.png"),
        (PNG[:-12], "scan.png"),
        (JPEG[:-2], "photo.jpg"),
        (JPEG[:20] + PDF + JPEG[20:], "photo.jpg"),
        (JPEG[:20] + b"<script>alert(1)</script>" + JPEG[20:], "photo.jpg"),
        (PDF.replace(b"%%EOF", b""), "letter.pdf"),
        (PDF.replace(b"/Pages 2", b"/OpenAction<</S/JavaScript/JS(app.alert)>>/Pages 2"), "letter.pdf"),
        (PDF.replace(b"/Pages 2", b"/OpenAction<</S/J#61vaScript>>/Pages 2"), "letter.pdf"),
        (
            PDF.replace(b"endobj", b"endobj\n%stream\n9 0 obj<</S/JavaScript/JS(x)>>endobj\n%endstream\n", 1),
            "letter.pdf",
        ),
        (PDF.replace(b"/Pages 2", b"/A(\nstream\n)/B<</S/JavaScript>>/C(endstream)/Pages 2"), "letter.pdf"),
        (PDF.replace(b"1 0 obj", b"<script>alert(1)</script>\n1 0 obj", 1), "letter.pdf"),
        (PDF.replace(b"/Pages 2", b"/A<</S/Launch>>/Pages 2"), "letter.pdf"),
        (PDF.replace(b"/Pages 2", b"/Names<</EmbeddedFiles 3 0 R>>/Pages 2"), "letter.pdf"),
        (docx(word__vbaProject_bin=b"macro"), "note.docx"),
        (odt(Basic__script_xml=b"macro"), "note.odt"),
        (docx() + b"more", "note.docx"),
    ],
)
def test_what_hides_something_is_refused(content: bytes, name: str) -> None:
    assert refusal(content, name) == "file_unsafe"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (PDF.replace(b"trailer<<", b"trailer<</Encrypt 9 0 R"), "letter.pdf"),
        (odt(**{"META-INF__manifest_xml": b"<manifest:encryption-data/>"}), "note.odt"),
    ],
)
def test_what_is_under_a_password_is_refused_and_told_so(content: bytes, name: str) -> None:
    assert refusal(content, name) == "file_locked"


@pytest.mark.parametrize("name", ["table.csv", "rows.json"])
def test_tables_come_from_staff_alone(name: str) -> None:
    assert file_kinds.of(b'{"a": 1}', name=name, by_staff=True).extension == name.partition(".")[2]
    assert refusal(b'{"a": 1}', name) == "file_unknown"


def test_the_scanners_test_file_is_text_and_left_to_the_scanner() -> None:
    assert file_kinds.of(EICAR, name="eicar.txt", by_staff=False).extension == "txt"


@pytest.mark.parametrize("text", ["From me to you", "BM is a name", "MZ too", "{ not json", "% of what?"])
def test_plain_words_are_text_however_they_begin(text: str) -> None:
    assert file_kinds.of(text.encode(), name="note.txt", by_staff=False).content_type == "text/plain"


@given(st.binary(min_size=1, max_size=400), st.sampled_from(["a.pdf", "a.jpg", "a.png", "a.docx", "a.odt", "a"]))
def test_any_bytes_are_taken_as_what_they_are_or_refused(content: bytes, name: str) -> None:
    try:
        kind = file_kinds.of(content, name=name, by_staff=False)
    except FileRefused:
        return
    assert kind.extension == "txt"
    assert name == "a"
    content.decode("utf-8-sig")


@given(st.sampled_from(sorted(GOOD)), st.integers(0, 10_000), st.binary(max_size=40))
def test_a_damaged_file_never_breaks_the_check(name: str, where: int, noise: bytes) -> None:
    content = GOOD[name][0]
    at = where % len(content)
    with contextlib.suppress(FileRefused):
        file_kinds.of(content[:at] + noise + content[at + len(noise) :], name=name, by_staff=True)


def test_the_text_of_a_letter_is_plain() -> None:
    assert file_kinds.of(b"\xef\xbb\xbf" + TEXT, name="note.txt", by_staff=False).extension == "txt"
