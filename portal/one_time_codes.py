"""Codes sent to an address to show whose it is: how they look, how they are kept, and how often they are asked for.

A code is kept as a keyed digest bound to its row; a plain digest of so short a code could be guessed.
"""

import secrets
import uuid
from datetime import timedelta

from django.core.cache import cache

from portal import crypto

# no vowels and nothing that looks like something else, so that it can be read out and spells no word
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ23456789"
_LENGTH = 8


def make() -> str:
    """A fresh code as it is kept: eight letters and digits (28^8 of them)."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))


def shown(code: str) -> str:
    """The code as it is read: XXXX-XXXX."""
    return f"{code[:4]}-{code[4:]}"


def typed(text: str) -> str:
    """The code as it was made, however it was typed."""
    return "".join(letter for letter in text.upper() if letter.isalnum())[: _LENGTH + 1]


def digests(place: str, row: uuid.UUID, code: str) -> list[bytes]:
    """Under every index key, the current one first: the ring may be turned while a code is on its way."""
    return crypto.blind_indexes(place, f"{row}:{code}")


def count(place: str, key: str, *, window: timedelta) -> int:
    """Count one more asking by `key` in `place`, within a window that begins with the first.

    The counter is named by a keyed digest, so that nobody reads an address out of the cache.
    """
    name = f"{place}:{crypto.blind_index('rate', key).hex()}"
    seconds = int(window.total_seconds())
    if cache.add(name, 1, timeout=seconds):
        return 1
    try:
        return int(cache.incr(name))
    except ValueError:
        # it ran out between the two; or Redis is away, and this process counts alone
        counted = int(cache.get(name, 0)) + 1
        cache.set(name, counted, timeout=seconds)
        return counted
