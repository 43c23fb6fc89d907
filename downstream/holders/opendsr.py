"""Processors that speak OpenDSR 2.0 (formerly OpenGDPR): one erasure request a person, each answer signed.

The place is the address below which `/discovery` and `/requests` are. OpenDSR knows erasure of a whole person only, and
leaves it to the processor how callers prove who they are: where it wants a bearer token, `token_variable` names the
environment variable (beginning with HEED_HOLDER_) that has it.
"""

import hashlib
import json
import os
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from cryptography import x509
from django.core.cache import cache

from downstream import opendsr_wire, outbound
from downstream.holders import opendsr_signatures
from downstream.holders.base import ConnectorError, Description, Place, Question, Told, TryLater
from downstream.opendsr_wire import CANCELLED, COMPLETED, DOMAIN_HEADER, IN_PROGRESS, PENDING, SIGNATURE_HEADER
from downstream.outbound import OutboundError, Reply
from portal import clock

_OPTIONS = {"identity_type", "identity_format", "regulation", "domain", "token_variable"}
_FORMATS = ("raw", "sha256")
_STATES: dict[str, Literal["waiting", "done", "refused"]] = {
    PENDING: "waiting",
    IN_PROGRESS: "waiting",
    COMPLETED: "done",
    CANCELLED: "refused",
}
_CACHED_SECONDS = 3_600
_UNASKED_SECONDS = 60
_LONGEST_WAIT = timedelta(hours=6)
_VARIABLE = re.compile(r"HEED_HOLDER_[A-Z0-9_]{1,60}")


