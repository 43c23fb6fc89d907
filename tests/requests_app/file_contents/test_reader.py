"""What files say, wherever they say it; and that a hostile one costs little and harms nothing."""

import resource
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from requests_app.file_contents import reader as readers
from requests_app.file_contents.kinds import LARGEST, Unseen
from requests_app.file_contents.reader import Reader, Told
from requests_app.packages import file_words
from tests.requests_app.file_contents import making
from tests.requests_app.file_contents.making import SECRET, page, stream
from tests.requests_app.files import JPEG, PNG, docx

SOME = file_words.words_of(SECRET)


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with Reader(seconds=600) as one:
        yield one


def look(reader: Reader, content: bytes) -> tuple[bool, set[Unseen]]:
    """Whether the words are in it, and why it cannot be looked into as a whole."""
    seen = file_words.look(iter([content]), [SOME], reader)
    return bool(seen.found), set(seen.unseen)


HOLDING: dict[str, Callable[[], bytes]] = {
    "text": making.text,
    "metadata": making.metadata,
    "annotation": making.annotation,
    "stamp": making.stamp,
    "field": making.field,
    "outline": making.outline,
    "link": making.link,
    "script": making.script,
    "attachment": making.attached,
    "attached document": lambda: making.attached(docx(word__document_xml=SECRET.encode()), "x.docx"),
    "attached PDF": lambda: making.attached(making.metadata(), "x.pdf"),
    "letters apart": lambda: making.text(f"I met {' '.join(SECRET)} there."),
    "no gap": lambda: making.text(f"I met {SECRET.replace(' ', '')} there."),
    "two lines": lambda: making.text("I met Mallory Zimmer-\nmann there."),
    "capitals": lambda: making.text(SECRET.upper()),
    "a remark between objects": lambda: page().replace(b"%PDF-1.7\n", b"%%PDF-1.7\n%% by %s\n" % SECRET.encode(), 1),
    "its name": lambda: making.attached(b"nothing", f"{SECRET}.txt"),
    "zip": lambda: making.zipped({"a/b.txt": SECRET.encode()}),
    "zip in zip": lambda: making.within(making.zipped({"b.pdf": making.text()}), 3),
    "name in zip": lambda: making.zipped({f"{SECRET}.txt": b""}),
    "remark of zip": lambda: making.zipped({"a.txt": b""}, comment=SECRET.encode()),
    "tar": lambda: making.tarred({"a.txt": SECRET.encode()}),
    "tar.gz": lambda: making.tarred({"a.pdf": making.outline()}, mode="w:gz"),
    "name in tar": lambda: making.tarred({f"{SECRET} {'x' * 200}": b"x"}),
    "gzip": lambda: making.gzipped(b"x" * 3_000_000 + SECRET.encode()),
    "gzip twice": lambda: making.gzipped(b"a") + making.gzipped(SECRET.encode()),
    "markup": lambda: b"<!doctype html><p>Mallory Zim<b>merm</b>ann</p>",
    "mail address of a link": lambda: b'<a href="?q=Mallory%20Zimmermann">x</a>',
    "picture in zip, by": lambda: making.zipped({"a.jpg": JPEG + SECRET.encode()}),
    "other letters": lambda: making.zipped({"a.txt": SECRET.encode("utf-16")}),
}


@pytest.mark.parametrize("name", HOLDING)
def test_words_are_found_wherever_a_file_keeps_them(reader: Reader, name: str) -> None:
    assert look(reader, HOLDING[name]())[0]


@pytest.mark.parametrize(
    "make",
    [
        lambda: making.text("Smart in the roman named town, any mall or yes."),
        making.empty,
        lambda: making.locked(""),
        lambda: making.attached(b"nothing of others"),
        lambda: making.zipped({"a.txt": b"mine", "b/": b"", "c.pdf": making.text("mine")}),
        lambda: making.tarred({"a.txt": b"mine"}, mode="w:gz"),
        lambda: b"<p>mine</p>",
        lambda: docx(word__document_xml="<w:t>Grüße</w:t>".encode()),
    ],
    ids=["text", "empty", "locked against changes", "attached", "zip", "tar", "markup", "docx"],
)
def test_what_was_looked_into_as_a_whole_is_clear(reader: Reader, make: Callable[[], bytes]) -> None:
    assert look(reader, make()) == (False, set())


