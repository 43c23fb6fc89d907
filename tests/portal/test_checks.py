"""System checks: what works but should not be run like this."""

from typing import Any

from django.core.checks import run_checks
from django.db import connection

from portal import checks


def test_nothing_is_wrong_with_the_project(db: None) -> None:
    assert run_checks(databases=["default"]) == []


def test_a_try_out_is_no_production(settings: Any) -> None:
    settings.LOCAL = True
    assert [one.id for one in checks.production_environment()] == ["heed.E001"]
    settings.LOCAL = False
    assert checks.production_environment() == []


def test_staff_without_a_second_factor_is_warned_of(settings: Any) -> None:
    settings.STAFF_MFA = False
    assert [one.id for one in checks.second_factor()] == ["heed.W003"]
    settings.STAFF_MFA = True
    assert checks.second_factor() == []


def test_a_role_that_may_truncate_is_warned_of(db: None) -> None:
    assert [one.id for one in checks.history_cannot_be_truncated()] == ["heed.W002"]


def test_a_role_that_may_not_truncate_is_fine(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE heed_test_web")
        cursor.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON consents_ledgerevent TO heed_test_web")
        cursor.execute("SET LOCAL ROLE heed_test_web")
        assert checks.history_cannot_be_truncated() == []
        cursor.execute("RESET ROLE")


def test_a_controller_that_cannot_be_reached_is_warned_of(settings: Any) -> None:
    told = dict.fromkeys(settings.CONTROLLER, "told")
    settings.CONTROLLER = told
    assert checks.controller_told() == []
    settings.CONTROLLER = told | {"phone": "", "storage": ""}
    (warning,) = checks.controller_told()
    assert warning.id == "heed.W007"
    assert warning.hint == "Set HEED_CONTROLLER_PHONE, HEED_STORAGE_COUNTRY."


def test_each_check_says_what_to_do(settings: Any, db: None) -> None:
    settings.LOCAL, settings.STAFF_MFA = True, False
    every = [*checks.production_environment(), *checks.second_factor(), *checks.history_cannot_be_truncated()]
    assert all(one.hint for one in every)