class OpenDSR:
    """One processor."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.base = place.location.rstrip("/")
        self.name = domain_of(place.location, place.options)

    def describe(self) -> Description:
        """Read what it supports, and refuse a dataset that it could not be asked about."""
        _check_options(self.place)
        offered = self._discovery()
        wanted = (self._identity_type, self._identity_format)
        if opendsr_wire.ERASURE not in _listed(offered, "supported_subject_request_types"):
            raise _wrong("no_erasure", f"{self.name} does not take erasure requests.")
        pairs = {(one.get("identity_type"), one.get("identity_format")) for one in _objects(offered)}
        if wanted not in pairs:
            known = ", ".join(sorted(f"{kind} as {form}" for kind, form in pairs)) or "nobody"
            raise _wrong("identity_not_supported", f"{self.name} knows people by: {known}.")
        self._certificate(fresh=True)
        return Description(format=f"held by {self.name} (OpenDSR)", files=0, rows=0, size=0, schema="")

    def ask(self, question: Question) -> Told:
        """POST /requests. Raises ConnectorError, TryLater."""
        reply = self._call("POST", f"{self.base}/requests", json.dumps(self.message(question)).encode())
        if reply.status not in (200, 201, 202):
            raise self._refused(reply)
        answer = self._signed(reply)
        self._check_id(answer, question.id)
        # its evidence is the status that follows: this answer repeats whom we asked about, and is not to be kept
        return Told("waiting", expected_at=opendsr_wire.time_in(answer.get("expected_completion_time")))

    def message(self, question: Question) -> dict[str, Any]:
        """What is asked, as the protocol writes it: personal data."""
        return opendsr_wire.asking(
            request_id=question.id,
            request_type=opendsr_wire.ERASURE,
            regulation=str(self.place.options.get("regulation", "gdpr")),
            identities=[self._identity(key) for key in question.keys],
            submitted_at=question.submitted_at,
            callbacks=[question.callback],
        )

    def look(self, request_id: uuid.UUID) -> Told | None:
        """GET /requests/{id}. Raises ConnectorError, TryLater."""
        reply = self._call("GET", f"{self.base}/requests/{request_id}")
        if reply.status == 404:
            return None
        if reply.status != 200:
            raise self._refused(reply)
        answer = self._signed(reply)
        self._check_id(answer, request_id)
        state = _STATES.get(str(answer.get("request_status")))
        if state is None:
            raise _wrong("status_unknown", f"{self.name} answered with a status that OpenDSR does not know.")
        return Told(
            state,
            expected_at=opendsr_wire.time_in(answer.get("expected_completion_time")),
            rows=_count(answer.get("results_count")),
            evidence={
                "answer_sha256": hashlib.sha256(reply.body).hexdigest(),
                "signature": reply.headers.get(SIGNATURE_HEADER.lower(), "")[:2_000],
                "certificate_sha256": opendsr_wire.fingerprint(self._certificate()),
            },
        )

    def has_signed(self, body: bytes, *, domain: str, signature: str) -> bool:
        """Whether this processor made the message. Raises ConnectorError where its certificate cannot be had."""
        if domain.lower() != self.name:
            return False
        # a second look at what it publishes: it may have changed its key within the hour
        return any(
            opendsr_wire.is_signed(body, signature, by=self._certificate(fresh=fresh)) for fresh in (False, True)
        )

    def may_have_called(self, body: bytes, *, domain: str, signature: str) -> bool:
        """The same of a message that nobody here waits for: anybody can send one, so we call out once a minute for all.

        Raises ConnectorError where its certificate cannot be had.
        """
        if domain.lower() != self.name:
            return False
        if cache.get(self._kept) and opendsr_wire.is_signed(body, signature, by=self._certificate()):
            return True
        if not cache.add(f"{self._kept}:called", True, _UNASKED_SECONDS):
            return False
        return opendsr_wire.is_signed(body, signature, by=self._certificate(fresh=True))

    @property
    def _kept(self) -> str:
        """Under which name its certificate is cached."""
        return f"opendsr:{hashlib.sha256(self.base.encode()).hexdigest()}"

    @property
    def _identity_type(self) -> str:
        return str(self.place.options.get("identity_type", opendsr_wire.CUSTOMER))

    @property
    def _identity_format(self) -> str:
        return str(self.place.options.get("identity_format", opendsr_wire.RAW))

    def _identity(self, key: str) -> dict[str, str]:
        value = hashlib.sha256(key.encode()).hexdigest() if self._identity_format == "sha256" else key
        return opendsr_wire.identity(self._identity_type, value, self._identity_format)

    def _discovery(self) -> dict[str, Any]:
        reply = self._call("GET", f"{self.base}/discovery")
        if reply.status != 200:
            raise self._refused(reply)
        return _parsed(reply, self.name)

    def _certificate(self, *, fresh: bool = False) -> x509.Certificate:
        """What it signs with, asked for once an hour; its chain is verified each time it is used."""
        pem = None if fresh else cache.get(self._kept)
        if pem is None:
            address = str(self._discovery().get("processor_certificate", ""))
            if (urlsplit(address).hostname or "").lower() != urlsplit(self.base).hostname:
                raise _wrong("wrong_domain", f"{self.name} keeps its certificate at another domain.")
            reply = self._call("GET", address)
            if reply.status != 200:
                raise self._refused(reply)
            pem = reply.body
            opendsr_signatures.certificate(pem, domain=self.name, at=clock.now())
            cache.set(self._kept, pem, _CACHED_SECONDS)
        return opendsr_signatures.certificate(pem, domain=self.name, at=clock.now())

    def _call(self, method: str, url: str, body: bytes | None = None) -> Reply:
        headers = {"Accept": "application/json", "Content-Type": "application/json", **self._authorization()}
        try:
            return outbound.call(method, url, body=body, headers=headers)
        except OutboundError as error:
            message = f"{self.name}: {error.message}"
            if error.permanent:
                raise _wrong(error.code, message) from None
            raise TryLater(error.code, message) from None

    def _authorization(self) -> dict[str, str]:
        variable = self.place.options.get("token_variable")
        if not variable:
            return {}
        token = os.environ.get(str(variable), "")
        if not token:
            raise _wrong(
                "token_missing", f"The environment has no {variable}, which {self.name} has to be called with."
            )
        return {"Authorization": f"Bearer {token}"}

    def _signed(self, reply: Reply) -> dict[str, Any]:
        """The answer, once it is proven to be the processor's."""
        domain = reply.headers.get(DOMAIN_HEADER.lower(), "")
        if domain.lower() != self.name:
            raise _wrong("wrong_domain", f"An answer came in the name of another domain than {self.name}.")
        signature = reply.headers.get(SIGNATURE_HEADER.lower(), "")
        if not self.has_signed(reply.body, domain=domain, signature=signature):
            raise _wrong(
                "wrong_signature",
                f"An answer of {self.name} does not carry its signature; find out from them who answers in their name.",
            )
        return _parsed(reply, self.name)

    def _check_id(self, answer: dict[str, Any], request_id: uuid.UUID) -> None:
        if str(answer.get("subject_request_id")) != str(request_id):
            raise _wrong("answer_of_another", f"{self.name} answered about another request than was asked about.")

    def _refused(self, reply: Reply) -> ConnectorError:
        if reply.status in (408, 425, 429) or reply.status >= 500:
            wait = retry_after(reply.headers.get("retry-after", ""), at=clock.now())
            return TryLater("holder_busy", f"{self.name} answered {reply.status}; it is asked again later.", wait=wait)
        return _wrong(
            "holder_refused", f"{self.name} refused with {reply.status}; its operators can say why. Then try again."
        )


