"""What is sealed under a person's own key: destroying that key makes it unreadable for good."""

from collections.abc import Sequence

from consents.models import Identifier, Subject
from portal import crypto
from portal.errors import Conflict


def seal(subject: Subject, text: str, *, context: str) -> bytes:
    """Seal something about this person under their own key. Raises Conflict(`erased`)."""
    if subject.wrapped_key is None:
        raise Conflict("erased", "This person was erased; nothing more is recorded about them.")
    return crypto.seal_for(subject.wrapped_key, text, subject_id=str(subject.pk), context=context.encode())


def unseal(subject: Subject, sealed: crypto.Sealed, *, context: str) -> str | None:
    """Open what `seal` made; None once the person was erased.

    The key is read afresh: whoever loaded the person before the erasure has lost it with everybody else.
    """
    return unseal_all(subject, [(sealed, context)])[0]


def unseal_all(subject: Subject, values: Sequence[tuple[crypto.Sealed, str]]) -> list[str | None]:
    """The same for several values, each with its context: the key is read once."""
    wrapped = Subject.objects.filter(pk=subject.pk).values_list("wrapped_key", flat=True).first()
    if wrapped is None:
        return [None for _ in values]
    pk = str(subject.pk)
    return [crypto.unseal_for(wrapped, one, subject_id=pk, context=context.encode()) for one, context in values]


def opened(identifier: Identifier) -> str | None:
    """The identifier's value; None once the person was erased. Raises CryptoError."""
    wrapped, sealed = identifier.subject.wrapped_key, identifier.sealed
    if wrapped is None or sealed is None:
        return identifier.value
    return crypto.unseal_for(wrapped, sealed, subject_id=str(identifier.subject_id), context=identifier.scheme.encode())
