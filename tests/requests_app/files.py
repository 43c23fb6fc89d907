"""Little files of every kind, good ones and others."""

import io
import zipfile

from django.core.files.uploadedfile import SimpleUploadedFile

from requests_app import office_files

PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
    b"trailer<</Root 1 0 R>>\n%%EOF\n"
)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + b"\x00" * 40 + b"\xff\xd9"
PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    b"\x00\x00\x00\x00IEND\xaeB`\x82"
)
TEXT = "Grüße,\nwith a tab\tand 100 % honesty.\n".encode()
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
_MAIN = f'<Types><Override ContentType="{office_files.DOCX}.main+xml"/></Types>'.encode()


def archive(parts: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return written.getvalue()


def docx(**parts: bytes) -> bytes:
    """A document of these further parts, `__` for a slash and `_` for a dot in their names."""
    more = {name.replace("__", "/").replace("_", "."): content for name, content in parts.items()}
    return archive({"[Content_Types].xml": _MAIN, "word/document.xml": b"<document/>", **more})


def odt(**parts: bytes) -> bytes:
    more = {name.replace("__", "/").replace("_", "."): content for name, content in parts.items()}
    return archive({"mimetype": office_files.ODT.encode(), "content.xml": b"<content/>", **more})


GOOD = {
    "letter.pdf": (PDF, "application/pdf"),
    "photo.JPG": (JPEG, "image/jpeg"),
    "photo.jpeg": (JPEG, "image/jpeg"),
    "scan.png": (PNG, "image/png"),
    "note.txt": (TEXT, "text/plain"),
    "note.docx": (docx(), office_files.DOCX),
    "note.odt": (odt(), office_files.ODT),
}
"""What is taken in from anybody, with its type."""


def upload(name: str, content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)
