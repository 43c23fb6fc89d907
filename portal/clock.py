"""The one place that asks what time it is; domain modules are handed the time."""

from datetime import UTC, datetime, timedelta

# Partners' clocks drift; beyond this a time in the future is refused.
TOLERANCE = timedelta(minutes=5)


def now() -> datetime:
    """The current time, in UTC."""
    return datetime.now(UTC)
