"""Staff read what the house signed, and how far it is behind."""

import pytest
from django.test import Client

from portal.models import User
from tests.conftest import SignIn, sequenced
from tests.consents.sealing import fill, sealed

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/consents/checkpoint/"


def test_checkpoints_are_listed_with_size_root_and_time(bob: User, signed_in: SignIn) -> None:
    last = sealed(3)
    page = signed_in(bob).get(LIST).content.decode()
    assert bytes(last.root).hex() in page
    assert "wait to be sealed" not in page
    shown = signed_in(bob).get(f"{LIST}{last.pk}/change/").content.decode()
    assert last.note.split("\n")[2].replace("+", "&#x2B;") in shown or last.note.split("\n")[2] in shown


def test_the_list_says_what_waits_to_be_sealed(bob: User, signed_in: SignIn) -> None:
    sealed(3)
    fill(2)
    sequenced()
    browser = signed_in(bob)
    assert "2 events wait to be sealed" in browser.get(LIST).content.decode()
    assert "Events that wait to be sealed" in browser.get("/admin/").content.decode()


def test_nobody_changes_a_checkpoint(petra: User, signed_in: SignIn) -> None:
    last = sealed(3)
    browser = signed_in(petra)
    assert browser.get(f"{LIST}add/").status_code == 403
    assert browser.post(f"{LIST}{last.pk}/delete/").status_code == 403
    assert browser.post(f"{LIST}{last.pk}/change/", {"size": 9}).status_code == 403


def test_staff_without_a_role_see_none(signed_in: SignIn, alice: object) -> None:
    assert Client().get(LIST).status_code == 302
