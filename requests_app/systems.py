"""The register of systems that no connector reaches: what is kept there, and what staff do there for each right."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import transaction

from portal import audit
from portal.errors import Conflict, DomainError
from portal.models import User
from requests_app.models import System
from requests_app.states import Right


class RegisterError(DomainError):
    """A system that cannot be registered as described."""


@transaction.atomic
def register(
    *,
    slug: str,
    name: str,
    public_name: str,
    rights: Sequence[str],
    instructions: str,
    keeper: User | None = None,
    by: str,
    at: datetime,
) -> System:
    """Take a system into the register: requests that are carried out from now on mean work there.

    Raises RegisterError, Conflict(`system_exists`).
    """
    try:
        validate_slug(slug)
    except ValidationError as error:
        raise RegisterError("invalid_slug", "A slug is letters, digits and hyphens.", field="slug") from error
    if System.objects.filter(slug=slug).exists():
        raise Conflict("system_exists", "There is a system of this name.", field="slug")
    fields = _fields(name, public_name, rights, instructions, keeper)
    system = System.objects.create(slug=slug, **fields)
    audit.record(at=at, by=by, action="system.register", of=("system", slug), details={"rights": system.rights})
    return system


@transaction.atomic
def describe(
    *,
    system: System,
    name: str,
    public_name: str,
    rights: Sequence[str],
    instructions: str,
    keeper: User | None = None,
    by: str,
    at: datetime,
) -> System:
    """Say anew what it is and what is done there; open tasks keep what they were planned with.

    Raises RegisterError, Conflict(`retired`).
    """
    fresh = _fields(name, public_name, rights, instructions, keeper)
    locked = _living(system)
    changed = sorted(field for field, value in fresh.items() if getattr(locked, field) != value)
    for field in changed:
        setattr(locked, field, fresh[field])
    if changed:
        locked.save(update_fields=changed)
        audit.record(at=at, by=by, action="system.describe", of=("system", locked.slug), details={"changed": changed})
    return locked


@transaction.atomic
def retire(*, system: System, by: str, at: datetime) -> System:
    """No request means work there any more; open tasks stay, for staff to settle. Raises Conflict(`retired`)."""
    locked = _living(system)
    locked.retired_at = at
    locked.save(update_fields=["retired_at"])
    audit.record(at=at, by=by, action="system.retire", of=("system", locked.slug))
    return locked


def _living(system: System) -> System:
    locked = System.objects.select_for_update(of=("self",)).get(pk=system.pk)
    if locked.retired_at is not None:
        raise Conflict("retired", "This system is retired.")
    return locked


def _fields(
    name: str, public_name: str, rights: Sequence[str], instructions: str, keeper: User | None
) -> dict[str, Any]:
    """What the row says, in tidy form. Raises RegisterError."""
    if not name.strip() or not public_name.strip():
        raise RegisterError("name_missing", "Name it, also as people see it.", field="name")
    if not rights or any(one not in Right.values for one in rights):
        raise RegisterError("rights_missing", "Choose which requests mean work there.", field="rights")
    if not instructions.strip():
        raise RegisterError(
            "instructions_missing", "Say what has to be done there, and what proves it.", field="instructions"
        )
    return {
        "name": name.strip(),
        "public_name": public_name.strip(),
        "rights": sorted({str(one) for one in rights}),
        "instructions": instructions.strip(),
        "keeper": keeper,
    }
