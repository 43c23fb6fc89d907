"""Reading OpenLineage RunEvents (openlineage.io/spec/2-0-2), as Airflow, Spark, dbt and Flink send them.

Strict about what Heed needs, which is little; whatever else an event carries is passed over.
"""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from portal.errors import DomainError

TYPES = ("START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER")
_LONGEST_NAMESPACE, _LONGEST_NAME = 500, 1_000
_MOST_DATASETS, _MOST_SYMLINKS = 200, 20
_LONGEST_VERSION = 200
_EARLIEST_YEAR = 1970
"""Before anything was reported; a database takes no time that is before year 1 somewhere."""
_REPLACING = frozenset({"CREATE", "OVERWRITE", "TRUNCATE", "DROP"})
"""Words of the facet lifecycleStateChange after which nothing of before is left."""


class EventError(DomainError):
    """No RunEvent that could be understood; `field` says where, `message` what to send instead."""


@dataclass(frozen=True)
class Name:
    """What names a dataset: the namespace of its source, and its name in there."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Side:
    """One input or output. `also` are its other names (facet symlinks), `version` what its sender says it is."""

    named: Name
    also: tuple[Name, ...] = ()
    version: str | None = None
    replaces: bool = False
    is_model: bool = False

    @property
    def names(self) -> tuple[Name, ...]:
        return (self.named, *self.also)


@dataclass(frozen=True)
class Event:
    """A RunEvent, as far as Heed reads it."""

    run_id: uuid.UUID
    type: str
    time: datetime
    job: Name
    producer: str
    inputs: tuple[Side, ...]
    outputs: tuple[Side, ...]


def read(sent: Any) -> Event:
    """The event that was sent as JSON. Raises EventError."""
    if not isinstance(sent, dict):
        raise EventError("not_an_event", "An event is a JSON object.", field="")
    if "run" not in sent:
        raise EventError(
            "not_a_run_event",
            "Only RunEvents are taken: `run` is missing, as in a DatasetEvent or JobEvent.",
            field="run",
        )
    return Event(
        run_id=_run_id(_object(sent, "run")),
        type=_type(sent.get("eventType", "OTHER")),
        time=_time(sent.get("eventTime")),
        job=_name(_object(sent, "job"), "job", most=_LONGEST_NAMESPACE),
        producer=_printable(sent.get("producer"), _LONGEST_NAMESPACE) or "",
        inputs=tuple(_sides(sent, "inputs")),
        outputs=tuple(_sides(sent, "outputs")),
    )


def _run_id(run: dict[str, Any]) -> uuid.UUID:
    given = run.get("runId")
    try:
        return uuid.UUID(given)
    except (AttributeError, TypeError, ValueError) as error:
        raise EventError("run_id_malformed", "runId is a UUID.", field="run.runId") from error


def _type(given: Any) -> str:
    # some senders write it in small letters
    kind = given.upper() if isinstance(given, str) else ""
    if kind not in TYPES:
        raise EventError("event_type_unknown", f"eventType is one of {', '.join(TYPES)}.", field="eventType")
    return kind


def _time(given: Any) -> datetime:
    try:
        moment = parse_datetime(given) if isinstance(given, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise EventError("event_time_malformed", "eventTime is a time as in RFC 3339.", field="eventTime")
    if moment.tzinfo is None:
        raise EventError("event_time_without_zone", "State eventTime with its zone.", field="eventTime")
    try:
        moment.timestamp()
    except (OverflowError, ValueError) as error:
        raise EventError("event_time_malformed", "eventTime is beyond the calendar.", field="eventTime") from error
    if moment.year < _EARLIEST_YEAR:
        raise EventError("event_time_malformed", f"eventTime is {_EARLIEST_YEAR} or later.", field="eventTime")
    return moment


def _object(sent: dict[str, Any], name: str) -> dict[str, Any]:
    found = sent.get(name)
    if not isinstance(found, dict):
        raise EventError("object_missing", f"{name} is an object.", field=name)
    return found


def _name(sent: dict[str, Any], field: str, *, most: int = _LONGEST_NAME) -> Name:
    return Name(_word(sent, "namespace", field, _LONGEST_NAMESPACE), _word(sent, "name", field, most))


def _word(sent: dict[str, Any], name: str, field: str, most: int) -> str:
    word = sent.get(name)
    place = f"{field}.{name}"
    if not isinstance(word, str) or not word.strip():
        raise EventError("name_missing", f"{place} is a text that is not empty.", field=place)
    if len(word) > most or not word.isprintable():
        raise EventError("name_malformed", f"{place} has at most {most} printable characters.", field=place)
    return word


def _sides(sent: dict[str, Any], field: str) -> Iterator[Side]:
    # senders leave it out, or write null, where there is none
    rows = sent.get(field) or []
    if not isinstance(rows, list) or len(rows) > _MOST_DATASETS:
        raise EventError("list_malformed", f"{field} is a list of at most {_MOST_DATASETS} datasets.", field=field)
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise EventError("object_missing", f"{field} holds objects.", field=f"{field}.{number}")
        yield _side(row, f"{field}.{number}")


def _side(row: dict[str, Any], field: str) -> Side:
    facets = row.get("facets")
    facets = facets if isinstance(facets, dict) else {}
    version = _in_facet(facets, "version", "datasetVersion")
    return Side(
        named=_name(row, field),
        also=tuple(_symlinks(facets)),
        version=_printable(str(version) if type(version) is int else version, _LONGEST_VERSION),
        replaces=str(_in_facet(facets, "lifecycleStateChange", "lifecycleStateChange")).upper() in _REPLACING,
        is_model=str(_in_facet(facets, "datasetType", "datasetType")).upper() == "MODEL",
    )


def _printable(given: Any, most: int) -> str | None:
    """A text that only tells more, as far as it can be kept: no database takes a NUL or half a surrogate."""
    return given if isinstance(given, str) and len(given) <= most and given.isprintable() else None


def _in_facet(facets: dict[str, Any], facet: str, name: str) -> Any:
    found = facets.get(facet)
    return found.get(name) if isinstance(found, dict) else None


def _symlinks(facets: dict[str, Any]) -> Iterator[Name]:
    """The facet symlinks; an entry that cannot be read is passed over, because it only adds a name."""
    entries: Iterable[Any] = _in_facet(facets, "symlinks", "identifiers") or ()
    for entry in entries[:_MOST_SYMLINKS] if isinstance(entries, list) else ():
        try:
            yield _name(entry, "")
        except (EventError, AttributeError):
            continue
