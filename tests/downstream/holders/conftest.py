"""What every test of a holder needs."""

import pytest


@pytest.fixture(autouse=True)
def remembers_nobody(own_cache: None) -> None:
    """Others leave remembered certificates and counts of calls."""
