"""Which registered dataset a name of OpenLineage means: by its slug, or by where it lies."""

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from downstream.models import Dataset
from downstream.openlineage import Name

HEED = "heed"
_ALIKE = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "abfss": "abfs"}


@dataclass(frozen=True)
class _Registered:
    slug: str
    place: str
    dataset_id: int


class Register:
    """The living datasets by slug and place, read once for many names."""

    def __init__(self) -> None:
        rows = Dataset.objects.living().values_list("slug", "location", "pk")
        every = [_Registered(slug, of_location(location), pk) for slug, location, pk in rows]
        self._by_slug = {one.slug: one.dataset_id for one in every}
        # the longest first: a dataset within another's folder is meant before that other
        self._by_place = sorted(every, key=lambda one: len(one.place), reverse=True)

    def find(self, names: Iterable[Name]) -> int | None:
        """The id of the dataset that one of the names means: itself, or something that lies in it."""
        for name in names:
            slug = slug_in(name)
            if slug is not None:
                return self._by_slug.get(slug)
            place = of_name(name)
            for one in self._by_place:
                if place == one.place or place.startswith(f"{one.place.rstrip('/')}/"):
                    return one.dataset_id
        return None


def slug_in(name: Name) -> str | None:
    """The slug that the name states: `heed` and `posts`, or `heed:posts` in any namespace."""
    if name.namespace == HEED:
        return name.name.removeprefix(f"{HEED}:")
    return name.name.removeprefix(f"{HEED}:") if name.name.startswith(f"{HEED}:") else None


def model_in(name: Name) -> str | None:
    """The model that the name states: `model/<name>` where a slug would stand."""
    stated = slug_in(name)
    return stated.removeprefix("model/") if stated is not None and stated.startswith("model/") else None


def of_name(name: Name) -> str:
    """The place that namespace and name are put together to (openlineage.io/docs/spec/naming)."""
    scheme, _, authority = name.namespace.partition(":")
    if scheme == "file":
        return of_location(name.name if name.name.startswith("/") else f"/{name.name}")
    return of_location(f"{scheme}://{authority.strip('/')}/{name.name.lstrip('/')}")


def of_location(location: str) -> str:
    """A place in one spelling: `s3a://b/x/` and `s3://b/x` are one, `file:/x` and `/x` are."""
    scheme, colon, rest = location.partition(":")
    if not colon or "/" in scheme:
        return posixpath.normpath(location)
    if scheme == "file":
        return posixpath.normpath("/" + unquote(rest).lstrip("/"))
    return f"{_ALIKE.get(scheme, scheme)}://{posixpath.normpath(rest.strip('/'))}"
