"""The register of datasets: taking one in, connecting to it, what would happen to it."""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet

from consents import holds, purposes, sequencer
from consents.models import Partner, Recipient
from consents.vocabulary import Scheme
from downstream import holders, indexing, locations, naming, versions
from downstream.connectors import KINDS, open_connector
from downstream.connectors.base import Connector, ConnectorError, Description, Manifest
from downstream.connectors.statement_columns import OPTIONS
from downstream.holders import HOLDERS
from downstream.holders.base import Holder, Place
from downstream.locations import RegistrationError
from downstream.models import Dataset, KeyHash
from downstream.propagation_states import Status
from portal import audit
from portal.errors import Conflict, NotFound

Clock = Callable[[], datetime]
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")
_LONGEST_NAME, _LONGEST_LOCATION = 120, 1_000
_LONGEST_DEADLINE = 24 * 366
_LOCK = 0x48_45_45_52
"""The advisory lock of whoever takes a dataset in: two at once would not see each other's places."""
_SHORTEST_SECRET, _LONGEST_SECRET = 16, 1_000


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
    window_minutes: int = 0
    created_column: str = ""
    content_usage_column: str = ""
    tdm_reservation_column: str = ""
    connector_options: Mapping[str, Any] = field(default_factory=dict)
    """What else the kind's connector has to know; it refuses what it does not. Staff see it: never a credential."""
    key_hash: str = ""
    key_secret: str = field(default="", repr=False)

    @property
    def options(self) -> dict[str, Any]:
        """All that the connector is told besides place, key and times."""
        statements = {name: getattr(self, name) for name in sorted(OPTIONS) if getattr(self, name)}
        return {**self.connector_options, **statements}


@dataclass(frozen=True)
class Prepared:
    """A dataset that was looked at and found fit to be registered."""

    dataset: Dataset
    manifest: Manifest | None


def connect(dataset: Dataset, *, at: datetime | None = None) -> Connector:
    """The connector that reaches this dataset; a run says when it looks again.

    Raises ConnectorError (`held_by_another` where none does).
    """
    if is_remote(dataset):
        raise ConnectorError("held_by_another", "Somebody else holds this dataset; they are asked.", permanent=True)
    options = {**dataset.options, **_created(dataset.created_column)}
    connector = open_connector(dataset.kind, dataset.location, dataset.key_column, options)
    indexing.use(connector, dataset=dataset, at=at)
    return connector


def is_remote(dataset: Dataset) -> bool:
    """Whether somebody else holds it: then they are asked (`asking`), and nobody of ours looks into it."""
    return dataset.kind in HOLDERS


def ours() -> "QuerySet[Dataset]":
    """The living datasets that we look into ourselves."""
    return Dataset.objects.living().exclude(kind__in=HOLDERS)


def holder(dataset: Dataset) -> Holder:
    """The way to whoever holds this dataset. Raises ConnectorError."""
    return holders.open_holder(_place(dataset))


def _place(of: "Dataset | Registration") -> Place:
    owner = of.owner_id if isinstance(of, Dataset) else of.owner
    location = of.location if isinstance(of, Dataset) else _resolved(of)
    return Place(of.kind, location, owner, of.key_scheme, of.created_column, of.options)


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
    _check_hash(registration)
    if not Recipient.objects.filter(slug=registration.owner).exists():
        raise NotFound("unknown_recipient", "The owner is no recipient that we know.", field="owner")
    if Dataset.objects.filter(slug=registration.slug).exists():
        raise Conflict("slug_taken", "A dataset of this slug is registered already.", field="slug")
    location = _resolved(registration)
    locations.check_free(location)
    if registration.kind in HOLDERS:
        return holders.open_holder(_place(registration)).describe()
    options = registration.options | _created(registration.created_column)
    described = open_connector(registration.kind, location, registration.key_column, options).describe()
    _check_hashed_column(registration, described)
    return described


def new_secret() -> str:
    """A secret for a dataset's key hashes: 256 random bits as hexadecimal digits. Show it once; it is kept sealed."""
    return secrets.token_hex(32)


def _resolved(registration: Registration) -> str:
    return locations.resolved(registration.kind, registration.location, registration.options)


