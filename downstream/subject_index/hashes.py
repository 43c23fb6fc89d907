"""Keys as 32 bit numbers that tell nobody who they are: hashes under a secret of the dataset.

A file holds keys as text, integers or UUIDs (`engines.key_columns`), and a key is hashed in the form that the file
holds. Equal keys of one form always get equal numbers; different keys may, which costs a look and hides nobody.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from downstream.engines.key_columns import KeyForm

Hashes = np.ndarray[Any, np.dtype[np.uint32]]

_FORMAT = "heed-index-1"
_INTEGERS = (pa.int64(), pa.uint64())


@dataclass(frozen=True)
class Hasher:
    """Hashes the keys of one column of one dataset."""

    secret: bytes = field(repr=False)
    key_column: str

    @cached_property
    def make(self) -> str:
        """Names how it hashes, and under which secret, without telling it: numbers of another make mean nothing.

        polars promises equal hashes only within one version of its own, so one of them is part of the name.
        """
        parts = (_FORMAT, pl.__version__, str(self._hash(pa.array(["m_nobody"]))[0]), self.key_column)
        return hashlib.blake2b("\0".join(parts).encode(), key=self.secret[:64], digest_size=16).hexdigest()

    def column(self, column: "pa.ChunkedArray[Any]", form: KeyForm) -> Hashes:
        """A number for each row that holds a key, in any order; none for a null."""
        if form.family == "text" and not pa.types.is_dictionary(column.type):
            # a view is what polars reads without copying the text
            return self._hash(pc.cast(column, pa.string_view()))
        return self._hash(_plain(pc.cast(column, form.arrow)))

    def keys(self, keys: Collection[str], family: str) -> Hashes:
        """The numbers of those keys that can be of this family of forms."""
        if family == "integer":
            forms = [KeyForm(family, arrow) for arrow in _INTEGERS]
        else:
            forms = [KeyForm(family, pa.large_string() if family == "text" else pa.binary(16))]
        return np.unique(np.concatenate([self._hash(_plain(form.values(keys))) for form in forms]))

    def _hash(self, values: Any) -> Hashes:
        series: Any = pl.from_arrow(values)
        made: np.ndarray[Any, np.dtype[np.uint64]] = series.drop_nulls().hash(self._seed).to_numpy()
        return (made >> np.uint64(32)).astype(np.uint32)

    @property
    def _seed(self) -> int:
        return int.from_bytes(hashlib.blake2b(b"seed", key=self.secret[:64], digest_size=8).digest(), "little")


def _plain(values: Any) -> Any:
    """Integers of any width as the same 64 bits, bytes of a fixed length as bytes."""
    if values.type == pa.uint64():
        return pa.chunked_array([chunk.view(pa.int64()) for chunk in _chunks(values)], pa.int64())
    if pa.types.is_integer(values.type):
        return pc.cast(values, pa.int64())
    if pa.types.is_fixed_size_binary(values.type):
        return pc.cast(values, pa.large_binary())
    return values


def _chunks(values: Any) -> list[Any]:
    return values.chunks if isinstance(values, pa.ChunkedArray) else [values]
