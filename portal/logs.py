"""The last net before a log line is written: anything shaped like an address is struck out."""

import logging
import re
from typing import Any

_ADDRESS = re.compile(r"[^\s@\"'<>=:,;(\[{]+@[^\s@\"'<>,;)\]}]+\.[^\s@\"'<>,;)\]}]+")
STRUCK = "[address]"


def strike(text: str) -> str:
    """The text without anything that looks like a mail address."""
    return _ADDRESS.sub(STRUCK, text)


def _strike_all(value: Any) -> Any:
    if isinstance(value, str):
        return strike(value)
    if isinstance(value, dict):
        return {_strike_all(key): _strike_all(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set):
        return [_strike_all(one) for one in value]
    return value if isinstance(value, int | float | bool | None) else strike(str(value))


class WithoutAddresses(logging.Filter):
    """Strikes addresses out of the message, its arguments and the exception text.

    Domain code does not log personal data; this catches what libraries quote in their errors.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, dict):
            record.msg = _strike_all(record.msg)
        else:
            record.msg = strike(record.getMessage())
            record.args = None
        if record.exc_info:
            text = logging.Formatter().formatException(record.exc_info)
            record.exc_info, record.exc_text = None, None
            if isinstance(record.msg, str):
                record.msg += "\n" + strike(text)
        return True
