"""Lines of a text file or stream, decoded one by one, so that a refusal can name the line."""

import zlib
from collections.abc import Iterator
from typing import Protocol

from consents.importing.rows import LONGEST_LINE, InputRefused

_BOM = b"\xef\xbb\xbf"


class Readable(Protocol):
    """What both a file and the body of a call can do."""

    def readline(self, size: int = ..., /) -> bytes: ...


def split(source: Readable) -> Iterator[tuple[int, bytes]]:
    """(number from 1, line with its end).

    Raises InputRefused: `line_too_long` beyond a mebibyte, `cut_off` where reading fails.
    """
    number = 0
    while line := _next(source, number):
        number += 1
        if len(line) > LONGEST_LINE:
            raise InputRefused("line_too_long", f"Line {number} is longer than {LONGEST_LINE:,} bytes.")
        if number == 1 and line.startswith(_BOM):
            line = line[len(_BOM) :]
        yield number, line


def _next(source: Readable, number: int) -> bytes:
    try:
        return source.readline(LONGEST_LINE + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputRefused("cut_off", f"It breaks off, or cannot be unpacked, after line {number}.") from error


def decode(number: int, line: bytes) -> str:
    """The line as text. Raises InputRefused(`not_utf8`)."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise InputRefused("not_utf8", f"Line {number} is not UTF-8 (byte {error.start + 1}).") from error
