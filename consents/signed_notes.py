"""Checkpoints as text: the C2SP signed note (c2sp.org/signed-note, c2sp.org/tlog-checkpoint), Ed25519.

`origin`, size and base64 of the root, a line each; an empty line; then a line for each signature, which names its key
by the first four bytes of a hash. Witnesses may have added lines of their own: keys that are not ours are passed over.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from django.conf import settings

from portal import signing
from portal.errors import DomainError
from portal.signing import SignatureError

_ED25519 = b"\x01"
_DASH = "— "
_LONGEST = 65_536
_ROOT_BYTES = 32


class NoteError(DomainError):
    """No checkpoint of this log that can be relied on."""


@dataclass(frozen=True)
class Head:
    """What a checkpoint says: so many leaves, with this root."""

    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The part that is signed."""
        return f"{settings.LOG_ORIGIN}\n{self.size}\n{_base64(self.root)}\n"


def write(head: Head) -> tuple[str, str]:
    """The note, signed by the current key, and that key's id in the ring."""
    key_id, signature = signing.sign(head.text.encode())
    line = f"{_DASH}{settings.LOG_ORIGIN} {_base64(_fingerprint(key_id) + signature)}\n"
    return f"{head.text}\n{line}", key_id


def read(note: str) -> Head:
    """What the note says, once a key of this house is found to have signed it. Raises NoteError."""
    text, gap, signatures = note.rpartition("\n\n")
    if not gap or len(note) > _LONGEST or not signatures.endswith("\n"):
        raise NoteError("no_note", "This is no signed note: its text, an empty line and its signatures are expected.")
    text += "\n"
    ours = [found for line in signatures.split("\n") if (found := _ours(line))]
    if not ours:
        raise NoteError("not_ours", "No key of this house signed this note.")
    for key_id, signature in ours:
        try:
            signing.verify(text.encode(), key_id=key_id, signature=signature)
        except SignatureError as error:
            raise NoteError(
                "altered", f"The signature by key {key_id!r} does not fit: the note was altered."
            ) from error
    return _parsed(text)


def verifier_keys() -> list[str]:
    """The log's keys as verifiers of signed notes take them (`name+id+key`), the current one first."""
    return [
        f"{settings.LOG_ORIGIN}+{_fingerprint(key_id).hex()}+{_base64(_ED25519 + signing.raw_public_key(key_id))}"
        for key_id in settings.SIGNING_KEYS.public
    ]


def _parsed(text: str) -> Head:
    # extension lines may follow; this log writes none and reads none
    origin, size, root = (*text.split("\n"), "", "")[:3]
    if origin != settings.LOG_ORIGIN:
        raise NoteError("other_log", "This is the checkpoint of another log: its first line is not this log's origin.")
    if not (size.isascii() and size.isdigit()) or (size != "0" and size.startswith("0")):
        raise NoteError("no_checkpoint", "The second line of a checkpoint is its size.")
    hashed = _decoded(root)
    if len(hashed) != _ROOT_BYTES:
        raise NoteError("no_checkpoint", "The third line of a checkpoint is its root, 32 bytes in base64.")
    return Head(size=int(size), root=hashed)


def _ours(line: str) -> tuple[str, bytes] | None:
    name, _, encoded = line.removeprefix(_DASH).rpartition(" ")
    signed = _decoded(encoded)
    if not line.startswith(_DASH) or name != settings.LOG_ORIGIN:
        return None
    found = [key_id for key_id in settings.SIGNING_KEYS.public if _fingerprint(key_id) == signed[:4]]
    return (found[0], signed[4:]) if found else None


def _fingerprint(key_id: str) -> bytes:
    named = f"{settings.LOG_ORIGIN}\n".encode()
    return hashlib.sha256(named + _ED25519 + signing.raw_public_key(key_id)).digest()[:4]


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
