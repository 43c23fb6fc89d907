"""Purposes and recipients, looked up by name with clear refusals."""

from consents.models import Purpose, Recipient
from consents.vocabulary import EVERY, Category
from portal.errors import DomainError, NotFound


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
    if slug != EVERY and not Recipient.objects.filter(slug=slug).exists():
        raise NotFound("unknown_recipient", "There is no such recipient.", field="recipient")
    return slug


def check_category(slug: str) -> str:
    """The data category, or EVERY. Raises DomainError(`unknown_category`)."""
    if slug != EVERY and slug not in Category.values:
        known = ", ".join(Category.values)
        raise DomainError("unknown_category", f"A category is one of: {known}.", field="category")
    return slug
