"""What a dataset calls people: the subject keys of its key scheme, as they are or hashed with the dataset's secret."""

import hashlib
import hmac
import uuid
from collections.abc import Callable, Iterable

from consents import subjects
from downstream.connectors.base import ConnectorError
from downstream.models import Dataset, KeyHash
from portal import crypto
from portal.crypto import CryptoError

Hash = Callable[[str], str]


def keys(people: Iterable[uuid.UUID], *, dataset: Dataset) -> dict[str, uuid.UUID]:
    """Each key that names one of the people in this dataset, and whom. The keys are personal data: not for logs."""
    named = subjects.keys(people, scheme=dataset.key_scheme)
    spelled = spelling(dataset)
    return named if spelled is None else {spelled(value): subject_id for value, subject_id in named.items()}


def spelling(dataset: Dataset) -> Hash | None:
    """How an identifier is written in the key column: hexadecimal digits of its hash; None where it is as it is.

    HMAC-SHA-256 (RFC 2104) of the identifier's UTF-8 bytes under the dataset's key, or SHA-256 over salt and
    identifier.
    Raises ConnectorError(`key_secret_unreadable`).
    """
    if not dataset.key_hash:
        return None
    try:
        secret = crypto.unseal(dataset.key_secret or b"", context=_context(dataset.slug))
    except CryptoError as error:
        raise ConnectorError(
            "key_secret_unreadable",
            f"The secret of the hashed keys of {dataset.slug} cannot be opened: put its key back into HEED_FIELD_KEYS.",
            permanent=True,
        ) from error
    if dataset.key_hash == KeyHash.HMAC:
        return lambda value: hmac.digest(secret, value.encode(), hashlib.sha256).hex()
    return lambda value: hashlib.sha256(secret + value.encode()).hexdigest()


def sealed_secret(secret: str, *, slug: str) -> bytes:
    """The secret of a dataset as it is kept."""
    return crypto.seal(secret.encode(), context=_context(slug))


def reseal(dataset: Dataset) -> bytes:
    """Its secret under the current field key. Raises CryptoError."""
    return crypto.reseal(dataset.key_secret or b"", context=_context(dataset.slug))


def _context(slug: str) -> bytes:
    return b"dataset-keys:" + slug.encode()
