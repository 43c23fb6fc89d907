"""Asking the database which key sealed a value, without opening it."""

from typing import Any

from django.db.models import BinaryField, Func


class KeyId(Func):
    """The key id that a sealed value begins with (see `portal.crypto`), as bytes; immutable, so it can be indexed."""

    template = "substring(%(expressions)s from 3 for get_byte(%(expressions)s, 1))"
    arity = 1
    output_field: Any = BinaryField()
