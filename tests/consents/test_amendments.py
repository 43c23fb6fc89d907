"""People: what changes about them, and by what further names they are found."""

from datetime import timedelta

import pytest

from consents import amendments, subjects
from consents.jurisdictions import UnknownJurisdiction
from consents.models import Subject
from consents.vocabulary import Kind
from portal.errors import Conflict
from portal.models import AuditEntry
from tests.conftest import AT, BY


class TestAmending:
    def test_the_log_keeps_what_was(self, alice: Subject) -> None:
        event = amendments.amend(subject=alice, jurisdiction="de", is_minor=True, by=BY, at=AT)
        alice.refresh_from_db()
        assert (alice.jurisdiction, alice.is_minor, alice.amended_at) == ("DE", True, AT)
        assert event is not None
        assert (event.kind, event.subject_id) == (Kind.AMENDMENT, alice.pk)
        assert event.details == {"was": {"jurisdiction": "US", "is_minor": False}}
        entry = AuditEntry.objects.get(action="subject.amend")
        assert (entry.object_id, entry.actor, entry.details) == (
            str(alice.pk),
            BY,
            {"changed": ["is_minor", "jurisdiction"]},
        )

    def test_what_is_so_already_is_no_correction(self, alice: Subject) -> None:
        assert amendments.amend(subject=alice, jurisdiction="US", is_minor=False, by=BY, at=AT) is None
        assert amendments.amend(subject=alice, by=BY, at=AT) is None
        alice.refresh_from_db()
        assert alice.amended_at is None

    def test_a_slower_clock_does_not_hide_what_a_faster_one_corrected(self, alice: Subject) -> None:
        ahead = AT + timedelta(seconds=2)
        amendments.amend(subject=alice, jurisdiction="GB", by=BY, at=ahead)
        amendments.amend(subject=alice, is_minor=True, by=BY, at=AT)
        alice.refresh_from_db()
        assert alice.amended_at == ahead

    def test_no_place_and_nobody_are_refused(self, alice: Subject) -> None:
        with pytest.raises(UnknownJurisdiction):
            amendments.amend(subject=alice, jurisdiction="Mars", by=BY, at=AT)
        subjects.forget(subject=alice, by=BY, at=AT)
        with pytest.raises(Conflict) as refusal:
            amendments.amend(subject=alice, jurisdiction="DE", by=BY, at=AT)
        assert refusal.value.code == "erased"


class TestLinking:
    def test_a_person_is_found_by_the_new_name_too(self, alice: Subject) -> None:
        names = [subjects.name("device", "d1"), subjects.name("account", "m_alice")]
        event = amendments.link(subject=alice, names=names, by=BY, at=AT)
        assert event is not None
        assert (event.kind, event.subject_id, event.details) == (Kind.AMENDMENT, alice.pk, {"linked": ["device"]})
        assert subjects.find(names[0]) == alice
        assert AuditEntry.objects.get(action="subject.link").details == {"schemes": ["device"]}

    def test_names_that_are_theirs_already_are_left(self, alice: Subject) -> None:
        assert amendments.link(subject=alice, names=[subjects.name("account", "m_alice")], by=BY, at=AT) is None

    def test_names_of_others_and_of_the_erased_are_refused(
        self, alice: Subject, grace: Subject, charlie: Subject
    ) -> None:
        subjects.forget(subject=charlie, by=BY, at=AT)
        for value, code in (("m_grace", "identifier_taken"), ("m_charlie", "suppressed")):
            names = [subjects.name("device", "d1"), subjects.name("account", value)]
            with pytest.raises(Conflict) as refusal:
                amendments.link(subject=alice, names=names, by=BY, at=AT)
            assert refusal.value.code == code
        assert subjects.find(subjects.name("device", "d1")) is None
        with pytest.raises(Conflict) as refusal:
            amendments.link(subject=charlie, names=[subjects.name("device", "d1")], by=BY, at=AT)
        assert refusal.value.code == "erased"

    def test_the_name_of_somebody_who_is_forgotten_right_now_is_not_taken(
        self, alice: Subject, charlie: Subject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        find = subjects.find

        def forgotten_just_now(wanted: subjects.Name) -> Subject | None:
            subjects.forget(subject=charlie, by=BY, at=AT)
            return find(wanted)

        monkeypatch.setattr(subjects, "find", forgotten_just_now)
        with pytest.raises(Conflict) as refusal:
            amendments.link(subject=alice, names=[subjects.name("account", "m_charlie")], by=BY, at=AT)
        assert refusal.value.code == "suppressed"
