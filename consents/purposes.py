"""Purposes and recipients, looked up by name with clear refusals."""

import time
from collections.abc import Callable

from consents.models import Purpose, Recipient
from consents.vocabulary import EVERY, Category
from portal.errors import DomainError, NotFound
from portal.memory import ShortMemory

_known: ShortMemory[tuple[str, str], bool] = ShortMemory(seconds=60.0)
"""Purposes and recipients that exist. None is ever deleted, so a minute's memory of it is no mistake."""


def check(slug: str) -> str:
    """The purpose's slug. Raises NotFound(`unknown_purpose`)."""
    if not _exists("purpose", slug):
        raise NotFound("unknown_purpose", "There is no such purpose.", field="purpose")
    return slug


def forget() -> None:
    """Look again for every purpose and recipient, in this process."""
    _known.clear()


def _exists(kind: str, slug: str) -> bool:
    rows = Purpose.objects if kind == "purpose" else Recipient.objects
    look_up: Callable[[], bool | None] = lambda: rows.filter(slug=slug).exists() or None  # noqa: E731
    return bool(_known.recall((kind, slug), look_up, now=time.monotonic()))


def get(slug: str) -> Purpose:
    """The purpose. Raises NotFound(`unknown_purpose`)."""
    try:
        return Purpose.objects.get(slug=slug)
    except Purpose.DoesNotExist as error:
        raise NotFound("unknown_purpose", "There is no such purpose.", field="purpose") from error


def lineage(slug: str) -> tuple[str, ...]:
    """The purpose and what it is part of, nearest first: ('ai-training/affiliates', 'ai-training').

    A no to the whole is a no to its parts; a yes to the whole says nothing of them.
    """
    parts = slug.split("/")
    return tuple("/".join(parts[:length]) for length in range(len(parts), 0, -1))


def covers(scope: str, slug: str) -> bool:
    """Whether what is said of the purpose `scope` holds for `slug`: itself, or a part of it."""
    return scope in lineage(slug)


def check_recipient(slug: str) -> str:
    """The recipient's slug, or EVERY. Raises NotFound(`unknown_recipient`)."""
    if slug != EVERY and not _exists("recipient", slug):
        raise NotFound("unknown_recipient", "There is no such recipient.", field="recipient")
    return slug


def check_category(slug: str) -> str:
    """The data category, or EVERY. Raises DomainError(`unknown_category`)."""
    if slug != EVERY and slug not in Category.values:
        known = ", ".join(Category.values)
        raise DomainError("unknown_category", f"A category is one of: {known}.", field="category")
    return slug
