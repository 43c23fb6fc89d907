"""Stores: where files are, on this machine or elsewhere. `base` says what each does; one is imported on first use."""

from collections.abc import Mapping
from typing import Any

from downstream.stores.base import Store
from downstream.stores.local import LocalStore

OPTIONS: frozenset[str] = frozenset()
"""What a dataset's options may say of its store."""


def open_store(location: str, options: Mapping[str, Any]) -> Store:
    """The store at a location; nothing is looked at yet. Raises ConnectorError."""
    return LocalStore(location)
