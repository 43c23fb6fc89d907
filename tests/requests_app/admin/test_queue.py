"""The queue: what each view and filter holds, how many statements a page takes, and what is done to many at once."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from consents.models import Subject
from portal import clock
from portal.models import User
from portal.roles import AUDITOR
from requests_app import remaining, workflow
from requests_app.admin import saved_views
from requests_app.models import Request, SavedView
from requests_app.states import Right, Status
from tests.conftest import BY, SignIn, person, staff_member
from tests.load.bench_queue import QUEUE, pages
from tests.requests_app.asking import asked, received, withdrawn
from tests.requests_app.growing import grow

pytestmark = pytest.mark.django_db(transaction=True)

MOST_STATEMENTS = 12


def listed(browser: Client, **filters: str) -> set[str]:
    """References of what the queue shows under these filters."""
    page = browser.get(QUEUE, filters).content.decode()
    return {one.reference for one in Request.objects.all() if one.reference in page}


def test_every_view_and_filter_takes_few_statements_however_many_there_are(
    world: None, petra: User, signed_in: SignIn
) -> None:
    browser = signed_in(petra)
    taken: dict[str, set[int]] = {}
    for size in (50, 250):
        grow(rows=size, staff_id=petra.pk)
        for name, filters in pages(petra).items():
            with CaptureQueriesContext(connection) as statements:
                assert browser.get(QUEUE, filters).status_code == 200
            taken.setdefault(name, set()).add(len(statements))
    assert max(max(numbers) for numbers in taken.values()) <= MOST_STATEMENTS
    assert {name for name, numbers in taken.items() if len(numbers) > 1} == set()


def test_the_first_page_is_read_from_an_index_and_never_sorted(world: None, petra: User) -> None:
    grow(rows=3_000, staff_id=petra.pk)
    open_ones = Request.objects.open().exclude(status=Status.VERIFYING).order_by("due_on", "id")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE requests_app_request")
    for narrowed in ({}, {"right": "erasure"}, {"jurisdiction": "GB"}, {"assigned_to": petra}, {"channel": "letter"}):
        plan = open_ones.filter(**narrowed)[:40].explain()
        assert "Index" in plan, (narrowed, plan)
        assert "Sort Key: due_on, id" not in plan.replace("Incremental Sort", ""), (narrowed, plan)


def test_where_none_is_overdue_all_that_is_due_tomorrow_is_passed_over(world: None, petra: User) -> None:
    grow(rows=3_000, staff_id=petra.pk)
    at = clock.now()
    Request.objects.update(due_on=at.date() + timedelta(days=2))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE requests_app_request")
    for listed in (remaining.overdue, remaining.due_today):
        plan = Request.objects.open().filter(listed(at)).order_by("due_on", "id")[:40].explain()
        assert "request_open_ends" in plan, plan


def test_each_view_holds_what_it_says(alice: Subject, bob: User, petra: User, signed_in: SignIn) -> None:
    today = clock.now().date()
    mine = workflow.start(request=received(alice), staff=bob, by=BY, at=clock.now())
    overdue = received(person("dave"))
    soon, later, closed = received(person("erin")), received(person("frank")), withdrawn(person("gwen"), petra)
    for one, left in ((mine, 20), (overdue, -1), (soon, 3), (later, 20)):
        Request.objects.filter(pk=one.pk).update(due_on=today + timedelta(days=left))
    unproven = received(person("henry"))
    Request.objects.filter(pk=unproven.pk).update(status=Status.VERIFYING, due_on=today + timedelta(days=20))
    browser = signed_in(bob)
    expected: dict[str, set[Request]] = {
        "": {mine, overdue, soon, later},
        "mine": {mine},
        "unassigned": {overdue, soon, later},
        "overdue": {overdue},
        "soon": {soon},
        "today": set(),
        "unproven": {unproven},
        "closed": {closed},
        "every": {mine, overdue, soon, later, closed, unproven},
        "nonsense": {mine, overdue, soon, later},
    }
    for view, held in expected.items():
        assert listed(browser, **({"view": view} if view else {})) == {one.reference for one in held}, view


@pytest.mark.parametrize(
    "filters",
    [
        {"view": "x" * 500},
        {"staff": "nobody' OR 1=1"},
        {"staff": "00000000-0000-0000-0000-000000000000"},
        {"jurisdiction": "\0"},
        {"right": "everything"},
        {"q": "Q-nonsense"},
        {"q": "alice@example.org"},
        {"p": "9999"},
        {"o": "7.-3"},
    ],
)
def test_a_hand_made_address_fails_in_no_way(
    alice: Subject, bob: User, signed_in: SignIn, filters: dict[str, str]
) -> None:
    received(alice)
    assert signed_in(bob).get(QUEUE, filters).status_code in {200, 302}


def test_a_reference_is_found_whatever_is_filtered(alice: Subject, bob: User, signed_in: SignIn) -> None:
    closed = withdrawn(alice, bob)
    other = received(person("dave"))
    browser = signed_in(bob)
    assert listed(browser, q=closed.reference) == {closed.reference}
    assert listed(browser, q=f" {other.reference.lower()} ") == {other.reference}
    assert listed(browser, q="dave") == set()


def bulk(browser: Client, action: str, requests: list[Request], **filled: Any) -> Any:
    return browser.post(QUEUE, {"action": action, "_selected_action": [str(one.pk) for one in requests], **filled})


def test_many_are_assigned_at_once(alice: Subject, bob: User, petra: User, signed_in: SignIn) -> None:
    requests = [received(alice), received(person("dave")), received(person("erin"))]
    browser = signed_in(bob)
    bulk(browser, "assign_to_me", requests[:2])
    assert [one.assigned_to for one in Request.objects.order_by("pk")] == [bob, bob, None]
    page = bulk(browser, "assign_to", requests).content.decode()
    assert "3 requests are chosen" in page
    bulk(browser, "assign_to", requests, filled="1", staff=str(petra.pk))
    assert {one.assigned_to for one in Request.objects.all()} == {petra}


def test_everything_that_is_listed_is_assigned_at_once(
    alice: Subject, bob: User, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ "Select all" sends the ids of one page and says that all are meant."""
    requests = [received(alice), received(person("dave")), received(person("erin"))]
    browser = signed_in(bob)
    assert "3 requests are chosen" in bulk(browser, "assign_to", requests[:1], select_across="1").content.decode()
    monkeypatch.setattr("requests_app.admin.bulk.MOST", 2)
    bulk(browser, "assign_to_me", requests[:1], select_across="1")
    assert Request.objects.filter(assigned_to=bob).count() == 2
    assert "2 requests are taken at once" in browser.get(QUEUE).content.decode()


