"""When failed work is tried again: one policy, a pure function."""

from datetime import timedelta

from downstream.engines.errors import ConnectorError

BUDGET = 8
"""Attempts before a propagation stops and waits for a person."""
_FIRST = timedelta(seconds=2)
_LONGEST = timedelta(minutes=15)


def delay(*, attempts: int, permanent: bool, jitter: float) -> timedelta | None:
    """How long to wait after the `attempts`-th failure, or None to stop; `jitter` is in [0, 1).

    Exponential back-off with full jitter over the upper half, so that failures do not march in step.
    """
    if permanent or attempts >= BUDGET:
        return None
    wait = min(_FIRST * float(2 ** (attempts - 1)), _LONGEST)
    return wait / 2 + wait / 2 * jitter


def check_budget(attempts: int) -> None:
    """Refuse an attempt beyond the budget, which comes about where workers die and so report no failure.

    Raises ConnectorError(`attempts_used_up`).
    """
    if attempts > BUDGET:
        raise ConnectorError(
            "attempts_used_up",
            "Its worker died too often, for want of memory perhaps; look at the worker's and the machine's log.",
            permanent=True,
        )
