"""Codes: one refusal for all reasons, nothing told before, and how often and how long they serve."""

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from consents import subjects
from consents.models import LedgerEvent, Subject
from portal import crypto
from portal.errors import Conflict
from portal.models import AuditEntry
from requests_app import codes, identity, intake, sealing
from requests_app.identity import CodeRefused, IdentityError, TooMany
from requests_app.models import IdentityCheck, Request, TimelineEntry
from requests_app.states import CheckStatus, Status
from tests.conftest import AT, BY
from tests.consents.asking import tables_as_text
from tests.requests_app.asking import asked
from tests.requests_app.proving import MINUTE, VISITOR, ask, found, objecting, refused, type_in, unshown

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world", "own_cache")]


@pytest.fixture
def three(alice: Subject) -> list[str]:
    """A known, an unknown and an erased address."""
    newcomer = subjects.Newcomer((subjects.name("email", "gone@example.org"),), "US")
    gone = subjects.register(newcomer=newcomer, by=BY, at=AT)
    subjects.forget(subject=gone, by=BY, at=AT)
    return ["alice@example.org", "never@example.org", "gone@example.org"]


def statements(queries: CaptureQueriesContext) -> list[str]:
    """What was asked of the database, without the values."""
    return [re.sub(r"""'[^']*'|"s\d+_x\d+"|::\w+|\s*-?\d+""", "?", one["sql"]) for one in queries.captured_queries]


def test_asking_and_mistyping_is_the_same_for_known_unknown_and_erased(three: list[str]) -> None:
    seen = []
    # the purposes are kept in mind from now on
    objecting("warm@example.org")
    for contact in three:
        with CaptureQueriesContext(connection) as queries:
            request = objecting(contact)
            sent = ask(request, client=contact)
            with pytest.raises(CodeRefused) as refusal:
                type_in(sent, "BBBB-BBBB")
        answers = (refusal.value.code, refusal.value.message, len(sent.code or ""), request.status, request.subject)
        entries = [(one.code, one.actor, one.details) for one in request.timeline.all()]
        seen.append((answers, entries, statements(queries)))
    assert seen[0] == seen[1] == seen[2]


def test_every_reason_has_one_refusal(alice: Subject) -> None:
    sent, foreign = ask(objecting()), ask(objecting("alice@example.org"))
    used = ask(objecting("mia@example.org"))
    type_in(used)
    messages = set()
    for check_id, code, at in [
        (sent.check_id, "BBBB-BBBB", AT),
        (sent.check_id, foreign.code, AT),
        (sent.check_id, sent.code, AT + timedelta(minutes=15)),
        (used.check_id, used.code, AT + MINUTE),
        (uuid.uuid4(), sent.code, AT),
    ]:
        with pytest.raises(CodeRefused) as refusal:
            identity.check_code(check_id=check_id, code=code or "", at=at)
        messages.add((refusal.value.code, refusal.value.message, refusal.value.field))
    assert len(messages) == 1


def test_what_waits_names_nobody_and_no_code() -> None:
    sent = ask(objecting(note="a-very-own-poem"))
    everything = tables_as_text().lower()
    for secret in ("zoe@example.org", (sent.code or "").lower(), "a-very-own-poem"):
        assert secret not in everything
        assert secret.encode().hex() not in everything
    assert "zoe" not in repr(sent)
    assert (sent.code or "") not in repr(sent)


@pytest.mark.parametrize("wrong", ["BBBB-BBBB", "x", "\x00", "é" * 8, "B" * 500])
def test_a_wrong_code_proves_nothing(wrong: str) -> None:
    sent = ask(objecting())
    refused(sent, wrong)
    refused(sent, (sent.code or "") + "BBBB")
    assert found() is None
    assert type_in(sent, f" {(sent.code or '').lower().replace('-', '')}\t")


def test_after_five_tries_the_right_code_is_no_use_on_that_page() -> None:
    request = objecting()
    sent = ask(request)
    for _ in range(5):
        refused(sent, "BBBB-BBBB")
    refused(sent)
    assert found() is None
    # a new one may be asked for
    assert type_in(ask(request))


