"""A rulebook that was written down wrongly, and requests that run under it."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from consents.models import Subject
from requests_app import legal_clock, rulebook, timeline, workflow
from requests_app.legal_clock.adopting import Outcome
from requests_app.models import Request
from tests.conftest import BY, person
from tests.requests_app.asking import SOON, asked

RECEIVED = datetime(2026, 9, 3, 12, tzinfo=UTC)
LATER = datetime(2026, 9, 10, 12, tzinfo=UTC)


@pytest.fixture
def amended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts words in the place of others in the shipped rulebook, which then counts."""
    honest = rulebook.rule_for

    def amend(scope: str, *, before: str, after: str) -> None:
        head, mark, entry = rulebook.DEFAULT.read_text().rpartition(f'scope = "{scope}"')
        path = tmp_path / "rulebook.toml"
        path.write_text(head + mark + entry.replace(before, after, 1))
        book = rulebook.load(path)
        monkeypatch.setattr(rulebook, "rule_for", lambda *place, on: honest(*place, on=on, book=book))

    return amend


def adopt(*requests: Request, because: str = "") -> list[Outcome]:
    found = legal_clock.adopt_rulebook(requests=requests, by=BY, at=LATER, forced_because=because)
    return [one.outcome for one in found]


def test_a_rule_that_says_the_same_is_left_whatever_else_the_rulebook_says(grace: Subject, amended: Any) -> None:
    (request,) = asked(grace, "access", at=RECEIVED)
    amended("BR", before='answer = "15 days"', after='answer = "10 days"')
    assert adopt(request) == [Outcome.SAME]
    assert Request.objects.get().rulebook_digest == request.rulebook_digest


def test_an_appeal_runs_under_the_rule_of_the_first_request_and_keeps_it(world: None) -> None:
    subject = person("gwen", "GB")
    # received before complaints came to the company
    (first,) = asked(subject, "access", at=datetime(2026, 6, 1, tzinfo=UTC))
    (complaint,) = asked(subject, "complaint", at=LATER, about=first)
    assert complaint.acknowledge_by is None
    assert adopt(complaint) == [Outcome.SAME]


def test_a_shorter_time_is_adopted_and_told_with_both_days_and_digests(world: None, amended: Any) -> None:
    (request,) = asked(person("bruna", "BR"), "access", at=RECEIVED)
    amended("BR", before='answer = "15 days"', after='answer = "10 days"')
    assert adopt(request) == [Outcome.ADOPTED]
    fresh = Request.objects.get()
    assert (request.due_on, fresh.due_on) == (date(2026, 9, 18), date(2026, 9, 13))
    assert legal_clock.of(fresh).due == fresh.due_on
    told = fresh.timeline.get(code="rulebook_adopted").details
    assert (told["from"], told["to"]) == ("2026-09-18", "2026-09-13")
    assert (told["old_rulebook"], told["new_rulebook"]) == (request.rulebook_digest, fresh.rulebook_digest)
    assert len({told["old_rule"], told["new_rule"]}) == 2
    assert fresh.timeline.get(code="clock_moved").details["because"] == "rulebook"


@pytest.mark.parametrize(
    ("scope", "before", "after"),
    [
        ("BR", 'answer = "15 days"', 'answer = "20 days"'),
        ("US-CA", 'acknowledge = "10 business days"', 'acknowledge = "12 business days"'),
        ("CA", 'up_to = "30 days"', 'up_to = "60 days"'),
        ("CA", 'up_to = "30 days"', 'up_to = "a named day"'),
        ("US-VA", 'appeal = { to = "controller"', 'appeal = { to = "regulator"'),
    ],
)
def test_nobody_is_served_worse_by_a_later_rulebook_unless_somebody_says_why(
    world: None, amended: Any, scope: str, before: str, after: str
) -> None:
    (request,) = asked(person("somebody", scope), "access", at=RECEIVED)
    amended(scope, before=before, after=after)
    assert adopt(request) == [Outcome.WORSE]
    assert Request.objects.get().terms == request.terms
    assert adopt(request, because="The law says so since spring.") == [Outcome.ADOPTED]
    entry = request.timeline.get(code="rulebook_adopted")
    assert timeline.words(Request.objects.get(), entry) == "The law says so since spring."


def test_an_extension_that_the_new_rule_does_not_allow_keeps_the_old_rule(world: None, amended: Any) -> None:
    (request,) = asked(person("carol", "CA"), "access", at=RECEIVED)
    legal_clock.extend(request=request, reason="Many systems", by=BY, at=RECEIVED)
    amended("CA", before="extension = {", after="extension = false\n# {")
    assert adopt(request) == [Outcome.UNLAWFUL]


def test_a_closed_request_is_left(world: None, amended: Any) -> None:
    (request,) = asked(person("bruna", "BR"), "access", at=RECEIVED)
    workflow.withdraw(request=request, by=BY, at=SOON)
    amended("BR", before='answer = "15 days"', after='answer = "10 days"')
    assert adopt(request) == [Outcome.CLOSED]


def test_the_command_shows_first_and_changes_only_where_it_is_told_to(world: None, amended: Any, capsys: Any) -> None:
    (bruna,) = asked(person("bruna", "BR"), "access", at=RECEIVED)
    (carol,) = asked(person("carol", "CA"), "access", at=RECEIVED)
    amended("BR", before='answer = "15 days"', after='answer = "10 days"')
    call_command("adopt_rulebook", "--dry-run")
    assert "adopted: 1" in capsys.readouterr().out
    bruna.refresh_from_db()
    assert bruna.due_on == date(2026, 9, 18)
    call_command("adopt_rulebook", "--jurisdiction", "CA")
    assert "same: 1" in capsys.readouterr().out
    call_command("adopt_rulebook", "--jurisdiction", "br")
    said = capsys.readouterr().out
    assert f"{bruna.reference}: 2026-09-18 -> 2026-09-13" in said
    assert carol.reference not in said
    bruna.refresh_from_db()
    assert bruna.due_on == date(2026, 9, 13)


def test_the_command_refuses_a_reason_of_nothing(db: None) -> None:
    with pytest.raises(CommandError, match="reason"):
        call_command("adopt_rulebook", "--force-because", "  ")
