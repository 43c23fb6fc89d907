"""Rectification: Heed's own record at once, and a correction in every dataset that holds the person."""

import os
from pathlib import Path
from typing import Any

import pytest

from consents.models import Partner, Subject
from downstream import propagation
from downstream.models import Correction
from portal.errors import Conflict, DomainError
from portal.models import User
from requests_app import looking, progress, steps, workflow
from requests_app.models import Request
from requests_app.rights import rectification
from requests_app.states import Status
from tests.conftest import BY
from tests.downstream.copies import copy_at
from tests.requests_app.asking import LATER, SOON, asked, open_tasks, propagate, system
from tests.requests_app.holding import posts

pytestmark = pytest.mark.django_db(transaction=True)
NAME = {"what": "name", "wrong": "Alicia", "right": "Alice"}


def set_going(subject: Subject, staff: User, *corrections: dict[str, str]) -> Request:
    details = {"corrections": list(corrections)} if corrections else {}
    request = asked(subject, "rectification", details=details)[0]
    workflow.start(request=request, staff=staff, by=BY, at=SOON)
    return workflow.carry_out(request=request, by=BY, at=SOON)


def test_every_dataset_that_holds_the_person_gets_a_correction(
    alice: Subject, charlie: Subject, bob: User, tmp_path: Path
) -> None:
    posts(tmp_path, "alice", "alice", "charlie")
    posts(tmp_path, "charlie", slug="others")
    system("rectification")
    request = set_going(alice, bob, NAME)
    assert looking.look(at=LATER) == 2
    found = {one.dataset.slug if one.dataset else "crm": one for one in request.tasks.select_related("dataset")}
    assert {name: (one.kind, one.status) for name, one in found.items()} == {
        "posts": ("manual", "open"),
        "others": ("automatic", "done"),
        "crm": ("manual", "open"),
    }
    assert found["posts"].instructions.startswith("2 rows of this person are in it. Have Linkwell correct")
    with pytest.raises(Conflict):
        workflow.fulfil(request=request, by=BY, at=LATER)
    for task in open_tasks(request):
        steps.settle_by_hand(task=task, evidence="Corrected; everybody who got it was told.", by=BY, at=LATER)
    assert workflow.fulfil(request=request, by=BY, at=LATER).status == Status.FULFILLED


def test_whoever_keeps_a_dataset_reads_how_many_things_have_to_be_corrected(
    alice: Subject, bob: User, tmp_path: Path
) -> None:
    posts(tmp_path, "alice")
    request = set_going(alice, bob, NAME, {**NAME, "what": "town"}, {**NAME, "what": "birthday"})
    assert looking.look(at=LATER) == 1
    task = request.tasks.get(code="correct")
    assert "Have Linkwell correct all 3 things that the request names, or" in task.instructions


@pytest.mark.parametrize(
    ("named", "place"),
    [([], None), (["a", "b"], None), (["", ""], None), (["a", "b", "A "], 2), (["last  name", "Last name"], 1)],
)
def test_the_same_thing_is_known_in_any_case_and_spacing(named: list[str], place: int | None) -> None:
    assert rectification.twice(named) == place


def test_what_is_opened_again_is_corrected_again(alice: Subject, bob: User, tmp_path: Path) -> None:
    posts(tmp_path, "alice")
    request = set_going(alice, bob, NAME)
    looking.look(at=SOON)
    steps.settle_by_hand(task=open_tasks(request)[0], evidence="Corrected.", by=BY, at=SOON)
    workflow.fulfil(request=request, by=BY, at=SOON)
    workflow.reopen(request=request, by=BY, at=LATER, words="It is still wrong.")
    workflow.carry_out(request=request, by=BY, at=LATER)
    looking.look(at=LATER)
    assert looking.follow(at=LATER) == 0
    request.refresh_from_db()
    (task,) = open_tasks(request)
    assert list(Correction.objects.order_by("asked_at").values_list("state", flat=True)) == ["done", "open"]
    steps.settle_by_hand(task=task, evidence="Corrected at last.", by=BY, at=LATER)
    assert workflow.fulfil(request=request, by=BY, at=LATER).status == Status.FULFILLED


def test_nobody_looks_before_it_is_carried_out(alice: Subject, bob: User, tmp_path: Path) -> None:
    posts(tmp_path, "alice")
    workflow.start(request=asked(alice, "rectification")[0], staff=bob, by=BY, at=SOON)
    assert looking.look(at=LATER) == 0


def test_what_heed_keeps_itself_is_amended(alice: Subject, bob: User, tmp_path: Path) -> None:
    minor, place = {"what": "minor", "wrong": "no", "right": "yes"}, {"what": "jurisdiction", "wrong": "US"}
    request = set_going(alice, bob, minor, place | {"right": "GB"}, NAME)
    alice.refresh_from_db()
    assert (alice.is_minor, alice.jurisdiction) == (True, "GB")
    assert request.event_id is not None
    with pytest.raises(Conflict) as waits:
        workflow.fulfil(request=request, by=BY, at=LATER)
    assert waits.value.code == "not_arrived"
    propagate()
    assert workflow.fulfil(request=request, by=BY, at=LATER).status == Status.FULFILLED


def test_where_nobody_can_look_staff_ask(alice: Subject, charlie: Subject, bob: User, tmp_path: Path) -> None:
    gone = posts(tmp_path, "alice")
    mails = posts(tmp_path, "alice", slug="mails")
    type(mails).objects.filter(pk=mails.pk).update(key_scheme="phone")
    request = set_going(alice, bob, NAME)
    os.rename(gone.location, f"{gone.location}-away")
    looking.look(at=LATER)
    said = dict(request.tasks.values_list("dataset__slug", "instructions"))
    assert said["posts"].startswith("Nobody could look")
    assert said["mails"] == progress.GAP


def test_who_holds_a_copy_is_told(northlight: Partner, alice: Subject, bob: User) -> None:
    copy_at(northlight)
    task = set_going(alice, bob, NAME).tasks.get()
    assert (task.kind, "Art. 19" in task.instructions) == ("manual", True)
    assert propagation.plan(at=LATER) is not None


def test_what_is_wrong_is_sealed_and_read_again(alice: Subject, bob: User) -> None:
    request = set_going(alice, bob, NAME | {"right": " Alice "})
    assert rectification.corrections(request) == [NAME]
    assert b"Alicia" not in bytes(request.sealed_details or b"")


@pytest.mark.parametrize(
    "details",
    [
        {"other": 1},
        {"corrections": []},
        {"corrections": "name"},
        {"corrections": [{"what": "name", "right": "Alice"}]},
        {"corrections": [NAME | {"more": "x"}]},
        {"corrections": [NAME | {"right": 7}]},
        {"corrections": [NAME | {"right": " "}]},
        {"corrections": [NAME | {"right": "x" * 501}]},
        {"corrections": [{**NAME, "what": str(n)} for n in range(21)]},
        {"corrections": [NAME, {**NAME, "what": " NaMe "}]},
        {"corrections": [NAME], **NAME},
        {"corrections": [{"what": "jurisdiction", "wrong": "US", "right": "Atlantis"}]},
        {"corrections": [{"what": "minor", "wrong": "no", "right": "perhaps"}]},
    ],
)
def test_what_is_no_correction_is_refused(alice: Subject, details: dict[str, Any]) -> None:
    with pytest.raises(DomainError):
        asked(alice, "rectification", details=details)
    assert not Request.objects.exists()