@pytest.mark.parametrize("short", ["Page", "Font", "Anna", "Li"])
def test_no_name_is_found_in_how_a_pdf_is_written(reader: Reader, short: str) -> None:
    content = making.text("Some roman named them, a smart in-law came.")
    assert not file_words.look(iter([content]), [file_words.words_of(short)], reader).found


UNSEEN: dict[str, tuple[Callable[[], bytes], Unseen]] = {
    "picture in PDF": (making.with_picture, Unseen.PICTURE),
    "scanned": (making.scanned, Unseen.PICTURE),
    "picture in line": (making.in_line_picture, Unseen.PICTURE),
    "drawn": (making.drawn, Unseen.DRAWN),
    "locked": (lambda: making.locked("x"), Unseen.LOCKED),
    "versions": (lambda: making.later_version(page()), Unseen.VERSIONS),
    "cut off": (lambda: making.text()[:300], Unseen.DAMAGED),
    "no PDF": (lambda: b"%PDF-1.7 and nothing else", Unseen.DAMAGED),
    "numbered letters": (
        lambda: making.font(b"<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/Identity-H>>"),
        Unseen.FONTS,
    ),
    "drawn letters": (
        lambda: making.font(b"<</Type/Font/Subtype/Type3/Encoding<</Differences[1/g1]>>>>"),
        Unseen.FONTS,
    ),
    "picture attached": (lambda: making.attached(PNG, "x.png"), Unseen.PICTURE),
    "picture in zip": (lambda: making.zipped({"x.jpg": JPEG}), Unseen.PICTURE),
    "picture in docx": (lambda: docx(word__media__image1_png=PNG), Unseen.PICTURE),
    "locked zip": (
        lambda: making.zipped({"x": b"x"}).replace(b"PK\x01\x02\x14\x03\x14\0\0", b"PK\x01\x02\x14\x03\x14\0\1"),
        Unseen.LOCKED,
    ),
    "cut zip": (lambda: making.zipped({"x": b"x" * 5_000})[:60], Unseen.DAMAGED),
    "cut gzip": (lambda: making.gzipped(b"x" * 5_000)[:20], Unseen.DAMAGED),
    "broken gzip": (lambda: making.gzipped(b"x") + b"and more", Unseen.DAMAGED),
    "cut tar": (lambda: making.tarred({"x": b"x" * 50_000})[:2_000], Unseen.DAMAGED),
    "other packing": (lambda: making.zipped({"x.7z": b"7z\xbc\xaf\x27\x1c\0\4"}), Unseen.UNKNOWN),
    "bytes": (lambda: b"\0\1\2\3" * 500, Unseen.UNKNOWN),
    "jpeg": (lambda: JPEG, Unseen.PICTURE),
    "rtf": (lambda: rb"{\rtf1 \'e9}", Unseen.UNKNOWN),
    "page with a picture": (lambda: b'<img src="data:image/png;base64,AAAA">', Unseen.CARRIED),
    "mail": (lambda: b"Subject: x\nContent-Transfer-Encoding: base64\n\nAAAA", Unseen.CARRIED),
}


@pytest.mark.parametrize("name", UNSEEN)
def test_what_cannot_be_looked_into_is_told(reader: Reader, name: str) -> None:
    make, why = UNSEEN[name]
    found, unseen = look(reader, make())
    assert (found, why in unseen) == (False, True), unseen


