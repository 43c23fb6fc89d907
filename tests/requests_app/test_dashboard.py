"""The staff's first page and the queue that it leads to."""

from datetime import timedelta
from typing import Any

import pytest

from consents.models import Subject
from portal import clock, partitions
from portal.models import User
from requests_app.models import Request
from tests.conftest import SignIn
from tests.requests_app.asking import asked


@pytest.mark.parametrize(
    ("left", "listed"), [(30, {""}), (5, {"", "soon"}), (0, {"", "soon", "today"}), (-1, {"", "overdue"})]
)
def test_each_number_opens_the_list_that_it_counted(
    alice: Subject, petra: User, signed_in: SignIn, left: int, listed: set[str]
) -> None:
    request = asked(alice, "erasure", at=clock.now())[0]
    Request.objects.update(due_on=clock.now().date() + timedelta(days=left))
    browser = signed_in(petra)
    assert request.reference in browser.get("/admin/").content.decode()
    lists = {
        name: browser.get("/admin/requests_app/request/", {"view": name} if name else {}).content.decode()
        for name in ("", "soon", "today", "overdue")
    }
    assert {name for name, page in lists.items() if request.reference in page} == listed


def test_months_that_run_out_are_on_the_first_page(petra: User, signed_in: SignIn, monkeypatch: Any) -> None:
    browser = signed_in(petra)
    assert "Months kept ready" not in browser.get("/admin/").content.decode()
    monkeypatch.setattr(partitions, "FEWEST", partitions.AHEAD + 1)
    assert "Months kept ready" in browser.get("/admin/").content.decode()
