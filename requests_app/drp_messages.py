"""Signed messages of the Data Rights Protocol 1.0: opened, checked in the protocol's order, read.

A body is base64 of an Ed25519 signature (64 bytes) and the signed JSON behind it, which is libsodium's combined mode.
"""

import base64
import binascii
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings

from downstream import outbound
from downstream.outbound import OutboundError
from portal.errors import DomainError
from requests_app.models import Agent

VERSION = "1.0"
REGIMES = ("ccpa", "voluntary", "")
_SIGNATURE_BYTES = 64
_LONGEST = 1_000
_LONGEST_ID = 200
_CLAIMS = ("name", "email", "phone_number", "address", "power_of_attorney")


class Refused(DomainError):
    """A message that is not taken. `fatal`: the same message will never be."""

    def __init__(self, code: str, message: str, *, fatal: bool = False) -> None:
        super().__init__(code, message)
        self.fatal = fatal


@dataclass(frozen=True)
class Exercise:
    """A message by which an agent exercises one right of one person."""

    right: str
    regime: str
    agent_request_id: str
    status_callback: str
    claims: dict[str, str] = field(repr=False)
    """What it says of the person: texts by the protocol's names, without the empty ones."""
    verified: frozenset[str]
    """Which of these claims the agent says it has verified."""


def open_signed(body: bytes, *, agent: Agent, key: bytes, at: datetime) -> dict[str, Any]:
    """The message in a body that has to be this agent's, for us, and of now. `key` is 32 bytes. Raises Refused."""
    message = _verified(body, key)
    if message.get("agent-id") != agent.pk:
        raise Refused("wrong_agent", "The message is not of the agent whose token came with it.")
    if not settings.DRP_BUSINESS_ID or message.get("business-id") != settings.DRP_BUSINESS_ID:
        raise Refused("wrong_business", "The message is for another business.")
    _check_times(message, at)
    return message


def open_reason(body: bytes, *, agent: Agent, key: bytes, at: datetime) -> None:
    """Check the message that takes a request back; what it says beside its reason has to be true. Raises Refused."""
    message = _verified(body, key)
    for name, expected in (("agent-id", agent.pk), ("business-id", settings.DRP_BUSINESS_ID)):
        if name in message and message[name] != expected:
            raise Refused(f"wrong_{name.partition('-')[0]}", f"The message's {name} is another.")
    if "issued-at" in message or "expires-at" in message:
        _check_times(message, at)
    _text(message, "reason", longest=_LONGEST)


def read(message: dict[str, Any]) -> Exercise:
    """What an opened message asks for. Raises Refused."""
    if message.get("drp.version") != VERSION:
        raise Refused("unsupported_version", f"We speak version {VERSION} of the protocol.", fatal=True)
    regime = _text(message, "regime", longest=20)
    if regime not in REGIMES:
        raise Refused("unknown_regime", "A regime is ccpa or voluntary, or is left out.")
    request_id = _text(message, "agent-request-id", longest=_LONGEST_ID)
    if not request_id:
        raise Refused("agent_request_id_missing", "Give each request an agent-request-id of your own.")
    claims = {name: text for name in _CLAIMS if (text := _text(message, name, longest=_LONGEST))}
    return Exercise(
        right=_text(message, "exercise", longest=60),
        regime=regime,
        agent_request_id=request_id,
        status_callback=_callback(message),
        claims=claims,
        verified=frozenset(name for name in claims if message.get(f"{name}_verified") is True),
    )


def _verified(body: bytes, key: bytes) -> dict[str, Any]:
    try:
        # as a JSON string too, which is what some libraries make of a body that is called JSON
        combined = base64.b64decode(body.strip().strip(b'"'), validate=True)
    except (binascii.Error, ValueError):
        combined = b""
    if len(combined) <= _SIGNATURE_BYTES:
        raise Refused("malformed_base64", "A body is base64 of a signature and the message behind it.")
    signed = combined[_SIGNATURE_BYTES:]
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(combined[:_SIGNATURE_BYTES], signed)
    except (InvalidSignature, ValueError) as error:
        raise Refused("bad_signature", "The signature is not of the key that the agent registered.") from error
    try:
        message = json.loads(signed.decode())
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise Refused("malformed_json", "The signed message is no JSON object.")
    return message


def _check_times(message: dict[str, Any], at: datetime) -> None:
    if at < _time(message, "issued-at"):
        raise Refused("not_yet_valid", "The message was issued in the future.")
    if at >= _time(message, "expires-at"):
        raise Refused("expired", "The message has expired; sign a new one.", fatal=True)


def _time(message: dict[str, Any], name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(message[name])
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (KeyError, TypeError, ValueError, OverflowError):
        pass
    raise Refused("malformed_time", f"State {name} with its zone: 2026-03-02T12:00:00Z.")


def _text(message: dict[str, Any], name: str, *, longest: int) -> str:
    """The text of that name without space around it; empty where it is left out or null."""
    text = message.get(name)
    if text is None:
        return ""
    # what is not printable could neither be kept nor shown: NUL, half of a surrogate pair
    if not isinstance(text, str) or len(text) > longest or not text.replace("\n", " ").isprintable():
        raise Refused("malformed_field", f"{name} is a text of up to {longest} characters.")
    return text.strip()


def _callback(message: dict[str, Any]) -> str:
    url = _text(message, "status_callback", longest=_LONGEST)
    if not url:
        return ""
    try:
        return outbound.check(url)
    except OutboundError as error:
        raise Refused("invalid_callback", f"status_callback: {error.message}") from None
