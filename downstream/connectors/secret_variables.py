"""Environment variables whose content goes to the server that a dataset names: only those that were set for that.

Any other, such as Heed's own keys, could be sent to whatever server somebody registers.
"""

import re

from downstream.connectors.base import ConnectorError

_NAME = re.compile(r"HEED_SECRET_[A-Z0-9_]{1,60}")


def check(variable: object, *, option: str) -> str:
    """The variable's name. Raises ConnectorError(`invalid_options`)."""
    if not isinstance(variable, str) or not _NAME.fullmatch(variable):
        raise ConnectorError(
            "invalid_options",
            f"The option {option} names an environment variable that begins with HEED_SECRET_, as in HEED_SECRET_POSTS;"
            " others are not sent to anybody.",
            permanent=True,
        )
    return variable
