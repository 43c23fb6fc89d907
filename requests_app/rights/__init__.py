"""What carrying out each right means, one module a right."""

from importlib import import_module
from typing import cast

from requests_app.rights.base import Meaning
from requests_app.states import Right


def of(right: str) -> Meaning:
    """The module of that right. Raises ValueError for what is none."""
    return cast(Meaning, import_module(f"requests_app.rights.{Right(right).value}"))
