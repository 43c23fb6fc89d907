"""The staff's pages of requests: who may do what, each look in the trail, and nothing from a wrong state."""

import io
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.formats import date_format

from consents.models import LedgerEvent, Subject
from portal import actors, clock
from portal.models import AuditEntry, User
from portal.roles import AUDITOR
from requests_app import attachments, messages, packages
from requests_app.admin import workspace
from requests_app.models import Request
from requests_app.states import FileUse, Status
from tests.conftest import AT, BY, SignIn, person, staff_member
from tests.requests_app.asking import (
    IN_STATE,
    SOON,
    asked,
    carried_out,
    received,
    refusal_of,
    started,
    system,
    verifying,
)

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/requests_app/request/"
BAD_IDS = ("nonsense", "0", "00000000-0000-0000-0000-000000000000", "x" * 200, "_5B_00")


def page_of(request: Request) -> str:
    return reverse("admin:requests_app_request_change", args=[request.pk])


def address(action: str, pk: object, of: object = "") -> str:
    return f"{LIST}{pk}/do/{action}/" + (f"{of}/" if of else "")


def do(browser: Client, action: str, pk: object, of: object = "", **filled: Any) -> Any:
    return browser.post(address(action, pk, of), filled)


def test_an_agent_starts_and_carries_out(alice: Subject, bob: User, signed_in: SignIn) -> None:
    request = received(alice)
    browser = signed_in(bob)
    assert do(browser, "start", request.pk)["Location"] == page_of(request)
    request.refresh_from_db()
    assert (request.status, request.assigned_to) == (Status.IN_PROGRESS, bob)
    assert do(browser, "carry_out", request.pk)["Location"] == page_of(request)
    request.refresh_from_db()
    assert request.carried_out_by == f"staff:{bob.pk}"
    assert "on its way" in browser.get(page_of(request)).content.decode()


def test_a_dialog_that_was_only_opened_does_nothing(alice: Subject, bob: User, signed_in: SignIn) -> None:
    request = received(alice)
    answer = signed_in(bob).get(address("start", request.pk))
    assert answer.status_code == 200
    request.refresh_from_db()
    assert request.status == Status.RECEIVED


@pytest.mark.parametrize("action", ["start", "carry_out"])
@pytest.mark.parametrize("state", IN_STATE)
def test_an_action_that_the_state_forbids_changes_nothing(
    alice: Subject, bob: User, petra: User, signed_in: SignIn, action: str, state: str
) -> None:
    if (action, state) in {("start", "received"), ("carry_out", "in_progress")}:
        return
    request = IN_STATE[state](alice, petra)
    before = Request.objects.values().get(), LedgerEvent.objects.count()
    browser = signed_in(bob)
    assert do(browser, action, request.pk).status_code == 400
    assert (Request.objects.values().get(), LedgerEvent.objects.count()) == before
    # neither is it offered, and the page says why
    page = browser.get(page_of(request)).content.decode()
    assert address(action, request.pk) not in page
    assert "What is not possible now, and why" in page


@pytest.mark.parametrize("action", ["start", "carry_out"])
def test_an_auditor_looks_and_changes_nothing(alice: Subject, bob: User, signed_in: SignIn, action: str) -> None:
    request = received(alice) if action == "start" else started(alice, bob)
    before = Request.objects.values().get()
    browser = signed_in(staff_member("ada", AUDITOR))
    assert browser.get(page_of(request)).status_code == 200
    assert do(browser, action, request.pk).status_code == 403
    assert Request.objects.values().get() == before


@pytest.mark.parametrize("path", [LIST, "page"])
def test_staff_without_a_role_see_nothing(alice: Subject, signed_in: SignIn, path: str) -> None:
    request = received(alice)
    browser = signed_in(staff_member("nemo", None))
    assert browser.get(page_of(request) if path == "page" else path).status_code == 403
    assert do(browser, "start", request.pk).status_code == 403


def test_people_do_not_come_in(alice: Subject, signed_in: SignIn) -> None:
    assert signed_in(alice).get(LIST, follow=True).status_code == 403


def test_without_a_second_factor_staff_do_not_come_in(alice: Subject, bob: User, signed_in: SignIn) -> None:
    request = received(alice)
    browser = signed_in(bob, second_factor=False)
    assert browser.get(page_of(request)).status_code == 302
    assert do(browser, "start", request.pk).status_code == 302
    request.refresh_from_db()
    assert request.status == Status.RECEIVED


@pytest.mark.parametrize("name", BAD_IDS)
def test_a_bad_id_is_not_found(world: None, bob: User, signed_in: SignIn, name: str) -> None:
    browser = signed_in(bob)
    assert browser.get(f"{LIST}{name}/change/").status_code in {302, 404}
    for action in ("start", "carry_out"):
        assert do(browser, action, name).status_code in {302, 403, 404}
    assert not AuditEntry.objects.filter(action="request.look_at").exists()