def test_where_it_stands_is_told_too(reader: Reader) -> None:
    content = making.zipped({"a.txt": b"mine", "b/letter.pdf": making.text(), "c.png": PNG})
    seen = file_words.look(iter([content]), [SOME, file_words.words_of("nobody at all")], reader)
    assert seen.places == ["b/letter.pdf, page 1"]
    assert seen.unseen == {Unseen.PICTURE: "c.png"}


def _laughs() -> bytes:
    """Each form draws the next one ten times."""
    forms = [
        stream(
            b"/X Do " * 10, b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X %d 0 R>>>>" % (7 + one)
        )
        for one in range(12)
    ]
    last = stream(CONTENT_OFTEN, b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]")
    return page(*forms, last, content=stream(b"/X Do"), resources=b"/XObject<</X 6 0 R>>")


CONTENT_OFTEN = b"BT (ha) Tj ET " * 10
HOSTILE: dict[str, Callable[[], bytes]] = {
    "zeros packed thrice": lambda: page(making.packed(bytes(200_000_000), times=3)),
    "zeros as a page": lambda: page(content=making.packed(b"(" + bytes(70_000_000))),
    "a thousand million laughs": _laughs,
    "lists within lists": lambda: page(b"[" * 200_000 + b"]" * 200_000),
    "a page within itself": lambda: page().replace(b"/Kids[3 0 R]", b"/Kids[2 0 R]"),
    "its own length": lambda: page(content=b"<</Length 4 0 R>>\nstream\nx\nendstream"),
    "versions in a circle": lambda: making.later_version(page(), before=len(page())),
    "a picture without an end": lambda: page(content=stream(b"BI /W 1 /H 1 ID " + b"x" * 500_000)),
    "many objects": lambda: page(*[b"null"] * 250_000),
    "zip of zeros": lambda: making.zipped({str(one): bytes(20_000_000) for one in range(5)}),
    "zips within zips": lambda: making.within(making.zipped({"a": b"a"}), 30),
    "many files": lambda: making.zipped({str(one): b"" for one in range(20_000)}),
    "gzip of zeros": lambda: making.gzipped(bytes(300_000_000)),
    "many gzips": lambda: making.gzipped(b"") * 20_000,
    "an endless page": lambda: page(content=making.packed(b"BT (a) Tj ET\n" * 3_000_000)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_costs_little_and_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = HOSTILE[name]()
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with Reader(seconds=600) as one:
        with monkeypatch.context() as hurried:
            hurried.setattr(readers, "SECONDS", 4)
            found, unseen = look(one, content)
        took = time.monotonic() - began
        # and the next file is looked into as ever
        assert look(one, making.text()) == (True, set())
    assert not found
    assert unseen & {Unseen.TOO_MUCH, Unseen.DAMAGED}
    assert took < 30
    # in kibibytes: so much as a file may have at most, and what was told of it last
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2 * LARGEST // 1024


def test_what_needs_more_memory_than_there_is_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MEGABYTES", 48)
    with Reader(seconds=600) as one:
        assert look(one, making.gzipped(b"mine " * 12_000_000)) == (False, {Unseen.TOO_MUCH})


def test_of_a_process_that_is_killed_nothing_is_believed() -> None:
    with Reader(seconds=600) as one:
        told = one.read(making.zipped({"a.txt": b"mine", "b.txt": b"x" * 30_000_000}))
        next(told)
        assert one._process is not None
        one._process.kill()
        assert Told("", unseen=Unseen.TOO_MUCH) in list(told)
        assert look(one, making.text()) == (True, set())


def test_no_process_is_left_and_none_knows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEED_SECRET_KEY", "not for it")
    with Reader(seconds=600) as one:
        list(one.read(making.text()))
        assert one._process is not None
        process = psutil.Process(one._process.pid)
        assert not [name for name in process.environ() if name.startswith("HEED")]
    assert not process.is_running()


def test_with_no_time_left_nothing_is_looked_into() -> None:
    with Reader(seconds=0) as one:
        assert list(one.read(making.text())) == [Told("", unseen=Unseen.NO_TIME)]
