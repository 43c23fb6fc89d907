"""Field encryption and blind indexes.

Keys come from the environment with ids, so that they can rotate: the first key of a ring seals,
every key of it opens. A sealed value is `version(1) | id length(1) | key id | nonce(12) | AES-256-GCM`.
"""

import base64
import binascii
import hashlib
import hmac
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from portal.errors import DomainError

_VERSION = b"\x01"
_NONCE_BYTES = 12
KEY_BYTES = 32
LONGEST_KEY_ID = 32

Sealed = bytes | memoryview
"""What the database hands back for a sealed value."""


class CryptoError(DomainError):
    """A sealed value cannot be opened."""


@dataclass(frozen=True)
class Ring:
    """Keys by id, the first of which is the current one."""

    keys: dict[str, bytes]

    @property
    def current(self) -> tuple[str, bytes]:
        return next(iter(self.keys.items()))


def parse_ring(text: str, *, name: str) -> Ring:
    """Read `id:base64,id:base64`; each key is 32 bytes. Raises ImproperlyConfigured with the remedy."""
    keys: dict[str, bytes] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        key_id, _, encoded = part.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error as error:
            raise ImproperlyConfigured(f"{name}: key {key_id!r} is not base64.") from error
        if not key_id or len(key_id) > LONGEST_KEY_ID or len(key) != KEY_BYTES:
            raise ImproperlyConfigured(
                f"{name}: write each key as id:base64 of 32 random bytes, the current one first."
            )
        keys[key_id] = key
    if not keys:
        raise ImproperlyConfigured(f"{name} is empty: set it to id:base64 of 32 random bytes.")
    return Ring(keys)


def seal(plain: bytes, *, context: bytes) -> bytes:
    """Encrypt under the current field key; `context` binds the value to its place."""
    key_id, key = settings.FIELD_KEYS.current
    return _seal(plain, key=key, key_id=key_id, context=context)


def unseal(sealed: Sealed, *, context: bytes) -> bytes:
    """Decrypt what `seal` made. Raises CryptoError when the key is unknown or the value was altered."""
    key_id, body = _split(sealed)
    key = settings.FIELD_KEYS.keys.get(key_id)
    if key is None:
        raise CryptoError("unknown_key", f"No field key with id {key_id!r}; add it to HEED_FIELD_KEYS.")
    return _open(body, key=key, context=context)


def key_id_of(sealed: Sealed) -> str:
    """The id of the field key that sealed this; empty where a person's own key did. Raises CryptoError."""
    return _split(sealed)[0]


def reseal(sealed: Sealed, *, context: bytes) -> bytes:
    """The same value under the current field key. Raises CryptoError when it cannot be opened."""
    return seal(unseal(sealed, context=context), context=context)


def new_subject_key(*, subject_id: str) -> bytes:
    """A fresh key for one person, wrapped by the current field key; destroying it erases the person's values."""
    return seal(os.urandom(KEY_BYTES), context=_subject_context(subject_id))


def rewrap(wrapped: Sealed, *, subject_id: str) -> bytes:
    """A person's key, the same as before, wrapped by the current field key. Raises CryptoError."""
    return reseal(wrapped, context=_subject_context(subject_id))


def seal_for(wrapped: Sealed, plain: str, *, subject_id: str, context: bytes) -> bytes:
    """Encrypt a person's value under that person's key."""
    key = unseal(wrapped, context=_subject_context(subject_id))
    return _seal(plain.encode(), key=key, key_id="", context=context)


def unseal_for(wrapped: Sealed, sealed: Sealed, *, subject_id: str, context: bytes) -> str:
    """Decrypt what `seal_for` made. Raises CryptoError."""
    key = unseal(wrapped, context=_subject_context(subject_id))
    return _open(_split(sealed)[1], key=key, context=context).decode()


def blind_index(scheme: str, value: str) -> bytes:
    """Keyed fingerprint (HMAC-SHA-256, 32 bytes) by which a value is found without being readable."""
    return blind_indexes(scheme, value)[0]


def blind_indexes(scheme: str, value: str) -> list[bytes]:
    """The fingerprint under each key of the ring, the current one first.

    Old index keys stay in the ring: fingerprints of erased people cannot be made again from anything.
    """
    message = f"{scheme}\0{value}".encode()
    return [hmac.digest(key, message, hashlib.sha256) for key in settings.INDEX_KEYS.keys.values()]


def current_index_key() -> str:
    """The id of the key that makes new fingerprints."""
    key_id: str = settings.INDEX_KEYS.current[0]
    return key_id


def _subject_context(subject_id: str) -> bytes:
    return b"subject-key:" + subject_id.encode()


def _seal(plain: bytes, *, key: bytes, key_id: str, context: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    name = key_id.encode()
    return _VERSION + bytes([len(name)]) + name + nonce + AESGCM(key).encrypt(nonce, plain, context)


def _split(sealed: Sealed) -> tuple[str, bytes]:
    sealed = bytes(sealed)
    if len(sealed) < 2 or sealed[:1] != _VERSION:
        raise CryptoError("unknown_format", "This value was not sealed by this version of Heed.")
    end = 2 + sealed[1]
    return sealed[2:end].decode(errors="replace"), sealed[end:]


def _open(body: bytes, *, key: bytes, context: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], context)
    except (InvalidTag, ValueError) as error:
        # ValueError: what is left is too short to hold a nonce
        raise CryptoError("altered", "The value was altered, or belongs to another place or key.") from error
