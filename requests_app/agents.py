"""Authorised agents: registering them, their keys, their tokens, suspending them (Data Rights Protocol 1.0)."""

import base64
import binascii
import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import IntegrityError, transaction

from portal import audit
from portal.errors import Conflict, DomainError
from requests_app.models import Agent, AgentKey

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,99}")
"""What stands in an address as it is, and beside `agent:` in the audit trail."""
_KEY_BYTES = 32
_is_address = URLValidator(schemes=["https"])


class AgentError(DomainError):
    """An agent that cannot be registered as asked."""


@dataclass(frozen=True)
class Registration:
    """An agent as it is entered. `verify_key` is base64 of 32 bytes, Ed25519."""

    id: str
    name: str
    verify_key: str
    web_url: str = ""
    technical_contact: str = ""
    business_contact: str = ""


@transaction.atomic
def register(*, registration: Registration, by: str, at: datetime) -> Agent:
    """Enter an agent and the key by which its messages are checked.

    Raises AgentError(`invalid_agent_id` | `name_missing` | `invalid_verify_key` | `invalid_address`),
    Conflict(`agent_known`).
    """
    if not _ID.fullmatch(registration.id):
        raise AgentError("invalid_agent_id", "An id has up to 100 letters, digits and . _ ~ -", field="id")
    if not registration.name.strip():
        raise AgentError("name_missing", "Say what the agent is called.", field="name")
    if registration.web_url:
        _check_address(registration.web_url)
    key = check_key(registration.verify_key)
    agent = Agent(
        id=registration.id,
        name=registration.name.strip(),
        web_url=registration.web_url,
        technical_contact=registration.technical_contact.strip(),
        business_contact=registration.business_contact.strip(),
        registered_at=at,
    )
    try:
        with transaction.atomic():
            agent.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict("agent_known", "An agent of this id is registered already.", field="id") from error
    AgentKey.objects.create(agent=agent, verify_key=key, added_at=at, added_by=by)
    audit.record(at=at, by=by, action="agent.register", of=("agent", agent.pk))
    return agent


@transaction.atomic
def rotate_key(*, agent: Agent, verify_key: str, by: str, at: datetime) -> AgentKey:
    """From now on messages are checked by this key alone, and the agent sets itself up anew.

    Whoever had the old key may have had a token by it, so the token goes too. Raises AgentError(`invalid_verify_key`),
    Conflict(`key_known`).
    """
    key = check_key(verify_key)
    locked = _lock(agent)
    if locked.keys.filter(verify_key=key).exists():
        raise Conflict("key_known", "The agent has or had this key; it needs a new one.", field="verify_key")
    locked.keys.filter(retired_at__isnull=True).update(retired_at=at)
    made = AgentKey.objects.create(agent=locked, verify_key=key, added_at=at, added_by=by)
    _forget_token(locked)
    audit.record(at=at, by=by, action="agent.rotate_key", of=("agent", locked.pk))
    return made


@transaction.atomic
def suspend(*, agent: Agent, by: str, at: datetime) -> None:
    """Take nothing more from it; what it sent goes on, and is told. Raises Conflict(`suspended`)."""
    locked = _lock(agent)
    if locked.suspended_at is not None:
        raise Conflict("suspended", "This agent is suspended already.")
    locked.suspended_at = at
    locked.save(update_fields=["suspended_at"])
    _forget_token(locked)
    audit.record(at=at, by=by, action="agent.suspend", of=("agent", locked.pk))


@transaction.atomic
def resume(*, agent: Agent, by: str, at: datetime) -> None:
    """Let it set itself up again. Raises Conflict(`not_suspended`)."""
    locked = _lock(agent)
    if locked.suspended_at is None:
        raise Conflict("not_suspended", "This agent is not suspended.")
    locked.suspended_at = None
    locked.save(update_fields=["suspended_at"])
    audit.record(at=at, by=by, action="agent.resume", of=("agent", locked.pk))


@transaction.atomic
def new_token(*, agent: Agent, by: str, at: datetime) -> str:
    """The bearer token of a pair of agent and business, told once; the one before no longer serves."""
    token = secrets.token_urlsafe(32)
    Agent.objects.filter(pk=agent.pk).update(token_digest=_digest(token), token_made_at=at)
    audit.record(at=at, by=by, action="agent.set_up", of=("agent", agent.pk))
    return token


def find(agent_id: str) -> Agent | None:
    """The agent of that id, unless it is suspended."""
    if not _ID.fullmatch(agent_id):
        return None
    return Agent.objects.filter(pk=agent_id, suspended_at__isnull=True).first()


def of_token(token: str) -> Agent | None:
    """The agent that holds this token, unless it is suspended."""
    return Agent.objects.filter(token_digest=_digest(token), suspended_at__isnull=True).first()


def key_of(agent: Agent) -> bytes:
    """The 32 bytes by which what it signs is checked. Raises AgentKey.DoesNotExist."""
    return base64.b64decode(agent.keys.get(retired_at__isnull=True).verify_key)


def check_key(text: str) -> str:
    """The key in its normal form. Raises AgentError(`invalid_verify_key`)."""
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != _KEY_BYTES:
        raise AgentError("invalid_verify_key", "A verify key is base64 of 32 bytes (Ed25519).", field="verify_key")
    return base64.b64encode(raw).decode()


def _check_address(url: str) -> None:
    try:
        _is_address(url)
    except ValidationError as error:
        raise AgentError("invalid_address", "An address begins with https://.", field="web_url") from error


def _lock(agent: Agent) -> Agent:
    return Agent.objects.select_for_update().get(pk=agent.pk)


def _forget_token(agent: Agent) -> None:
    Agent.objects.filter(pk=agent.pk).update(token_digest=None, token_made_at=None)


def _digest(token: str) -> bytes:
    # of 32 random bytes, so no slow hash is needed
    return hashlib.sha256(token.encode(errors="replace")).digest()
