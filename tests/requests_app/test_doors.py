"""The same asked through every door is the same request: kept, recognised, shown and told downstream alike."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from consents.models import Partner, Subject
from portal import clock
from portal.models import User
from requests_app import drp, drp_messages, importing, looking, opendsr, sealing, workflow
from requests_app.models import Request
from requests_app.rights import rectification
from requests_app.states import Right
from tests.conftest import AT, BY, SignIn
from tests.requests_app.agency import exercising, registered
from tests.requests_app.api.conftest import FrontEnd
from tests.requests_app.holding import posts
from tests.requests_app.import_files import csv_of, line
from tests.requests_app.pages.walking import choose, send

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_cache")]

NOTE = "Since May.\nSee my letter."
SURNAME = {"what": "Surname", "wrong": "Dough", "right": "Doe"}
STREET = {"what": "Street", "wrong": "", "right": "Main Street 1\nThird floor"}
RIGHTS = ["rectification", "objection"]
# a page's fields, where a browser ends lines by CRLF
FIELDS: dict[str, Any] = {
    "about": "Surname",
    "wrong": "Dough",
    "correct": "Doe",
    "about_1": "Street",
    "wrong_1": "",
    "correct_1": "Main Street 1\r\nThird floor",
    "note": NOTE.replace("\n", "\r\n"),
    "purposes_objection": ["ai-training"],
}


class Doors:
    """Alice asks by herself, through Acme's front end, of Bob at the telephone, and in a line of a file."""

    def __init__(self, alice: Subject, bob: User, acme: Partner, signed_in: SignIn) -> None:
        self.alice, self.bob, self.acme, self.sign_in = alice, bob, acme, signed_in

    def pages(self) -> None:
        browser = self.sign_in(self.alice)
        choose(browser, *RIGHTS, **FIELDS)
        send(browser)

    def rest(self) -> None:
        details = {"corrections": [SURNAME, STREET]}
        FrontEnd(self.acme).sends(*RIGHTS, details=details, scope={"purposes": ["ai-training"]}, note=NOTE)

    def staff(self) -> None:
        who = {"scheme": "email", "identifier": "alice@example.org", "capacity": "self", "shown": "document"}
        came = {"channel": "phone", "received_on": clock.now().date().isoformat(), "locale": "en"}
        said = {"rights": RIGHTS, **FIELDS, **who, **came, "confirmed": "1"}
        answer = self.sign_in(self.bob).post("/admin/requests_app/request/add/", said)
        assert answer.status_code == 302

    def file(self) -> None:
        cells = {"correct_what": "Street", "correct_right": "Main Street 1\nThird floor"}
        # in another order, as somebody may have typed it
        cells |= {"correct_what_2": "Surname", "correct_wrong_2": "Dough", "correct_right_2": "Doe"}
        said = {"received_on": clock.now().date().isoformat(), "rights": "; ".join(RIGHTS), "note": NOTE}
        content = csv_of(line(**said, **cells, purposes="ai-training", shown="document"))
        one = importing.check(name="tickets.csv", parts=[content], by=BY, at=clock.now())
        one = importing.take_in(one=importing.approve(one=one, by=BY, at=clock.now()), clock=clock.now)
        assert (one.accepted, one.refused) == (1, 0)


DOORS: dict[str, Callable[[Doors], None]] = {
    "pages": Doors.pages,
    "api": Doors.rest,
    "phone": Doors.staff,
    "import": Doors.file,
}
"""By the channel that each leaves on its requests."""


@pytest.fixture
def doors(alice: Subject, bob: User, acme: Partner, signed_in: SignIn, settings: Any, tmp_path: Path) -> Doors:
    settings.FILES_DIR = tmp_path / "files"
    return Doors(alice, bob, acme, signed_in)


def asked_by(channel: str) -> Request:
    return Request.objects.get(channel=channel, right=Right.RECTIFICATION)


def kept(request: Request) -> list[dict[str, str]]:
    """What is to be corrected, in no order, with lines as every system ends them."""
    told = [
        {part: text.replace("\r\n", "\n") for part, text in one.items()} for one in rectification.corrections(request)
    ]
    return sorted(told, key=lambda one: one["what"])


@pytest.mark.parametrize("channel", DOORS)
def test_what_is_asked_is_kept_shown_and_told_downstream(
    doors: Doors, channel: str, tmp_path: Path, signed_in: SignIn
) -> None:
    posts(tmp_path, "alice")
    DOORS[channel](doors)
    request, objection = asked_by(channel), Request.objects.get(channel=channel, right=Right.OBJECTION)
    assert kept(request) == [STREET, SURNAME]
    assert (objection.group, objection.scope, objection.status) == (
        request.group,
        {"purposes": ["ai-training"]},
        "in_progress",
    )
    for one in (request, objection):
        note = sealing.unseal(one, one.sealed_note, context=sealing.NOTE) or ""
        assert note.replace("\r\n", "\n") == NOTE
    assert [entry.code for entry in request.timeline.all() if entry.code != "proof_passed"] == ["received"]
    # the person and staff read the same, whoever took it in
    shown = signed_in(doors.alice).get(reverse("request-detail", args=[request.reference]))
    assert {(one["what"], one["wrong"]) for one in shown.context["corrections"]} == {
        ("Surname", "Dough"),
        ("Street", ""),
    }
    assert "Third floor" in shown.content.decode()
    workspace = signed_in(doors.bob).get(reverse("admin:requests_app_request_change", args=[request.pk])).context
    assert ("Corrections", "Surname: Dough → Doe") in workspace["said"]
    # and whoever keeps the data is told of as many things
    workflow.start(request=request, staff=doors.bob, by=BY, at=clock.now())
    workflow.carry_out(request=request, by=BY, at=clock.now())
    assert looking.look(at=clock.now()) == 1
    assert "correct all 2 things that the request names" in request.tasks.get().instructions


def test_the_same_through_another_door_is_recognised(doors: Doors) -> None:
    for channel, ask in DOORS.items():
        ask(doors)
        if channel == "pages":
            first = asked_by(channel)
            first_objection = Request.objects.get(channel=channel, right=Right.OBJECTION)
            continue
        again, objection = asked_by(channel), Request.objects.get(channel=channel, right=Right.OBJECTION)
        assert (again.duplicate_of, objection.duplicate_of) == (first, first_objection), channel
    assert Request.objects.filter(duplicate_of=None).count() == 2


def test_no_protocol_of_machines_carries_a_correction(db: None) -> None:
    """The Data Rights Protocol 1.0 and OpenDSR 2.0 have no word for it: who asks by them is sent to another door."""
    assert Right.RECTIFICATION not in {*drp.RIGHTS.values(), *opendsr.RIGHTS.values()}
    agent, _key = registered()
    message = exercising(agent.pk, "rectification", now=AT)
    with pytest.raises(drp_messages.Refused) as refused:
        drp.exercise(agent=agent, asked=drp_messages.read(message), at=AT)
    assert refused.value.code == "unknown_right"
