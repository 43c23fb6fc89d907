"""Stores: where files are, on this machine or elsewhere. `base` says what each does; one is imported on first use."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from downstream.engines.errors import ConnectorError
from downstream.stores.base import Store
from downstream.stores.local import LocalStore

OPTIONS = frozenset({"endpoint"})
"""What a dataset's options may say of its store: the address of an object store that is not Amazon's."""
_ELSEWHERE = "://"


def open_store(location: str, options: Mapping[str, Any]) -> Store:
    """The store at a location; nothing is looked at yet. Raises ConnectorError."""
    if _ELSEWHERE not in location:
        return LocalStore(location)
    store: Store = _objects(location).ObjectStore(location, options)
    return store


def resolve(location: str) -> str | None:
    """The one name of a place in an object store; None for a path. Raises ConnectorError."""
    if _ELSEWHERE not in location:
        return None
    bucket, prefix = _objects(location).split(location)
    return f"s3://{bucket}/{prefix}"


def _objects(location: str) -> Any:
    scheme = location.partition(_ELSEWHERE)[0]
    if scheme != "s3":
        raise ConnectorError(
            "unknown_store",
            f"Files are reached by a path or by s3://bucket/prefix, not by {scheme}://.",
            permanent=True,
        )
    try:
        return import_module("downstream.stores.objects")
    except ModuleNotFoundError as error:
        raise ConnectorError(
            "extra_missing", "S3 needs the extra s3: pip install 'heed[s3]' on every worker.", permanent=True
        ) from error