def connect(place: Place) -> OpenDSR:
    return OpenDSR(place)


def resolve(location: str, options: Mapping[str, Any]) -> str:
    """The address, without what differs in writing only. Raises ConnectorError."""
    try:
        outbound.check(location)
    except OutboundError as error:
        raise _wrong(error.code, error.message) from None
    parts = urlsplit(location)
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def domain_of(location: str, options: Mapping[str, Any]) -> str:
    """Under which domain the processor signs: its address's own, unless the option `domain` says so."""
    return str(options.get("domain") or urlsplit(location).hostname or "").lower()


def retry_after(text: str, *, at: datetime) -> timedelta | None:
    """What a Retry-After field asks for (RFC 9110, 10.2.3): seconds or a date; at most six hours are heeded."""
    if text.isascii() and text.strip().isdigit():
        return min(timedelta(seconds=min(int(text), 10**7)), _LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(until - at, timedelta()), _LONGEST_WAIT)


def _check_options(place: Place) -> None:
    unknown = sorted(set(place.options) - _OPTIONS)
    if unknown:
        raise _wrong("unknown_option", f"OpenDSR takes the options {', '.join(sorted(_OPTIONS))}; not {unknown[0]}.")
    if place.created_column:
        raise _wrong("no_spans", "OpenDSR erases a person as a whole: leave the column of creation time out.")
    if place.options.get("identity_format", "raw") not in _FORMATS:
        raise _wrong("unknown_format", "identity_format is raw or sha256.")
    if place.options.get("regulation", "gdpr") not in opendsr_wire.REGULATIONS:
        raise _wrong("unknown_regulation", "regulation is gdpr or ccpa.")
    if not _VARIABLE.fullmatch(str(place.options.get("token_variable", "HEED_HOLDER_X"))):
        raise _wrong("invalid_variable", "token_variable names a variable that begins with HEED_HOLDER_.")


def _parsed(reply: Reply, name: str) -> dict[str, Any]:
    answer = opendsr_wire.object_in(reply.body)
    if answer is None:
        raise _wrong("answer_unreadable", f"{name} answered with something else than a JSON object.")
    return answer


def _listed(answer: dict[str, Any], name: str) -> list[Any]:
    found = answer.get(name)
    return found if isinstance(found, list) else []


def _objects(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in _listed(answer, "supported_identities") if isinstance(one, dict)]


def _count(given: Any) -> int | None:
    return given if isinstance(given, int) and not isinstance(given, bool) and 0 <= given < 2**63 else None


def _wrong(code: str, message: str) -> ConnectorError:
    return ConnectorError(code, message, permanent=True)
