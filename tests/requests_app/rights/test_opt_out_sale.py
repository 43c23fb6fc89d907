"""Opt-out of sale and sharing: what goes to others, and each use whose rule heeds a browser's signal."""

from dataclasses import replace
from pathlib import Path

import pytest

from consents import ledger, rules
from consents.models import LedgerEvent, Purpose, Subject
from consents.vocabulary import Action
from requests_app.rights import opt_out_sale
from requests_app.states import Status
from tests.conftest import AT, BY, person
from tests.consents.test_rules import PROPOSAL
from tests.requests_app.asking import SOON, asked, closes, propagate
from tests.requests_app.holding import authors, posts

pytestmark = pytest.mark.django_db(transaction=True)


def said(subject: Subject) -> list[tuple[str, str]]:
    rows = LedgerEvent.objects.filter(subject_id=subject.pk, action=Action.DENY)
    return list(rows.order_by("pk").values_list("purpose", "recipient"))


def test_without_a_scope_it_is_about_all_that_goes_to_others(alice: Subject, charlie: Subject, tmp_path: Path) -> None:
    wanted = opt_out_sale.sold("US", at=SOON)
    assert ledger.Scope("ai-training/affiliates", recipient="northlight") in wanted
    own, theirs = (
        posts(tmp_path, "alice", "charlie"),
        posts(tmp_path, "alice", "charlie", slug="theirs", purposes=("ai-training/affiliates",), owner="northlight"),
    )
    propagate()
    before = authors(own)
    request = asked(alice, "opt_out_sale", at=SOON)[0]
    assert request.status == Status.IN_PROGRESS
    assert said(alice) == [(one.purpose, one.recipient) for one in wanted]
    assert theirs.pk in request.tasks.values_list("dataset", flat=True)
    assert own.pk not in request.tasks.values_list("dataset", flat=True)
    propagate()
    assert closes(request)
    assert (authors(own), "alice" in authors(theirs)) == (before, False)


def test_a_use_whose_rule_heeds_the_signal_is_denied_whole(world: None) -> None:
    rules.enact(proposal=replace(PROPOSAL, jurisdiction="US-CA", gpc_denies=True), by=BY, at=AT)
    california = person("cal", "US-CA")
    whole = [one for one in opt_out_sale.sold("US-CA", at=SOON) if one.recipient == ""]
    assert [one.purpose for one in whole] == [PROPOSAL.purpose]
    asked(california, "opt_out_sale", at=SOON)
    assert {one.purpose for one in whole} <= {purpose for purpose, recipient in said(california) if not recipient}


def test_named_purposes_are_denied_whole(alice: Subject) -> None:
    asked(alice, "opt_out_sale", scope={"purposes": ["ai-training"]}, at=SOON)
    assert said(alice) == [("ai-training", "")]


def test_where_nothing_is_sold_it_is_answered_at_once(world: None) -> None:
    for purpose in Purpose.objects.all():
        purpose.recipients.clear()
    elsewhere = person("emil", "DE")
    assert opt_out_sale.sold("DE", at=SOON) == []
    request = asked(elsewhere, "opt_out_sale", at=SOON)[0]
    assert (request.event_id, said(elsewhere)) == (None, [])
    assert closes(request)