def test_a_code_holds_for_fifteen_minutes_and_a_new_one_may_be_asked_for_two_weeks() -> None:
    request = objecting()
    sent = ask(request)
    refused(sent, at=AT + timedelta(minutes=15))
    last = AT + timedelta(days=13, hours=23)
    assert identity.expire(at=last) == 0
    assert identity.is_proven(type_in(ask(request, at=last), at=last)[0])


def test_a_code_serves_once() -> None:
    sent = ask(objecting())
    type_in(sent)
    refused(sent)
    assert LedgerEvent.objects.filter(kind="choice").count() == 1
    assert IdentityCheck.objects.get().code_digest is None


def test_a_code_of_one_address_proves_nothing_of_another(alice: Subject) -> None:
    theirs, mine = ask(objecting("alice@example.org")), ask(objecting("mallory@example.org"))
    refused(theirs, mine.code)
    assert not IdentityCheck.objects.filter(status=CheckStatus.PASSED).exists()


def test_where_no_more_mail_is_sent_one_that_was_sent_serves() -> None:
    first = [ask(objecting(), client=f"c{number}") for number in range(codes.MOST_CODES)]
    owner = ask(objecting(note="the owner's own"), client="owner")
    assert (owner.code, owner.contact) == (None, "zoe@example.org")
    [proven] = type_in(owner, first[-1].code)
    assert sealing.unseal(proven, proven.sealed_note, context=sealing.NOTE) == "the owner's own"
    # it proved the owner's alone
    assert Request.objects.filter(status=Status.VERIFYING).count() == codes.MOST_CODES


def test_one_client_sends_no_more_than_five_to_one_address() -> None:
    sent = [ask(objecting()).code for _ in range(codes.MOST_CODES_OF_ONE + 1)]
    assert sent.count(None) == 1
    assert ask(objecting("mia@example.org")).code
    assert ask(objecting(), client="another").code


def test_a_client_that_asks_without_end_is_refused() -> None:
    request = objecting()
    for _ in range(codes.MOST_ASKED):
        ask(request)
    with pytest.raises(TooMany):
        ask(request)
    assert ask(request, client="another").check_id


def test_a_mail_that_could_not_be_sent_counts_for_nothing() -> None:
    request = objecting()
    sent = ask(request)
    identity.not_sent(check_id=sent.check_id)
    refused(sent)
    assert type_in(ask(request))


def test_a_code_serves_also_once_the_index_key_was_turned(settings: Any) -> None:
    sent = ask(objecting())
    settings.INDEX_KEYS = crypto.Ring({"new": bytes(32), **settings.INDEX_KEYS.keys})
    assert type_in(sent)


def test_no_code_is_asked_for_what_is_proven(alice: Subject) -> None:
    request = asked(alice, "access")[0]
    before = TimelineEntry.objects.count(), AuditEntry.objects.count(), IdentityCheck.objects.count()
    with pytest.raises(Conflict) as refusal:
        ask(request)
    assert refusal.value.code == "nothing_to_prove"
    assert (TimelineEntry.objects.count(), AuditEntry.objects.count(), IdentityCheck.objects.count()) == before


def test_who_has_no_mail_address_gets_no_code(world: None) -> None:
    newcomer = subjects.Newcomer((subjects.name("account", "m_x"),), "US")
    nameless = subjects.register(newcomer=newcomer, by=BY, at=AT)
    [request] = unshown(nameless, "access")
    with pytest.raises(IdentityError) as refusal:
        ask(request)
    assert refusal.value.code == "no_address"
    phone = subjects.name("phone", "+441632960001")
    wish = intake.Asked(rights=("access",), jurisdiction="GB")
    [request] = intake.receive_unproven(asked=wish, contact=phone, by=VISITOR, at=AT)
    with pytest.raises(IdentityError):
        ask(request)
