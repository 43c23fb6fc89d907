"""Regulators' cases: opened, noted, linked and closed, each with its entry in the trail."""

import pytest
from django.db import DatabaseError

from consents import cases, holds
from consents.holds import HoldScope
from consents.models import CaseNote, RegulatorCase
from portal.errors import Conflict, DomainError
from portal.models import AuditEntry
from tests.conftest import AT, BY, OTHER

pytestmark = pytest.mark.usefixtures("world")


def open_case(**other: str) -> RegulatorCase:
    return cases.open(**{"authority": "ICO", "title": "AI training in Britain"} | other, by=BY, at=AT)


def trail(case: RegulatorCase) -> list[str]:
    return list(AuditEntry.objects.filter(object_id=str(case.pk)).order_by("pk").values_list("action", flat=True))


def test_a_case_goes_from_its_opening_to_its_end() -> None:
    case = open_case(reference="IC-1")
    cases.note(case=case, text="They asked when it began.", by=BY, at=AT)
    hold = holds.open(scope=HoldScope(jurisdictions=["GB"]), reason="r", by=BY, at=AT)
    cases.link(case=case, hold=hold, by=OTHER, at=AT)
    cases.close(case=case, by=OTHER, at=AT)
    case.refresh_from_db()
    assert (case.is_open, case.closed_by, [one.pk for one in case.holds.all()]) == (False, OTHER, [hold.pk])
    assert trail(case) == ["case.open", "case.note", "case.link", "case.close"]


def test_a_hold_is_opened_within_a_case() -> None:
    case = open_case()
    assert holds.open(scope=HoldScope(), reason="r", by=BY, at=AT, case=case).case == case


def test_closing_a_case_lifts_no_hold() -> None:
    case = open_case()
    hold = holds.open(scope=HoldScope(), reason="r", by=BY, at=AT, case=case)
    cases.close(case=case, by=BY, at=AT)
    hold.refresh_from_db()
    assert hold.is_open


def test_nothing_more_happens_in_a_closed_case() -> None:
    case = open_case()
    hold = holds.open(scope=HoldScope(), reason="r", by=BY, at=AT)
    cases.close(case=case, by=BY, at=AT)
    acts = [
        lambda: cases.note(case=case, text="x", by=BY, at=AT),
        lambda: cases.link(case=case, hold=hold, by=BY, at=AT),
        lambda: cases.close(case=case, by=BY, at=AT),
        lambda: holds.open(scope=HoldScope(), reason="r", by=BY, at=AT, case=RegulatorCase.objects.get(pk=case.pk)),
    ]
    for act in acts:
        with pytest.raises(Conflict) as refusal:
            act()
        assert refusal.value.code == "case_closed"


def test_a_hold_belongs_to_one_case() -> None:
    hold = holds.open(scope=HoldScope(), reason="r", by=BY, at=AT, case=open_case())
    with pytest.raises(Conflict, match="already"):
        cases.link(case=open_case(), hold=hold, by=BY, at=AT)


@pytest.mark.parametrize("wrong", [{"authority": " "}, {"title": ""}])
def test_a_case_says_whose_it_is_and_what_about(wrong: dict[str, str]) -> None:
    with pytest.raises(DomainError):
        open_case(**wrong)
    assert not RegulatorCase.objects.exists()


def test_an_empty_note_is_refused_and_a_written_one_stays() -> None:
    case = open_case()
    with pytest.raises(DomainError):
        cases.note(case=case, text=" ", by=BY, at=AT)
    cases.note(case=case, text="Asked.", by=BY, at=AT)
    with pytest.raises(DatabaseError):
        CaseNote.objects.update(text="Never asked.")