def test_one_that_cannot_be_assigned_is_named_and_the_others_are_done(
    alice: Subject, bob: User, signed_in: SignIn
) -> None:
    closed, running = withdrawn(alice, bob), received(person("dave"))
    browser = signed_in(bob)
    bulk(browser, "assign_to_me", [closed, running])
    page = browser.get(QUEUE).content.decode()
    assert "Done with 1 request." in page
    assert f"{closed.reference}: " in page


def test_many_are_extended_at_once_each_with_its_notice(world: None, bob: User, signed_in: SignIn) -> None:
    at = clock.now()
    can, cannot = asked(person("dave", "GB"), "access", at=at)[0], asked(person("ines", "BR"), "access", at=at)[0]
    browser = signed_in(bob)
    assert "chosen" in bulk(browser, "extend", [can, cannot], filled="1", reason="").content.decode()
    bulk(browser, "extend", [can, cannot], filled="1", reason="Forty mailboxes have to be read.")
    page = browser.get(QUEUE).content.decode()
    assert f"{cannot.reference}: This law allows no extension." in page
    before = can.due_on
    can.refresh_from_db()
    assert can.due_on > before
    assert can.timeline.filter(code="extended").exists()
    assert not cannot.timeline.filter(code="extended").exists()


def test_who_only_looks_can_do_nothing_to_many(alice: Subject, signed_in: SignIn) -> None:
    request = received(alice)
    bulk(signed_in(staff_member("olga", AUDITOR)), "assign_to_me", [request])
    assert Request.objects.get().assigned_to is None


def test_a_view_is_kept_by_name_and_forgotten(alice: Subject, bob: User, petra: User, signed_in: SignIn) -> None:
    browser = signed_in(bob)
    query = f"view=soon&right={Right.ERASURE}&q=alice@example.org"
    browser.post(f"{QUEUE}views/save/", {"name": " erasures,  soon ", "query": query})
    kept = SavedView.objects.get()
    # what was searched for may be somebody's
    assert (kept.staff, kept.name, kept.query) == (bob, "erasures, soon", "view=soon&right=erasure")
    assert "erasures, soon" in browser.get(QUEUE).content.decode()
    other = signed_in(petra)
    assert "erasures, soon" not in other.get(QUEUE).content.decode()
    assert other.post(f"{QUEUE}views/{kept.pk}/forget/").status_code == 404
    assert browser.get(f"{QUEUE}views/{kept.pk}/forget/").status_code == 404
    assert browser.post(f"{QUEUE}views/{kept.pk}/forget/").status_code == 302
    assert not SavedView.objects.exists()


@pytest.mark.parametrize("name", ["", "  ", "x" * 41])
def test_a_view_needs_a_name(bob: User, signed_in: SignIn, name: str) -> None:
    browser = signed_in(bob)
    browser.post(f"{QUEUE}views/save/", {"name": name, "query": ""})
    assert not SavedView.objects.exists()
    assert "Give the view a name" in browser.get(QUEUE).content.decode()


def test_so_many_views_and_no_more(bob: User, signed_in: SignIn) -> None:
    browser = signed_in(bob)
    for number in range(saved_views.MOST + 1):
        browser.post(f"{QUEUE}views/save/", {"name": f"view {number}", "query": "view=mine"})
    assert SavedView.objects.count() == saved_views.MOST


@pytest.mark.parametrize("view", ["", "overdue", "mine", "nonsense"])
def test_views_are_links_of_which_the_shown_one_is_marked(world: None, bob: User, signed_in: SignIn, view: str) -> None:
    views = signed_in(bob).get(QUEUE, {"view": view} if view else {}).context["views"]
    assert [address for _words, address, is_shown in views if is_shown] == {
        "": ["?"],
        "nonsense": [],
    }.get(view, [f"?view={view}"])
    assert {"?view=today", "?view=second", "?view=closed"} <= {address for _words, address, _is_shown in views}


def test_a_persons_page_leads_to_all_their_requests(
    alice: Subject, charlie: Subject, bob: User, signed_in: SignIn
) -> None:
    hers = {received(alice).reference, withdrawn(alice, bob).reference}
    received(charlie)
    browser = signed_in(bob)
    link = f"{QUEUE}?q={alice.pk}"
    assert link in browser.get(f"/admin/consents/subject/{alice.pk}/change/").content.decode()
    page = browser.get(link).content.decode()
    assert {one.reference for one in Request.objects.all() if one.reference in page} == hers
