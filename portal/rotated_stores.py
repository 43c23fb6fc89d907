"""What apps above the floor seal with the ring's keys, by name, so that a rotation of keys finds it.

`consents` carries rotations out and may not know the apps above it; they say here what is theirs.
"""

from typing import TYPE_CHECKING

from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from portal.resealing import Store

_NAMES: list[str] = []


def add(name: str) -> None:
    """The dotted name of a `Store`; an app's `ready` calls this."""
    if name not in _NAMES:
        _NAMES.append(name)


def every() -> "tuple[Store, ...]":
    """The stores, in the order in which they were added."""
    return tuple(import_string(name) for name in _NAMES)
