"""Looking people up: by exactly what names them, and each look is recorded."""

from typing import Any

import pytest
from django.test import Client

from consents.models import LedgerEvent, Partner, Subject
from consents.vocabulary import Action
from portal.crypto import Ring
from portal.models import AuditEntry, User
from tests.conftest import SignIn
from tests.consents.asking import say


def found(browser: Client, term: str) -> str:
    response = browser.get("/admin/consents/subject/", {"q": term})
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize("term", ["m_alice", "alice@example.org", " Alice@Example.ORG "])
def test_a_person_is_found_by_each_name(
    alice: Subject, charlie: Subject, bob: User, signed_in: SignIn, term: str
) -> None:
    page = found(signed_in(bob), term)
    assert str(alice.pk) in page
    assert str(charlie.pk) not in page


def test_a_person_is_found_by_id(alice: Subject, bob: User, signed_in: SignIn) -> None:
    assert f"/admin/consents/subject/{alice.pk}/" in found(signed_in(bob), str(alice.pk))


@pytest.mark.parametrize("term", ["alice", "m_", "@example.org", "x" * 36, "%", "x" * 400])
def test_nobody_is_found_by_less_than_a_name(alice: Subject, bob: User, signed_in: SignIn, term: str) -> None:
    assert f"/admin/consents/subject/{alice.pk}/" not in found(signed_in(bob), term)


def test_each_look_at_a_person_is_in_the_trail(alice: Subject, bob: User, signed_in: SignIn) -> None:
    say(alice, Action.DENY)
    page = signed_in(bob).get(f"/admin/consents/subject/{alice.pk}/change/").content.decode()
    for text in ("alice@example.org", "m_alice", "Use my data to train AI"):
        assert text in page
    look = AuditEntry.objects.get(action="subject.look_at")
    assert (look.actor, look.object_id) == (f"staff:{bob.pk}", str(alice.pk))


def test_nobody_is_listed_before_somebody_was_named(alice: Subject, bob: User, signed_in: SignIn) -> None:
    page = found(signed_in(bob), "")
    assert str(alice.pk) not in page
    assert "m_alice" not in page
    assert not AuditEntry.objects.filter(action="subject.look_up").exists()


def test_looking_somebody_up_is_in_the_trail_and_shows_no_address(alice: Subject, bob: User, signed_in: SignIn) -> None:
    page = found(signed_in(bob), "alice@example.org")
    assert str(alice.pk) in page
    assert "alice@" not in page.replace('value="alice@example.org"', "")
    look = AuditEntry.objects.filter(action="subject.look_up").first()
    assert look is not None
    assert (look.actor, look.object_id) == (f"staff:{bob.pk}", str(alice.pk))


@pytest.mark.parametrize("name", ["nonsense", "00000000-0000-0000-0000-000000000000"])
def test_who_is_not_there_is_not_found(alice: Subject, bob: User, signed_in: SignIn, name: str) -> None:
    assert signed_in(bob).get(f"/admin/consents/subject/{name}/change/").status_code in {302, 404}


def test_the_ledger_is_read_with_positions_and_without_evidence(alice: Subject, bob: User, signed_in: SignIn) -> None:
    event = say(alice, Action.DENY)
    browser = signed_in(bob)
    assert "…" in browser.get("/admin/consents/ledgerevent/").content.decode()
    page = browser.get(f"/admin/consents/ledgerevent/{event.pk}/change/").content.decode()
    assert str(alice.pk) in page
    assert "vidence" not in page


def test_people_are_found_while_the_index_key_is_turned(
    alice: Subject, bob: User, signed_in: SignIn, settings: Any
) -> None:
    settings.INDEX_KEYS = Ring({"new": bytes(32), **settings.INDEX_KEYS.keys})
    for term in ("alice@example.org", "m_alice"):
        assert str(alice.pk) in found(signed_in(bob), term)


class TestHistoriesInTheLedger:
    LEDGER = "/admin/consents/ledgerevent/"

    def test_reading_somebodys_history_is_in_the_trail(self, alice: Subject, bob: User, signed_in: SignIn) -> None:
        say(alice, Action.DENY)
        assert signed_in(bob).get(self.LEDGER, {"q": f" {alice.pk} "}).status_code == 200
        look = AuditEntry.objects.get(action="subject.look_up")
        assert (look.actor, look.object_id) == (f"staff:{bob.pk}", str(alice.pk))

    def test_reading_one_event_of_theirs_is_too(self, alice: Subject, bob: User, signed_in: SignIn) -> None:
        event = say(alice, Action.DENY)
        signed_in(bob).get(f"{self.LEDGER}{event.pk}/change/")
        look = AuditEntry.objects.get(action="subject.look_at")
        assert (look.object_id, look.details) == (str(alice.pk), {"event": str(event.pk)})

    def test_what_is_of_nobody_leaves_no_entry(self, alice: Subject, bob: User, signed_in: SignIn) -> None:
        browser, rule = signed_in(bob), LedgerEvent.objects.filter(subject_id=None).first()
        assert rule is not None
        for path in ("", "?q=", f"?q={rule.pk}", "?q=nobody", f"{rule.pk}/change/", "nonsense/change/"):
            browser.get(self.LEDGER + path)
        assert not AuditEntry.objects.filter(action__startswith="subject.look").exists()

    def test_no_filter_leads_to_a_history_past_the_trail(self, alice: Subject, bob: User, signed_in: SignIn) -> None:
        event = say(alice, Action.DENY)
        browser = signed_in(bob)
        for lookup in ("subject_id", "subject_id__exact", "subject_id__gte", "actor", "actor__contains", "id"):
            page = browser.get(self.LEDGER, {lookup: str(alice.pk)}, follow=True)
            assert page.status_code in {200, 400}
            assert page.status_code == 400 or lookup not in page.request["QUERY_STRING"]
        page = browser.get(self.LEDGER, {"action__exact": "deny", "kind__exact": "choice"})
        assert str(event.pk) in page.content.decode()


def test_before_somebody_was_named_it_says_how_to_look(alice: Subject, bob: User, signed_in: SignIn) -> None:
    page = found(signed_in(bob), "")
    assert "Look somebody up" in page
    assert "each look is recorded" in page


def test_a_partners_scopes_are_told_in_words(acme: Partner, bob: User, signed_in: SignIn) -> None:
    Partner.objects.update(scopes=["choices:write", "unknown:scope"])
    page = signed_in(bob).get(f"/admin/consents/partner/{acme.pk}/change/").content.decode()
    assert "Record choices" in page
    assert "unknown:scope" in page


def test_a_plain_no_is_a_word_and_no_alarm(alice: Subject, bob: User, signed_in: SignIn) -> None:
    page = signed_in(bob).get(f"/admin/consents/subject/{alice.pk}/change/").content.decode()
    assert "close_small" not in page
    assert ">no</span>" in page
