"""The register of datasets: taking one in, connecting to it, what would happen to it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction

from consents import holds, purposes, sequencer
from consents.models import Partner, Recipient
from consents.vocabulary import Scheme
from downstream import indexing, stores
from downstream.connectors import KINDS, open_connector, resolver
from downstream.connectors.base import Connector, Description
from downstream.connectors.statement_columns import OPTIONS
from downstream.models import Dataset
from downstream.propagation_states import Status
from portal import audit
from portal.errors import Conflict, DomainError, NotFound

Clock = Callable[[], datetime]
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")
_LONGEST_NAME, _LONGEST_LOCATION = 120, 1_000
_LONGEST_DEADLINE = 24 * 366


class RegistrationError(DomainError):
    """A dataset that cannot be registered as described."""


@dataclass(frozen=True)
class Registration:
    """What has to be known of a dataset."""

    slug: str
    name: str
    owner: str
    purposes: tuple[str, ...]
    location: str
    key_column: str
    key_scheme: str
    kind: str = "parquet_folder"
    public_name: str = ""
    category: str = ""
    deadline_hours: int = 24
    created_column: str = ""
    content_usage_column: str = ""
    tdm_reservation_column: str = ""
    connector_options: Mapping[str, Any] = field(default_factory=dict)
    """What else the kind's connector has to know; it refuses what it does not. Staff see it: never a credential."""

    @property
    def options(self) -> dict[str, Any]:
        """All that the connector is told besides place, key and times."""
        statements = {name: getattr(self, name) for name in sorted(OPTIONS) if getattr(self, name)}
        return {**self.connector_options, **statements}


def connect(dataset: Dataset, *, at: datetime | None = None) -> Connector:
    """The connector that reaches this dataset; a run says when it looks again. Raises ConnectorError."""
    options = {**dataset.options, **_created(dataset.created_column)}
    connector = open_connector(dataset.kind, dataset.location, dataset.key_column, options)
    indexing.use(connector, dataset=dataset, at=at)
    return connector


def _created(column: str) -> dict[str, str]:
    return {"created_column": column} if column else {}


def check(registration: Registration) -> Description:
    """Test the connection and everything named; changes nothing.

    Raises RegistrationError, NotFound, Conflict(`slug_taken` | `location_taken`), ConnectorError.
    """
    _check_words(registration)
    for slug in registration.purposes:
        purposes.get(slug)
    purposes.check_category(registration.category)
    _check_scheme(registration.key_scheme)
    if not Recipient.objects.filter(slug=registration.owner).exists():
        raise NotFound("unknown_recipient", "The owner is no recipient that we know.", field="owner")
    if Dataset.objects.filter(slug=registration.slug).exists():
        raise Conflict("slug_taken", "A dataset of this slug is registered already.", field="slug")
    location = _resolved(registration)
    _check_free(location)
    options = registration.options | _created(registration.created_column)
    return open_connector(registration.kind, location, registration.key_column, options).describe()


def _check_words(registration: Registration) -> None:
    if not _SLUG.fullmatch(registration.slug):
        raise RegistrationError("invalid_slug", "A slug is lower-case letters, digits and -.", field="slug")
    for name in ("name", "public_name"):
        if len(getattr(registration, name)) > _LONGEST_NAME:
            raise RegistrationError("name_too_long", f"A name has at most {_LONGEST_NAME} characters.", field=name)
    if registration.kind not in KINDS:
        raise RegistrationError("unknown_kind", f"A kind is one of: {', '.join(sorted(KINDS))}.", field="kind")
    if not registration.purposes:
        raise RegistrationError("purpose_missing", "Name at least one purpose that it serves.", field="purposes")
    if not 1 <= registration.deadline_hours <= _LONGEST_DEADLINE:
        raise RegistrationError(
            "invalid_deadline", f"The deadline is 1 to {_LONGEST_DEADLINE} hours.", field="deadline_hours"
        )


def _check_scheme(scheme: str) -> None:
    """A mistyped scheme would name nobody, and no no would ever arrive."""
    if scheme in Scheme.values or Partner.objects.filter(schemes__contains=[scheme]).exists():
        return
    known = ", ".join(Scheme.values)
    raise RegistrationError("unknown_scheme", f"A scheme is one of {known}, or a partner's own.", field="key_scheme")


