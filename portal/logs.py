"""What log lines look like: one line an event, JSON, no names of people; anything like an address is struck out."""

import logging
import re
from typing import Any

import structlog

_ADDRESS = re.compile(r"[^\s@\"'<>=:,;(\[{]+@[^\s@\"'<>,;)\]}]+\.[^\s@\"'<>,;)\]}]+")
STRUCK = "[address]"
_PROCESSORS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]


def settings(*, level: str) -> dict[str, Any]:
    """Django's LOGGING: everything from `level` on goes to the console."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"personal": {"()": WithoutAddresses}},
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.JSONRenderer(),
                ],
                "foreign_pre_chain": _PROCESSORS,
            }
        },
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["personal"]},
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # at DEBUG it quotes a page's variables, and those are somebody's
            "django.template": {"level": "INFO"},
            "django_structlog": {"level": level},
        },
    }


def configure_structlog() -> None:
    """Let structlog write through the standard library's loggers, and so by the settings above."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_PROCESSORS,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


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
