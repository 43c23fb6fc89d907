"""`manage.py add_staff`."""

import pytest
from django.core.management import CommandError, call_command

from portal import roles
from portal.models import AuditEntry, User

pytestmark = pytest.mark.django_db


def test_a_colleague_gets_an_account_with_a_role_and_no_password() -> None:
    call_command("add_staff", "Petra@Example.com", role=roles.MANAGER)
    user = User.objects.get(email="petra@example.com")
    assert user.is_staff
    assert not user.has_usable_password()
    assert user.has_perm("consents.open_hold")
    assert AuditEntry.objects.get().object_id == str(user.pk)


@pytest.mark.parametrize("address", ["petra@example.com", "PETRA@example.com"])
def test_the_same_address_twice_is_refused(address: str) -> None:
    call_command("add_staff", "petra@example.com", role=roles.AGENT)
    with pytest.raises(CommandError, match="already"):
        call_command("add_staff", address, role=roles.MANAGER)
    assert User.objects.count() == 1


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(CommandError, match="not a mail address"):
        call_command("add_staff", "petra", role=roles.AGENT)
    assert not User.objects.exists()
