"""The staff's queue over 100,000 open requests: its first page under each view and filter, as the web process makes it,
without the network. The floor is the same page over 1,000 requests in the same run; statements are counted.
"""

from collections.abc import Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal import clock, roles
from requests_app.models import Request
from tests.load.bench import Row, Scale, median_seconds
from tests.requests_app.growing import grow

TARGET = "≤ 150 ms, ≤ 12 statements"
QUEUE = "/admin/requests_app/request/"
_FLOOR = 1_000
_SIZE = 100_000
_TIMES = 7


def pages(staff: Any) -> dict[str, dict[str, str]]:
    """What the queue can be narrowed to, one of each kind."""
    views = ["mine", "unassigned", "overdue", "today", "soon", "waiting", "second", "escalated", "closed", "every"]
    return {
        "open": {},
        **{f"view {name}": {"view": name} for name in views},
        "status": {"status": "in_review"},
        "right": {"right": "erasure"},
        "place": {"jurisdiction": "US-VA"},
        "place without any": {"jurisdiction": "NZ"},
        "staff": {"staff": str(staff.pk)},
        "nobody": {"staff": "nobody"},
        "channel": {"channel": "letter"},
        "right and place": {"right": "access", "jurisdiction": "GB", "view": "overdue"},
        "a reference": {"q": Request.objects.order_by("-id")[0].reference},
    }


def run(scale: Scale) -> Iterator[Row]:
    staff, browser = _signed_in()
    floor: dict[str, float] = {}
    for size in (_FLOOR, _SIZE):
        grow(rows=size - Request.objects.count(), staff_id=staff.pk)
        for name, filters in {**pages(staff), "the 25th page": {"p": "25"}}.items():
            taken = median_seconds(lambda filters=filters: _page(browser, filters), times=_TIMES) * 1000  # type: ignore[misc]
            with CaptureQueriesContext(
                connection,
            ) as asked:
                _page(browser, filters)
            if size == _FLOOR:
                floor[name] = taken
                continue
            note = f"{len(asked)} statements"
            yield Row(name, f"{size:,} open", "ms", taken, floor[name], f"over {_FLOOR:,}", False, TARGET, note)


def _page(browser: Client, filters: dict[str, str]) -> None:
    answer = browser.get(QUEUE, filters)
    assert answer.status_code == 200, answer.status_code


def _signed_in() -> tuple[Any, Client]:
    roles.set_up()
    staff = get_user_model().objects.create(username="petra", email="petra@staff.example", is_staff=True)
    staff.groups.add(*_groups())
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(staff, backend="django.contrib.auth.backends.ModelBackend")
    session = browser.session
    session["account_authentication_methods"] = [{"method": "mfa", "at": clock.now().timestamp()}]
    session["account_authentication_methods_user"] = str(staff.pk)
    session.save()
    return staff, browser


def _groups() -> Any:
    return Group.objects.filter(name=roles.MANAGER)