def _check_words(registration: Registration) -> None:
    if not _SLUG.fullmatch(registration.slug):
        raise RegistrationError("invalid_slug", "A slug is lower-case letters, digits and -.", field="slug")
    for name in ("name", "public_name"):
        if len(getattr(registration, name)) > _LONGEST_NAME:
            raise RegistrationError("name_too_long", f"A name has at most {_LONGEST_NAME} characters.", field=name)
    if registration.kind not in KINDS.keys() | HOLDERS.keys():
        known = ", ".join(sorted([*KINDS, *HOLDERS]))
        raise RegistrationError("unknown_kind", f"A kind is one of: {known}.", field="kind")
    if not registration.purposes:
        raise RegistrationError("purpose_missing", "Name at least one purpose that it serves.", field="purposes")
    if not 1 <= registration.deadline_hours <= _LONGEST_DEADLINE:
        raise RegistrationError(
            "invalid_deadline", f"The deadline is 1 to {_LONGEST_DEADLINE} hours.", field="deadline_hours"
        )
    if not 0 <= registration.window_minutes <= registration.deadline_hours * 30:
        raise RegistrationError(
            "invalid_window", "The window is 0 to half of the deadline, in minutes.", field="window_minutes"
        )


def _check_scheme(scheme: str) -> None:
    """A mistyped scheme would name nobody, and no no would ever arrive."""
    if scheme in Scheme.values or Partner.objects.filter(schemes__contains=[scheme]).exists():
        return
    known = ", ".join(Scheme.values)
    raise RegistrationError("unknown_scheme", f"A scheme is one of {known}, or a partner's own.", field="key_scheme")


def _check_hash(registration: Registration) -> None:
    if registration.key_hash not in {"", *KeyHash.values}:
        known = ", ".join(KeyHash.values)
        raise RegistrationError("unknown_key_hash", f"Keys are hashed by one of: {known}.", field="key_hash")
    if not registration.key_hash and registration.key_secret:
        raise RegistrationError("secret_without_hash", "Say also how the keys are hashed.", field="key_hash")
    if registration.key_hash and not _SHORTEST_SECRET <= len(registration.key_secret) <= _LONGEST_SECRET:
        raise RegistrationError(
            "invalid_key_secret",
            f"The secret of the hashes has {_SHORTEST_SECRET} to {_LONGEST_SECRET} characters.",
            field="key_secret",
        )


def _check_hashed_column(registration: Registration, described: Description) -> None:
    kinds = {column.name: column.kind for column in described.columns}
    if registration.key_hash and kinds.get(registration.key_column, "text") != "text":
        raise RegistrationError(
            "hashes_not_text", "Hashed keys are hexadecimal digits in a text column.", field="key_column"
        )


def register(*, registration: Registration, by: str, at: datetime) -> Dataset:
    """Take a dataset in, at log position 0: the first propagation removes whoever may not be in it.

    Raises what `check` raises; nothing is written then.
    """
    return take_in(prepare(registration, at=at), by=by, at=at)


def prepare(registration: Registration, *, at: datetime) -> Prepared:
    """Everything that has to be read of it, outside any transaction: files may be many. Raises what `check` raises."""
    dataset = unsaved(registration, check(registration), at=at)
    # of what somebody else holds nobody of ours can name a version
    return Prepared(dataset, None if is_remote(dataset) else connect(dataset).manifest())


@transaction.atomic
def take_in(prepared: Prepared, *, by: str, at: datetime) -> Dataset:
    """The rest of registering. Raises Conflict(`location_taken`), also where somebody was faster."""
    dataset = prepared.dataset
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    # looked at again: places that lie in each other are not equal, so no constraint of the table keeps them apart
    locations.check_free(dataset.location)
    try:
        with transaction.atomic():
            dataset.save()
            if prepared.manifest is not None:
                versions.begin(dataset=dataset, manifest=prepared.manifest, at=at)
    except IntegrityError as error:
        raise Conflict("location_taken", "This slug or place was registered just now; try again.") from error
    audit.record(
        at=at,
        by=by,
        action="dataset.register",
        of=("dataset", dataset.slug),
        details={
            "kind": dataset.kind,
            "purposes": dataset.purposes,
            "rows": dataset.row_count,
            "key_hash": dataset.key_hash,
        },
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
        key_hash=registration.key_hash,
        key_secret=naming.sealed_secret(registration.key_secret, slug=registration.slug)
        if registration.key_hash
        else None,
        created_column=registration.created_column,
        category=registration.category,
        deadline_hours=registration.deadline_hours,
        window_minutes=registration.window_minutes,
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
    (holder(locked) if is_remote(locked) else connect(locked)).describe()
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
