"""Signing: the house's Ed25519 keys, JWS made with them, and the public keys by which others check.

Keys come from the environment with ids (HEED_SIGNING_KEYS); the first of the ring signs. A key that no longer
signs stays published, so that what it signed keeps verifying: whole in the ring, or its public half alone in
HEED_RETIRED_SIGNING_KEYS. Protocols that know no Ed25519 get a key that is derived from the first one.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from joserfc import errors, jws
from joserfc.jwk import KeySet, OKPKey

from portal import crypto
from portal.errors import DomainError

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ALGORITHM = "Ed25519"
"""The fully specified name of RFC 9864, which deprecates `EdDSA` in JWS headers."""


class SignatureError(DomainError):
    """Not signed by this house, or altered since."""


@dataclass(frozen=True)
class SigningRing:
    """Seeds by key id, the first of which signs, and public keys that only verify."""

    seeds: dict[str, bytes]
    retired: dict[str, bytes]

    @cached_property
    def current(self) -> tuple[str, Ed25519PrivateKey]:
        key_id, seed = next(iter(self.seeds.items()))
        return key_id, Ed25519PrivateKey.from_private_bytes(seed)

    @cached_property
    def public(self) -> dict[str, Ed25519PublicKey]:
        """Every key that verifies, by id; the current one first."""
        whole = {key_id: Ed25519PrivateKey.from_private_bytes(seed).public_key() for key_id, seed in self.seeds.items()}
        halves = {key_id: Ed25519PublicKey.from_public_bytes(raw) for key_id, raw in self.retired.items()}
        return whole | halves


def parse_ring(text: str, *, retired: str = "") -> SigningRing:
    """Read `id:base64` seeds, and public keys of the same form. Raises ImproperlyConfigured with the remedy."""
    seeds = crypto.parse_ring(text, name="HEED_SIGNING_KEYS").keys
    halves = crypto.parse_ring(retired, name="HEED_RETIRED_SIGNING_KEYS").keys if retired.strip() else {}
    both = sorted(set(seeds) & set(halves))
    if both:
        raise ImproperlyConfigured(f"Key {both[0]!r} is in HEED_SIGNING_KEYS and HEED_RETIRED_SIGNING_KEYS; keep one.")
    return SigningRing(seeds=dict(seeds), retired=dict(halves))


def sign(message: bytes) -> tuple[str, bytes]:
    """The current key's id, and its signature (64 bytes) of the message."""
    key_id, key = settings.SIGNING_KEYS.current
    return key_id, key.sign(message)


def verify(message: bytes, *, key_id: str, signature: bytes) -> None:
    """Raises SignatureError unless the key of this house made the signature of this message."""
    key: Ed25519PublicKey | None = settings.SIGNING_KEYS.public.get(key_id)
    if key is None:
        raise SignatureError("unknown_key", f"No signing key of this house has the id {key_id!r}.")
    try:
        key.verify(signature, message)
    except InvalidSignature as error:
        raise SignatureError("altered", "The signature does not fit: altered, or signed by somebody else.") from error


def elliptic_key(purpose: bytes) -> ec.EllipticCurvePrivateKey:
    """A P-256 key of this purpose alone, the same as long as the current key is (HKDF, RFC 5869).

    48 bytes are reduced, so that no key is likelier than another (FIPS 186-5, A.2.1).
    """
    _, key = settings.SIGNING_KEYS.current
    derived = HKDF(algorithm=hashes.SHA256(), length=48, salt=None, info=purpose).derive(key.private_bytes_raw())
    return ec.derive_private_key(int.from_bytes(derived) % (_P256_ORDER - 1) + 1, ec.SECP256R1())


def raw_public_key(key_id: str) -> bytes:
    """The 32 bytes of a public key. Raises KeyError."""
    key: Ed25519PublicKey = settings.SIGNING_KEYS.public[key_id]
    return key.public_bytes_raw()


def seal_jws(payload: dict[str, Any], *, typ: str) -> str:
    """The payload as a compact JWS (RFC 7515), signed by the current key."""
    key_id, _ = settings.SIGNING_KEYS.current
    header = {"alg": ALGORITHM, "kid": key_id, "typ": typ}
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    return jws.serialize_compact(header, body, _private_jwk(), algorithms=[ALGORITHM])


def open_jws(token: str, *, typ: str) -> tuple[dict[str, Any], str]:
    """The payload and the id of the key that signed it. Raises SignatureError."""
    try:
        found = jws.deserialize_compact(token, _key_set(), algorithms=[ALGORITHM])
        header, payload = found.headers(), json.loads(found.payload or b"")
    except (errors.JoseError, ValueError, binascii.Error) as error:
        raise SignatureError("altered", "Not signed by this house, or altered since.") from error
    if header.get("typ") != typ or not isinstance(payload, dict):
        raise SignatureError("wrong_kind", f"This is signed by us, but it is no {typ}.")
    return payload, str(header.get("kid"))


def jwks() -> dict[str, Any]:
    """Every public key as a JWK Set (RFC 7517), the current one first."""
    return {"keys": [_public_jwk(key_id) for key_id in settings.SIGNING_KEYS.public]}


def _public_jwk(key_id: str) -> dict[str, Any]:
    x = base64.urlsafe_b64encode(raw_public_key(key_id)).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "kid": key_id, "use": "sig", "alg": ALGORITHM, "x": x}


def _private_jwk() -> OKPKey:
    key_id, key = settings.SIGNING_KEYS.current
    d = base64.urlsafe_b64encode(key.private_bytes_raw()).rstrip(b"=").decode()
    return OKPKey.import_key({**_public_jwk(key_id), "d": d})


def _key_set() -> KeySet:
    return KeySet([OKPKey.import_key(one) for one in jwks()["keys"]])
