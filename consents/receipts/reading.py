"""Takes apart what somebody brings to be checked: a JSON file, a PDF or a bare JWS. Believes nothing of it."""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any

from consents.receipts import issuing
from portal.errors import DomainError, TooLarge

LARGEST = 256 * 1024
"""Bytes; a receipt has some ten thousand, and thirty hashes of a proof do not change that."""
# begins only where a run of letters begins, so that no input makes it look twice at one
_JWS = re.compile(rb"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{86}(?![A-Za-z0-9_.-])")


class Unreadable(DomainError):
    """What was brought is no receipt of this house, or too damaged to be taken apart."""


@dataclass(frozen=True)
class Brought:
    """A receipt before it is checked; `shown` is the readable part of a JSON file, `file` all bytes of a PDF."""

    typ: str
    token: str
    shown: dict[str, Any] | None = None
    file: bytes | None = None


def read(data: bytes) -> Brought:
    """Find the signed receipt. Raises Unreadable and TooLarge, which quote nothing of it."""
    if len(data) > LARGEST:
        raise TooLarge("too_large", f"A receipt has at most {LARGEST // 1024} kB.")
    if data.startswith(b"%PDF-"):
        return _from_pdf(data)
    data = data.strip()
    if not data:
        raise Unreadable("empty", "There is nothing to check.")
    if data.startswith((b"{", b'"')):
        return _from_json(data)
    return _from_token(data)


def _from_pdf(data: bytes) -> Brought:
    """The attached receipt lies in the file as it is, once."""
    found = set(_JWS.findall(data))
    if len(found) != 1:
        raise Unreadable(
            "no_receipt_in_pdf", "This PDF has no signed receipt attached; it is none of ours, or was cut."
        )
    brought = _from_token(found.pop())
    if brought.typ != issuing.PDF:
        raise Unreadable("wrong_kind", "What is attached to this PDF was not signed as a printed receipt.")
    return Brought(typ=brought.typ, token=brought.token, file=data)


def _from_json(data: bytes) -> Brought:
    try:
        found = parse(data)
    except (ValueError, RecursionError) as error:
        raise Unreadable("not_json", "This is not complete JSON. Was it cut, or copied only in part?") from error
    if isinstance(found, dict) and set(found) == {"receipt"}:
        found = found["receipt"]
    if isinstance(found, str):
        return _from_token(found.encode(errors="replace"))
    if not isinstance(found, dict) or not isinstance(found.get("jws"), str):
        raise Unreadable("not_a_receipt", "This JSON carries no signed receipt in `jws`.")
    brought = _from_token(found["jws"].encode(errors="replace"))
    shown = {name: value for name, value in found.items() if name != "jws"}
    return Brought(typ=brought.typ, token=brought.token, shown=shown)


def _from_token(data: bytes) -> Brought:
    if not _JWS.fullmatch(data.strip()):
        raise Unreadable("not_a_receipt", "This reads like no receipt: neither JSON, nor a PDF, nor a signed token.")
    token = data.strip().decode("ascii")
    try:
        header, *_ = [_strictly_decoded(piece) for piece in token.split(".")]
        typ = json.loads(header)["typ"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unreadable("not_a_receipt", "This reads like a signed token, but not like one of ours.") from error
    if not isinstance(typ, str) or typ not in issuing.TYPES:
        raise Unreadable("wrong_kind", "This is a signed token, but not a receipt.")
    return Brought(typ=typ, token=token)


def _strictly_decoded(piece: str) -> bytes:
    """Base64url in its one spelling: bits that mean nothing would be letters to play with. Raises ValueError."""
    try:
        raw = base64.urlsafe_b64decode(piece + "=" * (-len(piece) % 4))
    except binascii.Error as error:
        raise ValueError(piece) from error
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != piece:
        raise ValueError
    return raw


def parse(data: bytes) -> Any:
    """JSON in which every name counts once: of two the reader would see either. Raises ValueError."""
    return json.loads(data, object_pairs_hook=_once, parse_constant=_refuse)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
