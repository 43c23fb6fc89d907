"""The one base of all errors that a person can do something about.

Domain modules raise subclasses beside the function that raises them; `portal.problems` turns
them into RFC 9457 answers, pages into form errors, commands into `CommandError`.
"""

from collections.abc import Callable
from typing import ParamSpec

P = ParamSpec("P")


class DomainError(Exception):
    """Something was asked that cannot be done.

    `code` is stable and machine readable, `message` says what was wrong and what to do.
    Neither holds personal data, because both reach logs.
    """

    def __init__(self, code: str, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field


class NotFound(DomainError):
    """What was named does not exist, or is not the asker's to see."""


class Forbidden(DomainError):
    """The asker is known, and it is not theirs to do."""


class Conflict(DomainError):
    """The state of things does not allow it now."""


class TooLarge(DomainError):
    """More than is looked at."""


class NoRoom(Exception):
    """Nothing more can be kept in files: the disk is full, or may not be written. It is not the asker's fault.

    No DomainError, because nobody who asks can do anything about it: whatever tells them what is wrong with what they
    sent lets it pass.
    """

    code = "no_room"
    message = (
        "Files cannot be kept at present. It is not your fault, and nothing of what you sent was kept. Try again later."
    )

    def __init__(self) -> None:
        super().__init__(self.message)


def twin(check: Callable[P, None]) -> Callable[P, bool]:
    """The boolean twin `can_x` of a `check_can_x`, for whoever only shows what is possible."""

    def can(*args: P.args, **kwargs: P.kwargs) -> bool:
        try:
            check(*args, **kwargs)
        except DomainError:
            return False
        return True

    return can
