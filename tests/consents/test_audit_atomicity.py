"""Every write function writes its change and its audit entry together, or neither."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection

from consents import browser_signals, deliveries, drafts, expiry, holds, ledger, notices, rules, subjects
from consents.models import NoticeDelivery, NoticeDraft, Subject
from consents.vocabulary import Action, Source
from tests.conftest import AT, BY, OTHER, person
from tests.consents.asking import say, tables_as_text
from tests.consents.test_notices import DRAFT
from tests.consents.test_rules import PROPOSAL

# each prepares, and answers the write that the audit trail will refuse
Prepared = Callable[[], object]


def recording(alice: Subject) -> Prepared:
    return lambda: say(alice, Action.DENY)


def withdrawing(alice: Subject) -> Prepared:
    say(alice, Action.GRANT, "marketing")
    return lambda: ledger.withdraw_everything(subject=alice, by=BY, at=AT)


def opening(alice: Subject) -> Prepared:
    return lambda: holds.open(scope=holds.HoldScope(), reason="r", by=BY, at=AT)


def asking_to_lift(alice: Subject) -> Prepared:
    hold = holds.open(scope=holds.HoldScope(), reason="r", by=BY, at=AT)
    return lambda: holds.ask_to_lift(hold=hold, by=BY, at=AT)


def lifting(alice: Subject) -> Prepared:
    hold = holds.open(scope=holds.HoldScope(), reason="r", by=BY, at=AT)
    holds.ask_to_lift(hold=hold, by=BY, at=AT)
    return lambda: holds.lift(hold=hold, by=OTHER, at=AT)


def enacting(alice: Subject) -> Prepared:
    return lambda: rules.enact(proposal=PROPOSAL, by=BY, at=AT)


def loading(alice: Subject) -> Prepared:
    return lambda: rules.load(path=rules.RULEBOOKS / "2024-09.toml", by=BY, at=AT)


def publishing(alice: Subject) -> Prepared:
    return lambda: notices.publish(draft=DRAFT, by=BY, at=AT)


def beginning_a_draft(alice: Subject) -> Prepared:
    return lambda: drafts.begin(slug="terms", by=BY, at=AT)


def saving_a_draft(alice: Subject) -> Prepared:
    draft = drafts.begin(slug="terms", by=BY, at=AT)
    wording = drafts.Wording(texts=DRAFT.texts)
    return lambda: drafts.save(draft_id=draft.pk, revision=1, wording=wording, by=BY, at=AT)


def publishing_a_draft(alice: Subject) -> Prepared:
    saving_a_draft(alice)()
    draft = NoticeDraft.objects.latest("begun_at", "id")
    return lambda: drafts.publish(draft_id=draft.pk, revision=2, without=frozenset({"fr"}), by=BY, at=AT)


def telling(alice: Subject) -> Prepared:
    version = notices.publish(draft=DRAFT, by=BY, at=AT)
    return lambda: deliveries.plan(slug="terms", version=version, audience=deliveries.Audience(), by=BY, at=AT)


def pausing(alice: Subject) -> Prepared:
    delivery = telling(alice)()
    assert isinstance(delivery, NoticeDelivery)
    return lambda: deliveries.pause(delivery=delivery, by=BY, at=AT)


def expiring(alice: Subject) -> Prepared:
    say(alice, Action.GRANT, "marketing", at=AT + timedelta(seconds=1))
    return lambda: expiry.expire(at=AT + timedelta(days=366))


def registering(alice: Subject) -> Prepared:
    return lambda: person("newcomer")


def opening_an_account(alice: Subject) -> Prepared:
    return lambda: subjects.account_of(alice, at=AT)


def forgetting(alice: Subject) -> Prepared:
    return lambda: subjects.forget(subject=alice, by=BY, at=AT)


def signalling(alice: Subject) -> Prepared:
    return lambda: browser_signals.record_gpc(subject=alice, present=True, by=BY, at=AT)


def setting_a_signal_aside(alice: Subject) -> Prepared:
    return lambda: browser_signals.set_aside(subject=alice, by=BY, at=AT)


def applying_a_signal_again(alice: Subject) -> Prepared:
    return lambda: browser_signals.apply_again(subject=alice, by=BY, at=AT + timedelta(hours=1))


WRITES = [
    *[signalling, setting_a_signal_aside, applying_a_signal_again],
    *[recording, withdrawing, opening, asking_to_lift, lifting, enacting, loading, publishing],
    *[beginning_a_draft, saving_a_draft, publishing_a_draft, telling, pausing, expiring],
    *[registering, opening_an_account, forgetting],
]


@pytest.mark.parametrize("prepare", WRITES, ids=lambda one: one.__name__)
def test_without_its_audit_entry_nothing_is_changed(alice: Subject, prepare: Callable[[Subject], Prepared]) -> None:
    write = prepare(alice)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE portal_auditentry ADD CONSTRAINT no_more CHECK (false) NOT VALID")
    before = tables_as_text()
    with pytest.raises((DatabaseError, rules.RuleError)):
        write()
    assert tables_as_text() == before


def test_the_same_writes_do_change_something_when_the_entry_is_written(alice: Subject) -> None:
    for prepare in WRITES:
        write, before = prepare(alice), tables_as_text()
        write()
        assert tables_as_text() != before, prepare.__name__


def test_evidence_that_cannot_be_sealed_leaves_nothing(alice: Subject, settings: Any) -> None:
    settings.FIELD_KEYS = type(settings.FIELD_KEYS)({"other": bytes(32)})
    before = tables_as_text()
    origin = ledger.Origin(source=Source.STAFF, by=BY, evidence="text")
    with pytest.raises(Exception, match="No field key"):
        ledger.record(subject=alice, scope=ledger.Scope("marketing"), action=Action.GRANT, origin=origin, at=AT)
    assert tables_as_text() == before
