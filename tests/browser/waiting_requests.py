"""Forty erasure requests from all over the sample network, received over the last weeks, in every state."""

from datetime import timedelta

from consents import subjects
from portal import actors, clock
from portal.demo import people
from portal.models import User
from requests_app import intake, workflow
from requests_app.intake import Asked
from requests_app.models import Request
from requests_app.states import Right

SIZE = 40
_NOTES = ("", "", "I closed my account.", "Please also the posts I wrote at my last job.", "")


def take_in() -> None:
    """Take them in one by one, the oldest first; some are begun, a few were taken back."""
    by_country: dict[str, list[people.Person]] = {}
    for one in people.everyone():
        by_country.setdefault(one.jurisdiction, []).append(one)
    # from the end of each country's list: its first members are left to the tests
    everyone = [members.pop() for _ in range(SIZE) for members in by_country.values() if len(members) > 8][:SIZE]
    for number, one in enumerate(everyone):
        request = _receive(one, days_ago=(SIZE - number) * 7 // 8, note=_NOTES[number % len(_NOTES)])
        if number % 4 == 1:
            _start(request)
        elif number % 13 == 6:
            at = request.received_at + timedelta(hours=30)
            workflow.withdraw(request=request, by=actors.subject(request.subject_id), at=at)


def _receive(one: people.Person, *, days_ago: int, note: str) -> Request:
    subject = subjects.get(subjects.name("account", one.account))
    at = clock.now() - timedelta(days=days_ago, minutes=37 * days_ago % 600)
    asked = Asked(rights=(Right.ERASURE,), note=note)
    return intake.receive(asked=asked, subject=subject, by=actors.subject(subject.pk), at=at)[0]


def _start(request: Request) -> None:
    staff = User.objects.get(username="bob")
    at = request.received_at + timedelta(hours=5)
    workflow.start(request=request, staff=staff, by=actors.staff(staff.pk), at=at)