def test_each_look_at_a_request_is_in_the_trail(alice: Subject, bob: User, signed_in: SignIn) -> None:
    request = received(alice, note="7 Acacia Road")
    page = signed_in(bob).get(page_of(request)).content.decode()
    assert "7 Acacia Road" in page
    look = AuditEntry.objects.get(action="request.look_at")
    assert (look.actor, look.object_id) == (f"staff:{bob.pk}", str(request.pk))


def test_the_list_opens_no_note(alice: Subject, bob: User, signed_in: SignIn) -> None:
    request = received(alice, note="7 Acacia Road")
    page = signed_in(bob).get(LIST).content.decode()
    assert request.reference in page
    assert "Acacia" not in page


@pytest.mark.parametrize("state", IN_STATE)
def test_each_state_has_its_page(alice: Subject, bob: User, signed_in: SignIn, state: str) -> None:
    request = IN_STATE[state](alice, bob)
    browser = signed_in(bob)
    assert browser.get(page_of(request)).status_code == 200
    assert browser.get(LIST).status_code == 200
    assert browser.get("/admin/").status_code == 200


def test_staff_see_what_an_erasure_waits_for_and_until_when(
    alice: Subject, bob: User, signed_in: SignIn, settings: Any, tmp_path: Any
) -> None:
    settings.FILES_DIR = tmp_path
    access = asked(alice, "access", at=clock.now())[0]
    packages.ask(request=access, by=BY, at=clock.now())
    packages.build_next(holder="test", clock=clock.now)
    package = packages.release(package=access.packages.get(), by=BY, at=clock.now())
    erasure = asked(alice, "erasure", at=clock.now())[0]
    browser = signed_in(bob)
    wait = packages.wait_of(erasure, at=clock.now())
    assert wait is not None
    said = browser.get(page_of(erasure)).content.decode()
    said = said[said.index('id="unfetched"') :][:1_500]
    assert date_format(wait.ends_on, "DATE_FORMAT") in said
    assert page_of(package.request) in said
    packages.let_go(request=erasure, by=BY, at=clock.now())
    assert 'id="unfetched"' not in browser.get(page_of(erasure)).content.decode()


def test_nothing_is_deleted_by_hand(alice: Subject, petra: User, signed_in: SignIn) -> None:
    request = received(alice)
    address = page_of(request).replace("change", "delete")
    assert signed_in(petra).post(address, {"post": "yes"}).status_code == 403
    assert Request.objects.count() == 1


def test_the_status_cannot_be_edited_in_place(alice: Subject, petra: User, signed_in: SignIn) -> None:
    request = received(alice)
    answer = signed_in(petra).post(page_of(request), {"status": Status.FULFILLED})
    assert answer.status_code == 405
    request.refresh_from_db()
    assert request.status == Status.RECEIVED


def test_a_post_from_elsewhere_changes_nothing(alice: Subject, bob: User, signed_in: SignIn) -> None:
    request = received(alice)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = signed_in(bob).cookies
    assert do(strict, "start", request.pk).status_code == 403
    request.refresh_from_db()
    assert request.status == Status.RECEIVED


def test_an_auditors_look_leaves_what_was_written_unread(alice: Subject, bob: User, signed_in: SignIn) -> None:
    request = received(alice)
    written = messages.write(request=request, body="Where is it?", by=actors.subject(alice.pk), at=AT)
    page = signed_in(staff_member("otto", AUDITOR)).get(page_of(request)).content.decode()
    written.refresh_from_db()
    assert "Where is it?" in page
    assert written.read_at is None
    signed_in(bob).get(page_of(request))
    written.refresh_from_db()
    assert written.read_at is not None


def test_state_clock_and_what_is_next_come_before_the_long_parts(alice: Subject, bob: User, signed_in: SignIn) -> None:
    request = started(alice, bob)
    page = signed_in(bob).get(page_of(request)).content.decode()
    places = [page.index(f'id="{part}"') for part in ("clock", "facts", "said", "tasks", "messages", "timeline")]
    assert places == sorted(places)
    assert page.index("in progress") < page.index(address("carry_out", request.pk)) < places[0]


def next_of(browser: Client, request: Request) -> list[str]:
    return [words for words, _address in browser.get(page_of(request)).context["next"]]


def test_the_page_says_what_waits_for_staff(alice: Subject, bob: User, signed_in: SignIn) -> None:
    browser, request = signed_in(bob), started(alice, bob)
    assert next_of(browser, request) == []
    messages.write(request=request, body="Where is it?", by=actors.subject(alice.pk), at=SOON)
    assert next_of(browser, request) == ["Read the new message"]
    # once it was read it waits for nobody
    assert next_of(browser, request) == []


