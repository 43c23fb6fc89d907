"""How the process that takes files apart is spoken to, and what it says: a letter, a length and so many bytes."""

import struct

TEXT, LAID_OUT, PLACE, UNSEEN, END = b"T", b"L", b"P", b"U", b"E"
"""Text; text as it lies on a page, where gaps need not be what they seem; where what follows is; why something there
cannot be looked into; that all was said."""
HEAD = struct.Struct(">cI")
ASKED = struct.Struct(">QII")
"""The length of a file, the seconds it may take, and the mebibytes."""
MOST = 1 << 20
"""Bytes of one frame."""


def of(kind: bytes, content: bytes) -> bytes:
    """One frame."""
    return HEAD.pack(kind, len(content)) + content
