"""What a controller's message says (OpenDSR 2.0, section 7.1): read and checked, before anybody is looked up.

Fields that the protocol does not know are refused; only `extensions`, which are other processors' and of which we know
none, may hold anything.
"""

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from consents import subjects
from consents.models import Partner
from consents.subjects import IdentifierError, Name
from consents.vocabulary import CONTACT_SCHEMES, Scheme
from downstream import opendsr_wire, outbound
from downstream.opendsr_wire import CUSTOMER, EMAIL, FORMATS, RAW, REGULATIONS, TYPES
from downstream.outbound import OutboundError
from portal.clock import TOLERANCE
from portal.errors import DomainError

IDENTITIES = ((CUSTOMER, RAW), (EMAIL, RAW))
"""By what we find people: addresses are kept under keyed fingerprints, so a plain digest of one finds nobody."""
MOST_IDENTITIES = 100
MOST_CALLBACKS = 5
OLDEST = timedelta(days=366)
_FIELDS = {
    "regulation",
    "subject_request_id",
    "subject_request_type",
    "submitted_time",
    "subject_identities",
    "api_version",
    "status_callback_urls",
    "extensions",
}
_IDENTITY_FIELDS = {"identity_type", "identity_value", "identity_format"}


class Refused(DomainError):
    """A message that is not taken; `field` is what is wrong with it."""


@dataclass(frozen=True)
class Instruction:
    """What a controller asks of us about one person."""

    id: uuid.UUID
    request_type: str
    regulation: str
    submitted_at: datetime
    names: tuple[Name, ...] = field(repr=False)
    callbacks: tuple[str, ...] = field(default=(), repr=False)


def read(message: dict[str, Any], *, controller: Partner, at: datetime) -> Instruction:
    """The instruction in a message of this controller, which names people by its own schemes. Raises Refused."""
    unknown = sorted(set(message) - _FIELDS)
    if unknown:
        raise Refused("unknown_field", "There is a field that OpenDSR 2.0 does not know.", field=_short(unknown[0]))
    _check_version(message.get("api_version"))
    if not isinstance(message.get("extensions") or {}, dict):
        raise Refused("malformed", "extensions are objects by the domain of a processor.", field="extensions")
    return Instruction(
        id=_id(message.get("subject_request_id")),
        request_type=_one_of(message, "subject_request_type", TYPES),
        regulation=_one_of(message, "regulation", REGULATIONS),
        submitted_at=_submitted(message.get("submitted_time"), at),
        names=_names(message.get("subject_identities"), controller),
        callbacks=_callbacks(message.get("status_callback_urls")),
    )


def scheme_of_customers(controller: Partner) -> str | None:
    """By which scheme a controller's customer ids are kept: its registration's first that is no address or device."""
    return next((one for one in controller.schemes if one not in {*CONTACT_SCHEMES, Scheme.DEVICE}), None)


def _check_version(given: Any) -> None:
    if given is not None and str(given).partition(".")[0] != opendsr_wire.VERSION.partition(".")[0]:
        raise Refused("unsupported_version", f"We speak version {opendsr_wire.VERSION}.", field="api_version")


def _id(given: Any) -> uuid.UUID:
    try:
        found = uuid.UUID(given) if isinstance(given, str) else None
    except ValueError:
        found = None
    # the protocol wants it in lower case (section 1.1)
    if found is None or found.version != 4 or str(found) != given:
        raise Refused(
            "malformed_id", "A request has an id of its own: a UUID of version 4.", field="subject_request_id"
        )
    return found


def _one_of(message: dict[str, Any], name: str, known: tuple[str, ...]) -> str:
    given = message.get(name)
    if not isinstance(given, str) or given not in known:
        raise Refused("unknown_value", f"{name} is one of: {', '.join(known)}.", field=name)
    return given


def _submitted(given: Any, at: datetime) -> datetime:
    found = opendsr_wire.time_in(given)
    if found is None:
        raise Refused("malformed_time", "State the time with its zone, as RFC 3339.", field="submitted_time")
    if found > at + TOLERANCE:
        raise Refused("time_in_future", "The person cannot ask tomorrow.", field="submitted_time")
    if found < at - OLDEST:
        raise Refused("time_too_old", "That is more than a year ago; look at the date.", field="submitted_time")
    return min(found, at)


def _names(given: Any, controller: Partner) -> tuple[Name, ...]:
    if not isinstance(given, list) or not 0 < len(given) <= MOST_IDENTITIES:
        raise Refused(
            "identities_missing", f"Name the person by 1 to {MOST_IDENTITIES} identities.", field="subject_identities"
        )
    return tuple(
        dict.fromkeys(_name(one, f"subject_identities.{place}", controller) for place, one in enumerate(given))
    )


def _name(given: Any, place: str, controller: Partner) -> Name:
    if not isinstance(given, dict) or set(given) != _IDENTITY_FIELDS:
        raise Refused("malformed_identity", f"An identity has {', '.join(sorted(_IDENTITY_FIELDS))}.", field=place)
    kind, form, value = (given[name] for name in ("identity_type", "identity_format", "identity_value"))
    if not all(isinstance(one, str) for one in (kind, form, value)):
        raise Refused("malformed_identity", "What an identity says is text.", field=place)
    if kind not in {known for known, _ in IDENTITIES}:
        raise Refused("identity_not_supported", "We know people by those identities that discovery names.", field=place)
    if form not in FORMATS:
        raise Refused("unknown_value", f"identity_format is one of: {', '.join(FORMATS)}.", field=place)
    if (kind, form) not in IDENTITIES:
        raise Refused("format_not_supported", "We find nobody by a hash; send the identity raw.", field=place)
    scheme = str(Scheme.EMAIL) if kind == EMAIL else scheme_of_customers(controller)
    if scheme is None or scheme not in controller.schemes:
        raise Refused("identity_not_yours", f"Your registration names nobody by {kind}.", field=place)
    try:
        return subjects.name(scheme, value)
    except IdentifierError as error:
        raise Refused(error.code, error.message, field=place) from None


def _callbacks(given: Any) -> tuple[str, ...]:
    given = [] if given is None else given
    if not isinstance(given, list) or len(given) > MOST_CALLBACKS or not all(isinstance(one, str) for one in given):
        raise Refused("malformed_callbacks", f"Give at most {MOST_CALLBACKS} addresses.", field="status_callback_urls")
    try:
        return tuple(dict.fromkeys(outbound.check(one) for one in given))
    except OutboundError as error:
        raise Refused("invalid_callback", error.message, field="status_callback_urls") from None


def _short(name: str) -> str:
    """A field's name as far as it may be told back: nobody's address was meant to be one."""
    return name if name.replace("_", "").isascii() and name.isidentifier() and len(name) <= 40 else "body"
