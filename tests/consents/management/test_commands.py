"""What operators type."""

import io
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from consents import rules
from consents.models import Rule, Subject

pytestmark = pytest.mark.django_db


def typed(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_the_shipped_rulebook_is_brought_once() -> None:
    first = typed("load_rules", "2024-09")
    assert "rule ai-training in GB from 2024-09-18: new\n" in first
    assert first.endswith(f"{Rule.objects.count()} rules enacted, 0 left.\n")
    again = typed("load_rules", "2024-09")
    assert "purpose ai-training: left as it stands\n" in again
    assert again.endswith(f"0 rules enacted, {Rule.objects.count()} left.\n")


def test_the_shipped_rulebooks_are_listed() -> None:
    assert typed("load_rules", "--list") == "2024-09\n2025-11\n"
    assert not Rule.objects.exists()
    with pytest.raises(CommandError, match="2025-11"):
        typed("load_rules")


def test_a_rule_that_stands_with_other_words_is_named_and_left(tmp_path: Path) -> None:
    typed("load_rules", "2024-09")
    path = tmp_path / "book.toml"
    book = (rules.RULEBOOKS / "2024-09.toml").read_text()
    path.write_text(book.replace('default = "allow"', 'default = "deny"', 1))
    assert "rule ai-training in * from 2024-09-18: stands with other words" in typed("load_rules", str(path))
    assert Rule.objects.get(purpose="ai-training", jurisdiction="*").default == "allow"


@pytest.mark.parametrize("name", ["1999-01", "missing.toml"])
def test_a_rulebook_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(CommandError, match="2024-09"):
        typed("load_rules", name)
    assert not Rule.objects.exists()


def test_a_malformed_rulebook_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "book.toml"
    path.write_text("[[rule]]\n")
    with pytest.raises(CommandError, match=r"book\.toml, rule 1"):
        typed("load_rules", str(path))


def test_members_are_imported_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "members.csv"
    path.write_text("author_id,email,jurisdiction\na,a@example.org,GB\nb,b@example.org,US\n")
    assert typed("import_members", str(path)).startswith("2 people registered, 0 were known")
    assert typed("import_members", str(path)).startswith("0 people registered, 2 were known")


def test_members_that_cannot_be_imported_are_refused_without_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        typed("import_members", str(tmp_path / "missing.csv"))
    assert not Subject.objects.exists()


def test_roles_are_set_up_and_brought_up_to_date() -> None:
    typed("set_up_roles")
    first = {group.name: set(group.permissions.all()) for group in Group.objects.all()}
    assert set(first) == {"agent", "privacy manager", "auditor"}
    Group.objects.get(name="agent").permissions.clear()
    typed("set_up_roles")
    assert {group.name: set(group.permissions.all()) for group in Group.objects.all()} == first
