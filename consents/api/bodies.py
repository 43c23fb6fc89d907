"""The body of a call as it comes in, never held as a whole."""

import io
from typing import Any

from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from consents.importing.rows import InputRefused


class Unread(BaseParser):
    """Leaves the body where it is: whatever asks for the call's data, such as authentication, finds none."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> dict[str, Any]:
        return {}


class NDJSON(Unread):
    media_type = "application/x-ndjson"


class Arrow(Unread):
    media_type = "application/vnd.apache.arrow.stream"


class _Body(io.RawIOBase):
    """Counts what it reads: a caller that breaks off must not look like one that ended."""

    def __init__(self, source: Any, length: int | None) -> None:
        self.source = source
        self.length = length
        self.seen = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        wanted = len(buffer) if self.length is None else min(len(buffer), self.length - self.seen)
        data: bytes = self.source.read(wanted) if wanted else b""
        if wanted and not data and self.length is not None:
            raise InputRefused("cut_off", f"The body ended after {self.seen:,} of {self.length:,} bytes.")
        buffer[: len(data)] = data
        self.seen += len(data)
        return len(data)


def of(request: Request) -> io.BufferedReader:
    """The call's body, with a length or in chunks (Transfer-Encoding), which Django takes for empty."""
    environment = request.META
    in_chunks = "chunked" in environment.get("HTTP_TRANSFER_ENCODING", "").lower()
    length = None if in_chunks else int(environment.get("CONTENT_LENGTH") or 0)
    return io.BufferedReader(_Body(environment["wsgi.input"], length), 1 << 16)
