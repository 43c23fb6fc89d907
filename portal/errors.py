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


def twin(check: Callable[P, None]) -> Callable[P, bool]:
    """The boolean twin `can_x` of a `check_can_x`, for whoever only shows what is possible."""

    def can(*args: P.args, **kwargs: P.kwargs) -> bool:
        try:
            check(*args, **kwargs)
        except DomainError:
            return False
        return True

    return can
