"""What a test commits is gone before the next one begins."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from consents.models import LedgerEvent, Subject
from portal.models import AuditEntry, User
from tests import emptying
from tests.conftest import person, sequenced


@pytest.mark.django_db(transaction=True)
def test_everything_is_gone_and_what_migrate_writes_is_there(world: None, petra: User) -> None:
    person("alice")
    sequenced()
    before = Permission.objects.count(), ContentType.objects.count()
    assert LedgerEvent.objects.exists()
    emptying.empty()
    for model in (LedgerEvent, AuditEntry, Subject, User, Group):
        assert not model.objects.exists(), model
    assert (Permission.objects.count(), ContentType.objects.count()) == before


@pytest.mark.django_db(transaction=True)
def test_a_table_that_grew_is_truncated(petra: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO auth_group (name) SELECT repeat(md5(n::text), 4) || n FROM generate_series(1, 8000) n"
        )
    assert _size("auth_group") > emptying.LARGEST
    emptying.empty()
    assert _size("auth_group") == 0
    assert not User.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_role_that_may_not_switch_triggers_off_flushes(petra: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        owner = connection.ops.quote_name(cursor.fetchone()[0])
        cursor.execute(
            f"DROP ROLE IF EXISTS heed_test_plain; CREATE ROLE heed_test_plain; GRANT {owner} TO heed_test_plain"
        )
        cursor.execute("SET SESSION AUTHORIZATION heed_test_plain")
        try:
            cursor.execute("SET ROLE heed_test_plain")
            emptying.empty()
        finally:
            cursor.execute("RESET ROLE; RESET SESSION AUTHORIZATION")
        cursor.execute(f"REVOKE {owner} FROM heed_test_plain; DROP ROLE heed_test_plain")
    assert not User.objects.exists()


def _size(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_size(%s)", [table])
        return int(cursor.fetchone()[0])
