"""The staff's pages of rules: what stands where, every version, and a next one with its effect shown first."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from consents import rules
from consents.models import Rule, Subject
from portal import clock
from portal.models import AuditEntry, User
from portal.roles import AUDITOR
from tests.conftest import AT, BY, SignIn, staff_member

pytestmark = pytest.mark.django_db

ADD = "/admin/consents/rule/add/"
LIST = "/admin/consents/rule/"


def asked(**other: str) -> dict[str, str]:
    today = clock.now().date().isoformat()
    return {
        "purpose": "ai-training",
        "jurisdiction": "GB",
        "default": "deny",
        "legal_basis": "legitimate_interest",
        "effective_from": today,
        "notice_days": "0",
        "explanation": "Off: we wait.",
        "source": "House decision",
    } | other


def test_a_manager_sees_the_effect_by_country_and_then_enacts(
    grace: Subject, alice: Subject, petra: User, signed_in: SignIn
) -> None:
    browser, before = signed_in(petra), Rule.objects.count()
    shown = browser.post(ADD, asked())
    (step,) = shown.context["effect"]["steps"]
    assert step["table"]["rows"] == [["United Kingdom", 1, 1, 0]]
    assert Rule.objects.count() == before
    answer = browser.post(ADD, asked(confirmed="1"))
    rule = Rule.objects.latest("id")
    assert answer["Location"] == reverse("admin:consents_rule_change", args=[rule.pk])
    assert (rule.jurisdiction, rule.default, rule.recipient) == ("GB", "deny", "")
    assert AuditEntry.objects.get(action="rule.enact", object_id=str(rule.pk)).actor == f"staff:{petra.pk}"
    assert "in force" in browser.get(answer["Location"]).content.decode()


def test_going_back_to_the_form_enacts_nothing(world: None, petra: User, signed_in: SignIn) -> None:
    before = Rule.objects.count()
    shown = signed_in(petra).post(ADD, asked(edit="1"))
    assert shown.context["effect"] is None
    assert Rule.objects.count() == before


def test_what_waits_for_a_notice_is_shown_for_both_days(grace: Subject, petra: User, signed_in: SignIn) -> None:
    days = (clock.now().date() - AT.replace(year=2025, month=6, day=1).date()).days + 9
    shown = signed_in(petra).post(ADD, asked(default="allow", notice="ai-training", notice_days=str(days)))
    first, second = shown.context["effect"]["steps"]
    assert second["preview"].moment > first["preview"].moment
    assert [(one["preview"].to_deny, one["preview"].to_allow) for one in (first, second)] == [(1, 0), (0, 0)]


@pytest.mark.parametrize("who", ["bob", "ada", "nemo"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_but_a_manager_enacts(world: None, bob: User, signed_in: SignIn, who: str, method: str) -> None:
    user = bob if who == "bob" else staff_member(who, AUDITOR if who == "ada" else None)
    before = Rule.objects.count()
    assert getattr(signed_in(user), method)(ADD, asked(confirmed="1")).status_code == 403
    assert Rule.objects.count() == before


@pytest.mark.parametrize("extra", [{}, {"confirmed": "1"}])
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"jurisdiction": "G-B"}, "jurisdiction"),
        ({"purpose": "mining"}, "purpose"),
        ({"recipient": "nobody"}, "recipient"),
        ({"default": "maybe"}, "default"),
        ({"effective_from": "soon"}, "effective_from"),
        ({"effective_to": "2001-01-01"}, None),
        ({"notice": "never-published"}, "notice"),
        ({"notice_days": "-1"}, "notice_days"),
        ({"explanation": " "}, "explanation"),
        ({"default": "allow", "legal_basis": "consent"}, None),
    ],
)
def test_a_version_that_cannot_be_says_why(
    world: None, petra: User, signed_in: SignIn, wrong: dict[str, str], field: str | None, extra: dict[str, str]
) -> None:
    before = Rule.objects.count()
    shown = signed_in(petra).post(ADD, asked(**wrong, **extra))
    assert shown.status_code == 200
    assert (field or "__all__") in shown.context["form"].errors
    assert Rule.objects.count() == before


def test_a_next_version_begins_with_the_one_that_it_follows(world: None, petra: User, signed_in: SignIn) -> None:
    rule = Rule.objects.get(purpose="ai-training", jurisdiction="EEA")
    initial = signed_in(petra).get(f"{ADD}?after={rule.pk}").context["form"].initial
    assert (initial["purpose"], initial["jurisdiction"], initial["default"]) == ("ai-training", "EEA", "deny")
    assert signed_in(petra).get(f"{ADD}?after=nonsense").status_code == 200


def test_the_matrix_shows_what_stands_and_what_comes(world: None, petra: User, signed_in: SignIn) -> None:
    standing = rules.as_proposed(Rule.objects.get(purpose="ai-training", jurisdiction="*"))
    coming = replace(standing, jurisdiction="JP", effective_from=clock.now() + timedelta(days=30))
    rules.enact(proposal=coming, by=BY, at=clock.now())
    matrix: Any = signed_in(petra).get(LIST).context["matrix"]
    by_place = {row[0]: row[1] for row in matrix["rows"]}
    assert list(by_place)[-1] == "everywhere else"
    assert "on" in by_place["everywhere else"]
    assert "since" in by_place["everywhere else"]
    assert "from" in by_place["Japan"]
    assert "off" in by_place["EEA"]


def test_an_ended_rule_stands_no_more(world: None, petra: User, signed_in: SignIn) -> None:
    standing = rules.as_proposed(Rule.objects.get(purpose="ai-training", jurisdiction="*"))
    ended = replace(standing, jurisdiction="JP", effective_to=AT, effective_from=AT - timedelta(days=1))
    rule = rules.enact(proposal=ended, by=BY, at=AT)
    browser = signed_in(petra)
    assert not {row[0]: row[1] for row in browser.get(LIST).context["matrix"]["rows"]}["Japan"].count("since")
    assert "ended" in browser.get(reverse("admin:consents_rule_change", args=[rule.pk])).content.decode()


@pytest.mark.parametrize("role", ["bob", "ada"])
def test_every_role_reads_rules_and_none_edits_one(world: None, bob: User, signed_in: SignIn, role: str) -> None:
    browser = signed_in(bob if role == "bob" else staff_member("ada", AUDITOR))
    rule = Rule.objects.first()
    assert rule is not None
    change = reverse("admin:consents_rule_change", args=[rule.pk])
    assert [browser.get(path).status_code for path in (LIST, change)] == [200, 200]
    before = list(Rule.objects.values())
    assert browser.post(change, asked()).status_code == 403
    assert list(Rule.objects.values()) == before
