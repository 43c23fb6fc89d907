"""What is said of errors that nobody foresaw: their type alone, because their text may quote people's data."""

import traceback
import uuid

import structlog

from downstream.connectors.base import ConnectorError

logger = structlog.get_logger(__name__)


def of_unexpected(what: str, of: uuid.UUID | str, error: Exception) -> ConnectorError:
    """The error as it is shown to staff; the place goes to the log, where logger.exception would print the text."""
    place = traceback.format_tb(error.__traceback__)
    logger.error("unexpected", what=what, of=str(of), error=type(error).__name__, place=place)
    if isinstance(error, MemoryError):
        return ConnectorError(
            "out_of_memory", "The work needs more memory than the worker may use; give it more.", permanent=False
        )
    return ConnectorError(
        "unexpected", f"Unexpected {type(error).__name__}; the worker's log has the place.", permanent=False
    )
