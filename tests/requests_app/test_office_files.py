"""Documents of word processors: an archive that is one, whole, and holds nothing that runs."""

import io
import zipfile

import pytest

from requests_app import office_files
from tests.requests_app.files import archive, docx, odt


@pytest.mark.parametrize(
    ("content", "kind"), [(docx(), "docx"), (odt(), "odt"), (archive({"a": b"b"}), "")], ids=["docx", "odt", "other"]
)
def test_an_archive_says_what_it_is(content: bytes, kind: str) -> None:
    assert office_files.kind_of(content) == kind


# named, because an archive holds the second in which it was made
@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", b"PK\x03\x04" + b"\x00" * 200, docx()[:-30], docx()[:60]],
    ids=["empty", "marked", "zeros", "without its end", "its beginning"],
)
def test_a_broken_archive_is_of_no_kind(content: bytes) -> None:
    assert office_files.kind_of(content) == ""


@pytest.mark.parametrize("content", [docx(), odt()], ids=["docx", "odt"])
def test_wherever_a_document_is_damaged_that_is_told_and_breaks_nothing(content: bytes) -> None:
    told = {
        office_files.trouble_of(content[:at] + noise + content[at + 2 :])
        for at in range(len(content) - 1)
        for noise in (b"\0\1", b"\xff\xff")
    }
    assert "The document is damaged. Save it anew." in told


def test_a_plain_document_has_no_trouble() -> None:
    link = b'<Relationship Type="x/hyperlink" Target="https://example.org" TargetMode="External"/>'
    assert office_files.trouble_of(docx(**{"word___rels__document_xml_rels": link})) == ""
    assert office_files.trouble_of(odt()) == ""


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (docx(word__vbaProject_bin=b""), "macro"),
        (docx(word__embeddings__sheet_xlsx=b""), "macro"),
        (docx(word__activeX__a_xml=b""), "macro"),
        (docx(word__media__a_exe=b"MZ"), "macro"),
        (odt(Pictures__a_HTML=b"<script>"), "macro"),
        (odt(Scripts__python__a_py=b""), "macro"),
        (odt(Basic__Standard__a_xml=b""), "macro"),
        (b"%PDF-" + docx(), "front"),
        (docx() + b"tail", "follows"),
    ],
)
def test_what_is_more_than_a_document_is_told(content: bytes, says: str) -> None:
    assert says in office_files.trouble_of(content)


def test_a_template_from_elsewhere_is_told() -> None:
    link = b'<Relationship Type="x/attachedTemplate" Target="https://example.org/a.dotm" TargetMode="External"/>'
    parts = {"word/_rels/settings.xml.rels": link}
    whole = {"[Content_Types].xml": b"wordprocessingml.document.main+xml", **parts}
    assert "macro" in office_files.trouble_of(archive(whole))


LINKED = '<Relationship Type="x/image" Target="https://example.org/a.png" TargetMode="External"/>'


@pytest.mark.parametrize(
    ("part", "link"),
    [
        ("word/_rels/header1.xml.rels", LINKED),
        ("own/_rels/text.xml.rels", LINKED),
        ("WORD/_RELS/DOCUMENT.XML.RELS", LINKED),
        ("word/_rels/document.xml.rels", LINKED.replace('"External"', "'External'")),
        ("word/_rels/document.xml.rels", LINKED.replace("TargetMode=", "TargetMode = ")),
        ("word/_rels/document.xml.rels", LINKED.replace("External", "&#69;xternal")),
        ("word/_rels/document.xml.rels", LINKED.replace("a.png", "/hyperlink")),
        ("word/_rels/document.xml.rels", f'<?xml version="1.0" encoding="UTF-16"?>{LINKED}'),
        ("word/_rels/document.xml.rels", f"<a>{' ' * 2_000_000}{LINKED}</a>"),
        ("word/_rels/document.xml.rels", f"<!DOCTYPE a>{LINKED}"),
        ("word/_rels/document.xml.rels", LINKED[:-2]),
        ("word/_rels/document.xml.rels", '<Relationship Type="x/aFChunk" Target="a.htm"/>'),
        ("word/_rels/document.xml.rels", '<Relationship Type="x/oleObject" Target="media/image1.png"/>'),
    ],
)
def test_however_a_document_has_something_fetched_it_is_told(part: str, link: str) -> None:
    content = link.encode("utf-16") if "UTF-16" in link else link.encode()
    whole = {"[Content_Types].xml": b"wordprocessingml.document.main+xml", part: content}
    assert "macro" in office_files.trouble_of(archive(whole))


TEXT = '<t xmlns:xlink="x" xmlns:text="t" xmlns:draw="d" xmlns:script="s">{}</t>'


@pytest.mark.parametrize(
    ("inside", "told"),
    [
        ('<draw:image xlink:href="https://example.org/a.png"/>', True),
        ("<draw:image xlink:href='\\\\host\\a.png'/>", True),
        ('<draw:image xlink:href="../a.png"/>', True),
        ('<text:section-source xlink:href="file:///etc/passwd"/>', True),
        ('<script:event-listener xlink:href="x"/>', True),
        ('<text:a xlink:href="vnd.sun.star.script:a.py$b">x</text:a>', True),
        ('<text:a xlink:href="https://example.org">x</text:a>', False),
        ('<draw:image xlink:href="Pictures/a.png"/><text:a xlink:href="#there">x</text:a>', False),
    ],
)
def test_an_odt_that_fetches_or_runs_something_is_told(inside: str, told: bool) -> None:
    for part in ("content.xml", "styles.xml"):
        trouble = office_files.trouble_of(odt(**{part.replace(".", "_"): TEXT.format(inside).encode()}))
        assert ("macro" in trouble) == told


def test_two_parts_of_one_name_are_told() -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as file:
        file.writestr("[Content_Types].xml", b"wordprocessingml.document.main+xml")
        file.writestr("[content_types].xml", b"something else")
    assert "one name" in office_files.trouble_of(written.getvalue())


def test_something_in_front_is_told_even_where_the_offsets_count_it() -> None:
    written = io.BytesIO(b"GIF89a")
    with zipfile.ZipFile(written, "a") as file:
        file.writestr("[Content_Types].xml", b"wordprocessingml.document.main+xml")
    assert "front" in office_files.trouble_of(written.getvalue())


def test_a_bomb_is_told() -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(21):
            file.writestr(f"word/{number}.xml", b"\x00" * (10 * 1024 * 1024))
    assert "too large" in office_files.trouble_of(written.getvalue())


def test_no_more_is_gone_through_than_can_be_at_once() -> None:
    whole = {f"word/{number}.rels": b"<t>" + b"<b/>" * 200_000 + b"</t>" for number in range(14)}
    assert "macro" in office_files.trouble_of(archive({"[Content_Types].xml": b"main+xml", **whole}))


def test_a_locked_part_is_told() -> None:
    content = bytearray(docx())
    # the flag of the central directory's first entry (APPNOTE, 4.3.12)
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert office_files.trouble_of(bytes(content)) == office_files.LOCKED