def _resolved(registration: Registration) -> str:
    """The place itself, so that it is one place by every name. Raises RegistrationError, ConnectorError."""
    location = registration.location
    if not location.strip():
        raise RegistrationError("location_missing", "Name the place where the data is.", field="location")
    resolve = resolver(registration.kind)
    own = resolve(location, registration.options) if resolve else stores.resolve(location)
    resolved = own or _path(location)
    if len(resolved) > _LONGEST_LOCATION:
        raise RegistrationError(
            "invalid_location", f"A path has at most {_LONGEST_LOCATION} characters.", field="location"
        )
    return resolved


def _path(location: str) -> str:
    """The path with links followed. Raises RegistrationError."""
    try:
        return str(Path(location).resolve())
    except (OSError, RuntimeError, ValueError):
        # links in a circle, or a name that no file can have
        raise RegistrationError("invalid_location", "This path leads nowhere.", field="location") from None


def _check_free(location: str) -> None:
    """Two datasets share no file: two runs that rewrite it at once could undo each other's removals."""
    for slug, taken in Dataset.objects.living().values_list("slug", "location"):
        if _overlap(location, taken):
            raise Conflict("location_taken", f"This place is registered already, as {slug}.", field="location")


def _overlap(one: str, other: str) -> bool:
    """Whether one place is the other or lies in it: only paths lie in each other, and prefixes of one bucket."""
    if one.startswith("s3://") and other.startswith("s3://"):
        return one.startswith(other) or other.startswith(one)
    if not (one.startswith("/") and other.startswith("/")):
        return one == other
    return Path(one).is_relative_to(other) or Path(other).is_relative_to(one)


@transaction.atomic
def register(*, registration: Registration, by: str, at: datetime) -> Dataset:
    """Take a dataset in, at log position 0: the first propagation removes whoever may not be in it.

    Raises what `check` raises; nothing is written then.
    """
    dataset = unsaved(registration, check(registration), at=at)
    try:
        with transaction.atomic():
            dataset.save()
    except IntegrityError as error:
        raise Conflict("location_taken", "This slug or place was registered just now; try again.") from error
    audit.record(
        at=at,
        by=by,
        action="dataset.register",
        of=("dataset", dataset.slug),
        details={"kind": dataset.kind, "purposes": dataset.purposes, "rows": dataset.row_count},
    )
    return dataset


def unsaved(registration: Registration, described: Description, *, at: datetime) -> Dataset:
    """The dataset as it would be registered."""
    return Dataset(
        slug=registration.slug,
        name=registration.name,
        public_name=registration.public_name or registration.name,
        owner_id=registration.owner,
        purposes=list(registration.purposes),
        kind=registration.kind,
        location=_resolved(registration),
        key_column=registration.key_column,
        key_scheme=registration.key_scheme,
        created_column=registration.created_column,
        category=registration.category,
        deadline_hours=registration.deadline_hours,
        options=registration.options,
        row_count=described.rows,
        file_count=described.files,
        registered_at=at,
    )


@transaction.atomic
def name_created_column(*, dataset: Dataset, column: str, by: str, at: datetime) -> None:
    """Say which column tells when a row was made. Runs that went by another, or by none, are done again.

    A run that stopped, such as for want of the column, goes by this one when it is tried again. Raises ConnectorError
    where a file has no such column, RegistrationError, and Conflict(`run_open`) while another run is open.
    """
    if not column.strip():
        raise RegistrationError("column_missing", "Name the column.", field="created_column")
    locked = Dataset.objects.select_for_update().get(pk=dataset.pk)
    was, locked.created_column = locked.created_column, column.strip()
    connect(locked).describe()
    if column.strip() != was:
        # locked, so that no worker begins with the column of before
        for run in locked.propagations.busy().select_for_update():
            if run.status != Status.STOPPED:
                raise Conflict("run_open", "A run of this dataset is open; name the column once it has ended.")
        locked.position = _before_spans(locked, at=at)
    locked.save(update_fields=["created_column", "position"])
    details = {"was": was, "column": locked.created_column}
    audit.record(at=at, by=by, action="dataset.name_created_column", of=("dataset", locked.slug), details=details)


def _before_spans(dataset: Dataset, *, at: datetime) -> int:
    """The position before the first hold over a span of data that bears on this dataset, or where it is."""
    paused = holds.over_spans(purposes_served=dataset.purposes, recipient=dataset.owner_id, at=at)
    opened = (sequencer.position_of(holds.opening_event(hold)) for hold in paused)
    return min([dataset.position, *(position - 1 for position in opened if position is not None)])
