"""Short references that a person can read out over the phone, made from UUIDs and back."""

import uuid

from portal.errors import NotFound

# Crockford's alphabet: no I, L, O, U, so nothing is misread.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 26


def encode(prefix: str, value: uuid.UUID) -> str:
    """`R-01ABC…`: the whole UUID in Crockford base32."""
    number, digits = value.int, []
    for _ in range(_LENGTH):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return f"{prefix}-{''.join(reversed(digits))}"


def decode(prefix: str, reference: str) -> uuid.UUID:
    """Back to the UUID. Raises NotFound for anything that was never given out."""
    head, _, body = reference.strip().upper().partition("-")
    body = body.translate(str.maketrans("ILO", "110"))
    if head != prefix or len(body) != _LENGTH or any(letter not in _ALPHABET for letter in body):
        raise NotFound("unknown_reference", f"No {prefix} reference reads like this.")
    number = 0
    for letter in body:
        number = number * 32 + _ALPHABET.index(letter)
    if number >= 1 << 128:
        raise NotFound("unknown_reference", f"No {prefix} reference reads like this.")
    return uuid.UUID(int=number)
