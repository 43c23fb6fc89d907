"""Answers that hand a file out: always as a download, never as anything that a browser would show on our address."""

from collections.abc import Iterator
from itertools import chain
from urllib.parse import quote

from django.http import Http404, HttpResponseBase, StreamingHttpResponse

from portal.errors import DomainError
from requests_app import attachments
from requests_app.models import Attachment

_KNOWN = frozenset({"application/pdf", "image/jpeg", "image/png"})
"""What a browser saves under its own type; anything else is bytes to it."""


def serve(attachment: Attachment) -> HttpResponseBase:
    """The file as a download that no browser shows, runs or keeps. Raises Http404 where it is gone.

    Name and type are those found when it was taken in (RFC 6266, RFC 8187).
    """
    try:
        name = attachments.name_of(attachment) or "file"
        content = _begun(attachments.open_file(attachment))
    except DomainError as error:
        raise Http404 from error
    kind = attachment.content_type if attachment.content_type in _KNOWN else "application/octet-stream"
    answer = StreamingHttpResponse(content, content_type=kind)
    answer["Content-Length"] = str(attachment.size)
    answer["Content-Disposition"] = disposition(name)
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Content-Security-Policy"] = "sandbox; default-src 'none'"
    answer["Cache-Control"] = "no-store, private"
    answer["Cross-Origin-Resource-Policy"] = "same-origin"
    return answer


def disposition(name: str) -> str:
    """The header that has a file saved under this name: in ASCII for old readers, and whole."""
    plain = "".join(letter if letter.isascii() and letter.isprintable() else "_" for letter in name)
    plain = plain.replace("\\", "_").replace('"', "_").replace("%", "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _begun(content: Iterator[bytes]) -> Iterator[bytes]:
    """The content with its first part already opened: an altered file is found before anything is answered."""
    first = next(content, b"")
    return chain([first], content)
