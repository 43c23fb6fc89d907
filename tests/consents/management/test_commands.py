"""What operators type."""

import io
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from consents import rules
from consents.models import Rule, Subject
from tests.consents.sending import UTC_NOON, written

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
    assert set(first) == {"agent", "privacy manager", "auditor", "administrator"}
    Group.objects.get(name="agent").permissions.clear()
    typed("set_up_roles")
    assert {group.name: set(group.permissions.all()) for group in Group.objects.all()} == first


class TestImportingChoices:
    @pytest.fixture
    def path(self, alice: Subject, tmp_path: Path) -> Path:
        purposes = ("marketing", "ai-training")
        return written(tmp_path, [f"account,m_alice,{purpose},deny,{UTC_NOON}" for purpose in purposes])

    def test_each_chunk_is_told_and_the_end_summed_up(self, path: Path) -> None:
        said = typed("import_choices", str(path), "--chunk", "1").splitlines()
        assert said[0].startswith("1 rows, ")
        assert "rows/s" in said[1]
        assert said[-1].startswith("2 choices recorded, 0 known already, 0 rows rejected, 0 minors' flags changed")

    def test_rejected_rows_are_summed_up_written_to_a_file_and_end_with_1(self, path: Path, tmp_path: Path) -> None:
        path.write_text(path.read_text() + f"account,m_nobody,marketing,deny,{UTC_NOON}\n")
        out = io.StringIO()
        with pytest.raises(SystemExit) as end:
            call_command("import_choices", str(path), "--rejects", str(tmp_path / "rejects.csv"), stdout=out)
        assert end.value.code == 1
        assert "unknown_subject: 1" in out.getvalue()
        assert (tmp_path / "rejects.csv").read_text().splitlines() == [
            "line,code,message",
            "4,unknown_subject,Nobody is registered by this identifier.",
        ]

    def test_the_same_file_again_was_done_already(self, path: Path) -> None:
        first = typed("import_choices", str(path)).splitlines()[-1]
        notice, second = typed("import_choices", str(path)).splitlines()
        assert "was imported already" in notice
        assert second == first
        assert "0 choices recorded, 2 known already" in typed("import_choices", str(path), "--again")

    @pytest.mark.parametrize("words", [["--chunk", "0"], ["--format", "parquet"]])
    def test_what_cannot_be_done_is_refused(self, path: Path, words: list[str]) -> None:
        with pytest.raises(CommandError):
            typed("import_choices", str(path), *words)

    def test_a_file_that_is_not_there_is_refused(self, world: None, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match=r"nothing\.csv cannot be read"):
            typed("import_choices", str(tmp_path / "nothing.csv"))
