"""Files that are handed out to be kept: saved and never shown, held by no cache."""

from collections.abc import Iterator

from django.http import StreamingHttpResponse


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
