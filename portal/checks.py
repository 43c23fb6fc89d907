"""System checks: settings that work but should not be run like this."""

from typing import Any

from django.conf import settings
from django.core.checks import Error, Tags, register
from django.core.checks import Warning as CheckWarning
from django.db import connection

from portal import clock, partitions


@register(Tags.security, deploy=True)
def production_environment(**_: Any) -> list[Any]:
    """heed.E001: a try-out installation shows sign-in codes to whoever can reach it."""
    if not settings.LOCAL:
        return []
    return [
        Error(
            "HEED_ENV is local: secrets are made up and mails, with their sign-in codes, are shown on a page.",
            hint="Set HEED_ENV=production and give every setting that it then asks for.",
            id="heed.E001",
        )
    ]


@register(Tags.database, deploy=True)
def history_cannot_be_truncated(databases: Any = None, **_: Any) -> list[Any]:
    """heed.W002: triggers do not see TRUNCATE, so the role must not have it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT has_table_privilege(current_user, 'consents_ledgerevent', 'TRUNCATE')"
            " WHERE to_regclass('consents_ledgerevent') IS NOT NULL"
        )
        row = cursor.fetchone()
    if row is None or not row[0]:
        return []
    return [
        CheckWarning(
            "The database role may TRUNCATE the ledger.",
            hint="Let another role own the tables, and grant this one SELECT, INSERT, UPDATE and DELETE only.",
            id="heed.W002",
        )
    ]


@register(Tags.security, deploy=True)
def second_factor(**_: Any) -> list[Any]:
    """heed.W003: staff see people's data."""
    if settings.STAFF_MFA:
        return []
    return [
        CheckWarning(
            "Staff can sign in without a second factor.",
            hint="Leave HEED_STAFF_MFA at its default.",
            id="heed.W003",
        )
    ]


@register(Tags.database, deploy=True)
def months_are_ready(databases: Any = None, **_: Any) -> list[Any]:
    """heed.W004: rows without a month of their own pile up in one partition, which then takes long to divide."""
    return [
        CheckWarning(
            f"{state.table} has {state.ahead} months ready and {state.stray} rows that no month took in.",
            hint="Run manage.py make_partitions as the owner of the tables.",
            id="heed.W004",
        )
        for state in partitions.state(at=clock.now())
        if not state.is_fine
    ]


@register(deploy=True)
def controller_told(**_: Any) -> list[Any]:
    """heed.W007: a receipt names who answers for the data (ISO/IEC TS 27560, Kantara 1.1)."""
    names = {"storage": "STORAGE_COUNTRY", "retention": "RETENTION"}
    missing = [
        f"HEED_{names.get(one, f'CONTROLLER_{one.upper()}')}" for one, told in settings.CONTROLLER.items() if not told
    ]
    if not missing:
        return []
    return [
        CheckWarning(
            "Receipts do not say how to reach the controller, or where and how long the data is kept.",
            hint=f"Set {', '.join(missing)}.",
            id="heed.W007",
        )
    ]
