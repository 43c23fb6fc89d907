"""Rounds of letters: whom they concern, and what staff decide about them."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from consents import deliveries, jurisdictions, notices, subjects
from consents.deliveries import Audience, DeliveryError, Share
from consents.models import Letter, NoticeDelivery, Subject
from consents.notices import Draft
from consents.subjects import Newcomer
from consents.vocabulary import Action
from portal.errors import Conflict, DomainError, NotFound
from portal.models import AuditEntry
from tests.conftest import AT, BY, OTHER, person
from tests.consents.asking import say
from tests.consents.telling import TEXTS, begin, published, states

pytestmark = pytest.mark.django_db
State = NoticeDelivery.State


@pytest.fixture(autouse=True)
def notice(world: None) -> None:
    published()


def without_address(name: str, place: str = "US") -> Subject:
    newcomer = Newcomer(names=(subjects.name("account", name),), jurisdiction=place)
    return subjects.register(newcomer=newcomer, by=BY, at=AT)


def shares(*places: str, purposes: tuple[str, ...] = ()) -> list[Share]:
    return deliveries.preview(slug="terms", version=1, audience=Audience(places, purposes), at=AT)


class TestPlanning:
    def test_everyone_has_one_letter(self, alice: Subject, grace: Subject) -> None:
        assert begin().people == 2
        assert set(Letter.objects.values_list("subject_id", flat=True)) == {alice.pk, grace.pk}

    def test_who_has_no_address_is_noted_and_nothing_is_sent(self, alice: Subject) -> None:
        without_address("m_nora")
        begin()
        assert states() == {"pending": 1, "no_address": 1}

    def test_nobody_has_two_letters_of_one_version_whatever_the_round(self, alice: Subject, grace: Subject) -> None:
        begin("GB")
        assert begin().people == 1
        with pytest.raises(DeliveryError, match="told already"):
            begin()
        assert Letter.objects.count() == 2
        assert NoticeDelivery.objects.count() == 2

    def test_another_version_is_another_letter(self, alice: Subject) -> None:
        begin()
        published()
        assert begin(version=2).people == 1

    def test_who_has_an_address_since_is_told_after_all(self, alice: Subject) -> None:
        nora = without_address("m_nora")
        begin()
        subjects.identifier_of(nora, subjects.name("email", "nora@example.org")).save()
        again = begin()
        assert Letter.objects.get(subject_id=nora.pk).delivery_id == again.pk
        assert states() == {"pending": 2}

    def test_a_group_takes_in_its_countries_and_their_parts(self, alice: Subject, grace: Subject) -> None:
        for name, place in (("noor", "NO"), ("cora", "US-CA")):
            person(name, place)
        assert begin("EEA").people == 1
        assert begin("US").people == 2

    def test_a_purpose_takes_in_who_said_yes_to_it(self, alice: Subject, grace: Subject, charlie: Subject) -> None:
        say(alice, Action.GRANT, "marketing")
        say(charlie, Action.DENY, "marketing")
        begin(purposes=("marketing",))
        assert Letter.objects.get().subject_id == alice.pk

    def test_who_was_erased_is_left_out(self, alice: Subject, grace: Subject) -> None:
        subjects.forget(subject=grace, by=BY, at=AT)
        assert begin().people == 1

    def test_the_preview_says_what_the_round_then_does(self, alice: Subject, grace: Subject) -> None:
        without_address("m_nora")
        begin("GB")
        assert shares() == [Share("US", 2, 1, 0), Share("GB", 1, 0, 1)]
        foreseen = sum(one.people - one.told_already for one in shares())
        assert begin().people == foreseen == 2

    def test_the_trail_says_who_began_it(self, alice: Subject) -> None:
        begin()
        entry = AuditEntry.objects.get(action="delivery.begin")
        assert (entry.actor, entry.details) == (BY, {"notice": "terms", "version": 1, "people": 1})

    @pytest.mark.parametrize(
        ("ask", "error"),
        [
            (lambda: begin(version=9), NotFound),
            (lambda: begin("XX9"), jurisdictions.UnknownJurisdiction),
            (lambda: begin(purposes=("nothing",)), NotFound),
            (lambda: begin("FR"), DeliveryError),
        ],
    )
    def test_what_cannot_be_begun_leaves_nothing(
        self, alice: Subject, ask: Callable[[], object], error: type[DomainError]
    ) -> None:
        with pytest.raises(error):
            ask()
        assert not NoticeDelivery.objects.exists()
        assert not Letter.objects.exists()

    def test_nobody_is_told_of_what_is_not_published_yet(self, alice: Subject) -> None:
        later = AT + timedelta(days=1)
        notices.publish(draft=Draft("terms", TEXTS, later, later), by=BY, at=AT)
        with pytest.raises(DeliveryError, match="once it is published"):
            begin(version=2)


class TestWhatStaffDecide:
    @pytest.fixture
    def round_(self, alice: Subject, grace: Subject) -> NoticeDelivery:
        return begin()

    def test_a_round_is_paused_and_resumed(self, round_: NoticeDelivery) -> None:
        deliveries.pause(delivery=round_, by=BY, at=AT)
        assert NoticeDelivery.objects.get().state == State.PAUSED
        deliveries.resume(delivery=round_, by=OTHER, at=AT)
        assert NoticeDelivery.objects.get().state == State.RUNNING
        deeds = AuditEntry.objects.filter(object_type="delivery").order_by("id").values_list("action", "actor")
        assert list(deeds) == [("delivery.begin", BY), ("delivery.pause", BY), ("delivery.resume", OTHER)]

    def test_what_is_paused_is_not_paused_again_and_what_is_done_not_resumed(self, round_: NoticeDelivery) -> None:
        deliveries.pause(delivery=round_, by=BY, at=AT)
        with pytest.raises(Conflict):
            deliveries.pause(delivery=round_, by=BY, at=AT)
        NoticeDelivery.objects.update(state=State.DONE)
        with pytest.raises(Conflict):
            deliveries.resume(delivery=round_, by=BY, at=AT)

    @pytest.mark.parametrize("state", ["uncertain", "failed"])
    def test_letters_in_doubt_or_failed_are_sent_again_when_staff_say_so(
        self, round_: NoticeDelivery, state: str
    ) -> None:
        Letter.objects.update(state="sent")
        Letter.objects.filter(pk=Letter.objects.first().pk).update(state=state, attempts=8)  # type: ignore[union-attr]
        NoticeDelivery.objects.update(state=State.DONE, finished_at=AT)
        assert deliveries.send_again(delivery=round_, state=state, by=BY, at=AT) == 1
        assert states() == {"pending": 1, "sent": 1}
        assert (round_.state, round_.finished_at) == (State.RUNNING, None)
        assert AuditEntry.objects.get(action="delivery.send_again").details["letters"] == 1

    def test_letters_in_doubt_are_counted_as_sent_when_staff_found_them_out(self, round_: NoticeDelivery) -> None:
        Letter.objects.update(state="uncertain")
        assert deliveries.count_as_sent(delivery=round_, by=BY, at=AT) == 2
        assert set(Letter.objects.values_list("state", "reason")) == {("sent", "by_staff")}

    def test_without_such_a_letter_nothing_is_decided(self, round_: NoticeDelivery) -> None:
        for decide in (
            lambda: deliveries.send_again(delivery=round_, state="failed", by=BY, at=AT),
            lambda: deliveries.count_as_sent(delivery=round_, by=BY, at=AT),
        ):
            with pytest.raises(Conflict):
                decide()
        assert not AuditEntry.objects.filter(action__in=["delivery.send_again", "delivery.count_as_sent"]).exists()

    @pytest.mark.parametrize("state", ["sent", "pending", "no_address", "sending"])
    def test_what_was_sent_is_never_sent_again(self, round_: NoticeDelivery, state: str) -> None:
        Letter.objects.update(state=state)
        with pytest.raises(DeliveryError):
            deliveries.send_again(delivery=round_, state=state, by=BY, at=AT)
        assert states() == {state: 2}

    def test_progress_counts_by_state(self, round_: NoticeDelivery) -> None:
        assert deliveries.progress(round_) == {"pending": 2}
