"""The staff's page of a dataset's versions: what each was, and what changed between two."""

import json
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from consents.models import Subject
from consents.vocabulary import Action
from downstream import arrivals, croissant, versions
from downstream.models import Dataset
from portal.models import User
from tests.conftest import SignIn, staff_member, write_parquet
from tests.downstream.acting import LATER, run_all, say

pytestmark = pytest.mark.django_db(transaction=True)


def page(dataset: Dataset) -> str:
    return reverse("admin:downstream_dataset_list_versions", args=[dataset.pk])


def metadata(dataset: Dataset) -> str:
    return reverse("admin:downstream_dataset_croissant_metadata", args=[dataset.pk])


@pytest.fixture
def changed(posts: Dataset, alice: Subject) -> Dataset:
    say(alice, Action.DENY)
    run_all()
    write_parquet(Path(posts.location), {"author": ["m_z"], "text": ["z"]}, name="part-1.parquet")
    arrivals.look_around(at=LATER)
    return posts


def test_versions_are_listed_with_their_state(changed: Dataset, bob: User, signed_in: SignIn) -> None:
    text = signed_in(bob).get(page(changed)).content.decode()
    for words in ("Versions of Posts", "nothing verified yet", "not looked through yet", "verified"):
        assert words in text


def test_what_changed_between_two_is_told(changed: Dataset, bob: User, signed_in: SignIn) -> None:
    response = signed_in(bob).get(page(changed), {"from": "1", "to": "3"})
    shown = response.context["changes"]
    assert shown["units"] == [["part-0.parquet", "rewritten", 5, 3], ["part-1.parquet", "added", "–", 1]]
    assert shown["rows_removed"] == 2
    assert "Heed removed 2" in response.content.decode()
    same = signed_in(bob).get(page(changed), {"from": "2", "to": "2"}).content.decode()
    assert "No file changed" in same


@pytest.mark.parametrize("query", [{"from": "3", "to": "1"}, {"from": "9", "to": "1"}, {"from": "x", "to": ""}])
def test_what_cannot_be_compared_says_why(
    changed: Dataset, bob: User, signed_in: SignIn, query: dict[str, str]
) -> None:
    response = signed_in(bob).get(page(changed), query)
    assert response.status_code == 200
    assert response.context["refused"]


def test_a_version_is_downloaded_as_croissant(changed: Dataset, bob: User, signed_in: SignIn) -> None:
    browser = signed_in(bob)
    response = browser.get(metadata(changed), {"version": "2"})
    assert response["Content-Disposition"] == 'attachment; filename="posts-v2.croissant.json"'
    assert json.loads(response.content)["version"] == "2.0.0"
    newest = versions.newest(changed)
    assert newest is not None
    assert json.loads(browser.get(metadata(changed)).content) == json.loads(json.dumps(croissant.export(newest)))
    assert browser.get(metadata(changed), {"version": "99"}).status_code == 404
    assert browser.get(metadata(changed), {"version": "x"}).status_code == 404


def test_only_staff_who_see_datasets_see_their_versions(
    changed: Dataset, alice: Subject, ada: User, signed_in: SignIn
) -> None:
    for who in (staff_member("nobody", None), ada):
        browser = signed_in(who)
        assert browser.get(page(changed)).status_code in {302, 403}
        assert browser.get(metadata(changed)).status_code in {302, 403}
    assert Client().get(page(changed)).status_code == 302
    assert signed_in(alice).get(page(changed)).status_code == 302


def test_a_dataset_that_is_not_there_has_no_versions(changed: Dataset, bob: User, signed_in: SignIn) -> None:
    browser = signed_in(bob)
    for action in ("list_versions", "croissant_metadata"):
        for pk in ("nonsense", "999999"):
            assert browser.get(reverse(f"admin:downstream_dataset_{action}", args=[pk])).status_code in {302, 404}


def test_a_dataset_with_new_files_says_so(changed: Dataset, bob: User, signed_in: SignIn) -> None:
    address = reverse("admin:downstream_dataset_changelist")
    assert "new files: being looked through" in signed_in(bob).get(address).content.decode()
    run_all()
    assert "new files: being looked through" not in signed_in(bob).get(address).content.decode()
