"""Calls of partners are made and counted as in the tests of consents' API."""

from tests.consents.api.conftest import own_cache

__all__ = ["own_cache"]
