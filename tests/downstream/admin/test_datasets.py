"""The staff's page of one dataset: what a manager decides there."""

import pytest
from django.urls import reverse

from downstream.models import Dataset
from portal.models import User
from tests.conftest import SignIn

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_column_of_creation_time_is_named_by_a_manager(
    posts: Dataset, petra: User, bob: User, signed_in: SignIn
) -> None:
    address = reverse("admin:downstream_dataset_name_created_column", args=[posts.pk])
    named = {"_form_submitted": "True", "column": "text"}
    assert signed_in(bob).post(address, named).status_code == 403
    assert signed_in(petra).post(address, named)["HX-Redirect"]
    posts.refresh_from_db()
    assert posts.created_column == "text"
