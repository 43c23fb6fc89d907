"""PDFs and archives of every kind, honest ones and others."""

import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping

from fpdf import FPDF
from pypdf import PdfWriter
from pypdf.annotations import Text

SECRET = "Mallory Zimmermann"
CONTENT = b"BT /F1 12 Tf 72 700 Td (Of me alone) Tj ET"


def of_objects(*objects: bytes, trailer: bytes = b"") -> bytes:
    """A PDF of these objects, numbered from 1, the first of which is its catalogue."""
    pieces, places, at = [b"%PDF-1.7\n"], [], 9
    for number, one in enumerate(objects, start=1):
        places.append(at)
        pieces.append(b"%d 0 obj\n%s\nendobj\n" % (number, one))
        at += len(pieces[-1])
    written = b"".join(pieces)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size, begins = len(objects) + 1, len(written)
    written += b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
    return written + b"trailer\n<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n" % (size, trailer, begins)


def stream(content: bytes, more: bytes = b"") -> bytes:
    return b"<<%s/Length %d>>\nstream\n%s\nendstream" % (more, len(content), content)


def packed(content: bytes, more: bytes = b"", *, times: int = 1) -> bytes:
    for _ in range(times):
        content = zlib.compress(content, 9)
    return stream(content, b"/Filter[%s]%s" % (b"/FlateDecode" * times, more))


def page(*more: bytes, content: bytes = stream(CONTENT), resources: bytes = b"", about: bytes = b"") -> bytes:
    """One page, whose further objects begin at number 6."""
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"
    return of_objects(
        b"<</Type/Catalog/Pages 2 0 R%s>>" % about,
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>%s>>>>"
        % resources,
        content,
        font,
        *more,
    )


def written(text: str = "Of me alone.", **more: str) -> FPDF:
    """A page that a program wrote."""
    paper = FPDF()
    paper.add_page()
    paper.set_font("helvetica", size=12)
    paper.write(text=text)
    return paper


def text(said: str = f"I met {SECRET} there.") -> bytes:
    return bytes(written(said).output())


def _changed(change: Callable[[PdfWriter], object]) -> bytes:
    writer, into = PdfWriter(clone_from=io.BytesIO(text("Of me alone."))), io.BytesIO()
    change(writer)
    writer.write(into)
    return into.getvalue()


def metadata() -> bytes:
    return _changed(lambda writer: writer.add_metadata({"/Author": SECRET}))


def annotation() -> bytes:
    remark = Text(text=f"ask {SECRET}", rect=(50, 550, 200, 650))
    return _changed(lambda writer: writer.add_annotation(page_number=0, annotation=remark))


def stamp() -> bytes:
    """In the look of a remark alone, which no reader of pages tells."""
    look = packed(f"BT /F1 12 Tf ({SECRET}) Tj ET".encode(), b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]")
    return page(look, b"<</Type/Annot/Subtype/Stamp/Rect[0 0 9 9]/AP<</N 6 0 R>>>>")


def field() -> bytes:
    named = f"<</FT/Tx/T(to)/V({SECRET})/Rect[0 0 9 9]/Subtype/Widget>>".encode()
    return page(named, about=b"/AcroForm<</Fields[6 0 R]>>")


def outline() -> bytes:
    return _changed(lambda writer: writer.add_outline_item(title=f"About {SECRET}", page_number=0))


def link() -> bytes:
    return page(f"<</Subtype/Link/A<</S/URI/URI(mailto:{SECRET.replace(' ', '.20')}?x={SECRET})>>>>".encode())


def script() -> bytes:
    return page(packed(f"app.alert('{SECRET}')".encode()), b"<</S/JavaScript/JS 6 0 R>>")


def attached(content: bytes = f"about {SECRET}".encode(), name: str = "note.txt") -> bytes:
    return _changed(lambda writer: writer.add_attachment(name, content))


def locked(password: str) -> bytes:
    """Locked with a password; with none it can be read by everybody, but not changed."""

    def lock(writer: PdfWriter) -> None:
        writer.encrypt(password, owner_password="owner", algorithm="AES-256")

    return _changed(lock)


def later_version(first: bytes, *, before: int | None = None) -> bytes:
    """The same with another page content behind its end; what was there before is there still.

    `before` is where it says that the earlier version is told of, if not where it is.
    """
    at = len(first)
    fresh = b"4 0 obj\n%s\nendobj\n" % stream(b"BT /F1 12 Tf (fine) Tj ET")
    earlier = int(first.split(b"startxref\n")[1].split()[0]) if before is None else before + len(fresh)
    rest = b"xref\n4 1\n%010d 00000 n \ntrailer\n<</Size 6/Root 1 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n"
    return first + fresh + rest % (at, earlier, at + len(fresh))


PICTURE = stream(b"\0" * 3, b"/Type/XObject/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceRGB/BitsPerComponent 8")


def with_picture() -> bytes:
    return page(PICTURE, resources=b"/XObject<</I 6 0 R>>")


def scanned() -> bytes:
    return page(PICTURE, content=stream(b"q 600 0 0 800 0 0 cm /I Do Q"), resources=b"/XObject<</I 6 0 R>>")


def in_line_picture() -> bytes:
    return page(content=stream(CONTENT + b" BI /W 1 /H 1 /BPC 8 /CS /G ID \xaa EI Q"))


def drawn() -> bytes:
    return page(content=stream(b"0 0 m 10 10 l 20 5 l f"))


def empty() -> bytes:
    return page(content=stream(b""))


def font(about: bytes) -> bytes:
    return page(content=stream(b"BT /F2 12 Tf (abc) Tj ET"), resources=b"", about=b"").replace(
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>", about
    )


def zipped(parts: Mapping[str, bytes], *, comment: bytes = b"") -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
        archive.comment = comment
    return into.getvalue()


def tarred(parts: Mapping[str, bytes], *, mode: str = "w") -> bytes:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode=mode) as archive:  # type: ignore[call-overload]  # one of its modes
        for name, content in parts.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return into.getvalue()


def within(content: bytes, times: int) -> bytes:
    for _ in range(times):
        content = zipped({"inner.zip": content})
    return content


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content)