def test_tasks_by_hand_are_next_but_not_while_a_refusal_is_decided(
    alice: Subject, bob: User, petra: User, signed_in: SignIn
) -> None:
    system("erasure")
    request = carried_out(alice, bob)
    assert next_of(signed_in(bob), request) == ["Do the task that is done by hand"]
    proposed = refusal_of(started(person("grace"), bob)).request
    assert next_of(signed_in(petra), proposed) == ["Decide what a colleague has proposed"]
    # an agent decides nothing
    assert next_of(signed_in(bob), proposed) == ["A colleague has to decide what is proposed"]


def test_nobody_is_sent_to_decide_what_they_proposed(alice: Subject, petra: User, signed_in: SignIn) -> None:
    own = refusal_of(started(alice, petra), by=actors.staff(petra.pk)).request
    assert next_of(signed_in(petra), own) == ["A colleague has to decide what is proposed"]


def test_evidence_of_identity_is_next_while_it_is_waited_for(
    alice: Subject, bob: User, signed_in: SignIn, settings: Any, tmp_path: Path
) -> None:
    settings.FILES_DIR = tmp_path
    request, browser = verifying(alice), signed_in(bob)
    assert next_of(browser, request) == []
    passport = io.BytesIO(b"%PDF-1.4\n%%EOF\n")
    by = actors.subject(alice.pk)
    attachments.add(request=request, use=FileUse.IDENTITY, stream=passport, name="passport.pdf", by=by, at=SOON)
    assert next_of(browser, request) == ["Look at the evidence of identity that came, and decide the proof"]


def test_who_decides_sees_what_they_decide(alice: Subject, bob: User, petra: User, signed_in: SignIn) -> None:
    proposal = refusal_of(started(alice, bob))
    page = signed_in(petra).get(address("decide", proposal.request_id, proposal.pk)).content.decode()
    for told in ("Refuse the request: manifestly unfounded", "It is a test.", "proposed by"):
        assert told in page


def test_who_settles_a_task_sees_what_has_to_be_done(alice: Subject, bob: User, signed_in: SignIn) -> None:
    system("erasure")
    request = carried_out(alice, bob)
    task = request.tasks.get(kind="manual")
    page = signed_in(bob).get(address("settle", request.pk, task.pk)).content.decode()
    assert "Remove the data: CRM" in page
    assert "Look there." in page


@pytest.mark.parametrize("of", [*BAD_IDS, "another"])
def test_a_part_of_no_request_is_shown_nothing_of(
    alice: Subject, charlie: Subject, bob: User, petra: User, signed_in: SignIn, of: str
) -> None:
    others = refusal_of(started(charlie, bob)).pk if of == "another" else of
    answer = signed_in(petra).get(address("decide", received(alice).pk, others))
    assert answer.status_code == 200
    assert answer.context["part"] is None


def test_giving_it_away_begins_with_whose_it_is(alice: Subject, bob: User, petra: User, signed_in: SignIn) -> None:
    request = started(alice, bob)
    page = signed_in(petra).get(address("assign", request.pk)).content.decode()
    assert f'<option value="{bob.pk}" selected>' in page


def test_each_deed_leads_back_and_says_how_the_request_stands(alice: Subject, bob: User, signed_in: SignIn) -> None:
    request = started(alice, bob)
    page = signed_in(bob).get(address("extend", request.pk)).content.decode()
    assert f'<a class="text-link" href="{page_of(request)}">' in page
    assert request.reference in page
    assert "in progress" in page


def test_the_way_back_to_the_queue_keeps_what_was_filtered(alice: Subject, bob: User, signed_in: SignIn) -> None:
    shown = signed_in(bob).get(page_of(received(alice)), {"_changelist_filters": 'view=overdue&right=erasure"><b>'})
    page = shown.content.decode()
    assert f'href="{LIST}?view=overdue&amp;right=erasure&quot;&gt;&lt;b&gt;"' in page


def test_the_door_of_peoples_pages_is_not_called_these_pages(alice: Subject, bob: User, signed_in: SignIn) -> None:
    page = signed_in(bob).get(page_of(received(alice))).content.decode()
    assert page.count("on people&#x27;s pages") == 2  # who asks, and what happened
    assert "on these pages" not in page


@pytest.mark.parametrize(("place", "hour", "words"), [("NZ", 12, "overdue by 1 day"), ("US-CA", 30, "due today")])
def test_a_day_is_over_where_the_person_lives(petra: User, world: None, place: str, hour: int, words: str) -> None:
    request = received(person("kiri", place), right="access")
    at = datetime.combine(request.due_on, time(), tzinfo=UTC) + timedelta(hours=hour)
    assert words in workspace.panels(request, petra, at=at)["due"][1]
