"""System checks of consents: values whose key is not there."""

from typing import Any

from django.core.checks import Tags, register
from django.core.checks import Warning as CheckWarning
from django.db import connection

from consents import key_rotation
from portal.resealing import FIELD


@register(Tags.database, deploy=True)
def keys_are_there(databases: Any = None, **_: Any) -> list[Any]:
    """heed.W010, heed.W011: a value whose key left the environment too early can neither be opened nor found."""
    if "consents_suppressed" not in connection.introspection.table_names():
        return []
    return [_warning(ring, key) for ring, key in key_rotation.missing_keys()]


def _warning(ring: str, key: str) -> CheckWarning:
    if ring == FIELD:
        return CheckWarning(
            f"People's values are sealed under the field key {key!r}, which is not in HEED_FIELD_KEYS.",
            hint="Put it back, run manage.py rotate_keys, and remove it when --status says so.",
            id="heed.W010",
        )
    return CheckWarning(
        f"Fingerprints were made with the index key {key!r}, which is not in HEED_INDEX_KEYS: those people are not"
        " found, and erased ones are not recognised.",
        hint="Put it back, run manage.py rotate_keys, and remove it when --status says so.",
        id="heed.W011",
    )
