"""Where datasets are: the one name of a place, and that two datasets share none of it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from downstream import holders, stores
from downstream.connectors import resolver
from downstream.models import Dataset
from portal.errors import Conflict, DomainError

_LONGEST = 1_000
_DATABASE, _USUAL_PORT = "postgresql://", 5432


class RegistrationError(DomainError):
    """A dataset that cannot be registered as described."""


def resolved(kind: str, location: str, options: Mapping[str, Any]) -> str:
    """The place itself, so that it is one place by every name. Raises RegistrationError, ConnectorError."""
    if not location.strip():
        raise RegistrationError("location_missing", "Name the place where the data is.", field="location")
    resolve = holders.resolver(kind) if kind in holders.HOLDERS else resolver(kind)
    own = resolve(location, options) if resolve else stores.resolve(location)
    place = own or _path(location)
    if len(place) > _LONGEST:
        raise RegistrationError("invalid_location", f"A path has at most {_LONGEST} characters.", field="location")
    return place


def is_below(location: str, roots: Iterable[str]) -> bool:
    """Whether the place, links followed, is below one of these folders or prefixes. Raises RegistrationError."""
    place = stores.resolve(location) or _path(location)
    return any(_lies_in(place, stores.resolve(root) or _path(root)) for root in roots)


class LocationTaken(Conflict):
    """The place is another dataset's, or shares files with it; `slug` is the other's, not everybody's to see."""

    def __init__(self, slug: str) -> None:
        super().__init__("location_taken", f"This place is registered already, as {slug}.", field="location")
        self.slug = slug


def check_free(place: str) -> None:
    """Two datasets share no file: two runs that rewrite it at once could undo each other's removals.

    Raises LocationTaken.
    """
    for slug, taken in Dataset.objects.living().values_list("slug", "location"):
        if _lies_in(place, taken) or _lies_in(taken, place):
            raise LocationTaken(slug)


def _path(location: str) -> str:
    """The path with links followed. Raises RegistrationError."""
    try:
        return str(Path(location).resolve())
    except (OSError, RuntimeError, ValueError):
        # links in a circle, or a name that no file can have
        raise RegistrationError("invalid_location", "This path leads nowhere.", field="location") from None


def _lies_in(one: str, other: str) -> bool:
    """Whether one place is the other or lies in it: only paths lie in each other, and prefixes of one bucket."""
    if one.startswith("s3://") and other.startswith("s3://"):
        return one.startswith(other)
    if one.startswith("/") and other.startswith("/"):
        return Path(one).is_relative_to(other)
    return _table(one) == _table(other)


def _table(place: str) -> str:
    """The place without who signs in and how: a table of a database is one table to every role."""
    if not place.startswith(_DATABASE):
        return place
    address, _, name = place.partition("#")
    parts = urlsplit(address)
    said = parse_qs(parts.query)
    # libpq takes both from the parameters, too, as for a socket's folder
    host = (said.get("host") or [parts.hostname or ""])[-1].lower()
    port = (said.get("port") or [str(parts.port or _USUAL_PORT)])[-1]
    return f"{_DATABASE}{host}:{port}{parts.path}#{name}"
