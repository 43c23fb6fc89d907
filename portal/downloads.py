"""Files that are handed out to be kept: saved and never shown, held by no cache."""

from collections.abc import Iterator
from urllib.parse import quote

from django.http import StreamingHttpResponse

_KNOWN = frozenset({"application/pdf", "image/jpeg", "image/png"})
"""What a browser saves under its own type; anything else that others made is bytes to it."""


def as_attachment(
    content: Iterator[bytes], *, name: str, content_type: str, size: int | None = None
) -> StreamingHttpResponse:
    """The content as it comes; with its `size` in bytes, so that what broke off is noticed. `name` is plain ASCII."""
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store, private",
        "X-Content-Type-Options": "nosniff",
    }
    if size is not None:
        headers["Content-Length"] = str(size)
    return StreamingHttpResponse(content, content_type=content_type, headers=headers)


def of_others(content: Iterator[bytes], *, name: str, content_type: str, size: int) -> StreamingHttpResponse:
    """What somebody else made, under their own name for it: no browser shows or runs it, whatever it is."""
    kind = content_type if content_type in _KNOWN else "application/octet-stream"
    answer = as_attachment(content, name=_plain(name), content_type=kind, size=size)
    answer["Content-Disposition"] = disposition(name)
    answer["Content-Security-Policy"] = "sandbox; default-src 'none'"
    answer["Cross-Origin-Resource-Policy"] = "same-origin"
    return answer


def disposition(name: str) -> str:
    """The header that has a file saved under any name: in ASCII for old readers, and whole (RFC 6266, RFC 8187)."""
    return f"attachment; filename=\"{_plain(name)}\"; filename*=UTF-8''{quote(name, safe='')}"


def _plain(name: str) -> str:
    plain = "".join(letter if letter.isascii() and letter.isprintable() else "_" for letter in name)
    return plain.replace("\\", "_").replace('"', "_").replace("%", "_")
