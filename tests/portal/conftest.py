"""What the configured log handler would write."""

import io
import logging
from collections.abc import Iterator

import pytest
from django.conf import settings

from portal.logs import WithoutAddresses


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Every line that every logger writes through the configured handler, from DEBUG on."""
    root, stream = logging.getLogger(), io.StringIO()
    handler = next(one for one in root.handlers if any(isinstance(it, WithoutAddresses) for it in one.filters))
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(stream)
    levels = {logger: logger.level for logger in [root, *_loggers()]}
    for logger in levels:
        logger.setLevel(logging.DEBUG)
    yield stream
    for logger, level in levels.items():
        logger.setLevel(level)
    handler.setStream(before)


def _loggers() -> list[logging.Logger]:
    """All but those that the settings never let go below INFO."""
    kept = {name for name, logger in settings.LOGGING["loggers"].items() if logger["level"] == "INFO"}
    every = logging.getLogger().manager.loggerDict
    return [one for name, one in every.items() if isinstance(one, logging.Logger) and name not in kept]
