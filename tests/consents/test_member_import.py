"""Taking people over from a file: all of it, or none."""

from pathlib import Path

import pytest

from consents import member_import, subjects
from consents.member_import import Imported, ImportRefused
from consents.models import LedgerEvent, Subject
from consents.vocabulary import Action
from portal.models import AuditEntry
from tests.conftest import AT, BY
from tests.consents.asking import ask, say

HEAD = "author_id,email,jurisdiction\n"


def load(folder: Path, content: str | bytes) -> Imported:
    path = folder / "members.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return member_import.load(path=path, by=BY, at=AT)


@pytest.mark.usefixtures("world")
def test_everyone_in_the_file_is_registered(tmp_path: Path) -> None:
    content = HEAD + "a1,a@example.org,gb\n\na2,b@example.org,US-CA\n"
    assert load(tmp_path, content) == Imported(registered=2, known=0)
    found = subjects.get(subjects.name("account", "a2"))
    assert (found.jurisdiction, found.locale, found.is_minor) == ("US-CA", "en", False)


@pytest.mark.usefixtures("world")
def test_language_and_age_are_taken_over_where_known(tmp_path: Path) -> None:
    load(tmp_path, "minor,locale,jurisdiction,email,author_id\nyes,de,DE,a@example.org,a1\nno,,FR,b@example.org,a2\n")
    assert [(one.is_minor, one.locale) for one in Subject.objects.order_by("jurisdiction")] == [
        (True, "de"),
        (False, "en"),
    ]


@pytest.mark.usefixtures("world")
def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    content = (HEAD + "ä1,a@example.org,GB\n").replace("\n", "\r\n").encode("utf-8-sig")
    assert load(tmp_path, content).registered == 1


def test_people_known_already_stay_as_they_are(alice: Subject, tmp_path: Path) -> None:
    content = HEAD + "m_alice,other@example.org,DE\nnew,new@example.org,DE\n"
    assert load(tmp_path, content) == Imported(registered=1, known=1)
    alice.refresh_from_db()
    assert alice.jurisdiction == "US"


def test_a_second_import_changes_nothing(world: None, tmp_path: Path) -> None:
    content = HEAD + "a1,a@example.org,GB\n"
    load(tmp_path, content)
    before = LedgerEvent.objects.count(), AuditEntry.objects.count()
    assert load(tmp_path, content) == Imported(registered=0, known=1)
    assert (LedgerEvent.objects.count(), AuditEntry.objects.count()) == before


def test_the_forgotten_are_left_out(alice: Subject, tmp_path: Path) -> None:
    subjects.forget(subject=alice, by=BY, at=AT)
    assert load(tmp_path, HEAD + "m_alice,alice@example.org,US\n").registered == 0


GOOD = "good,good@example.org,GB\n"


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "empty"),
        (HEAD, "empty"),
        ("author_id,email\na1,a@example.org\n", "wrong_columns"),
        ("author_id,email,jurisdiction,shoe_size\na1,a@example.org,GB,42\n", "wrong_columns"),
        ("author_id,email,jurisdiction,email\na1,a@example.org,GB,b@example.org\n", "wrong_columns"),
        (HEAD + GOOD + "a1,a@example.org\n", "wrong_length"),
        (HEAD + GOOD + "a1,a@example.org,GB,more\n", "wrong_length"),
        (HEAD + GOOD + "a1,no address,GB\n", "invalid_identifier"),
        (HEAD + GOOD + ",a@example.org,GB\n", "invalid_identifier"),
        (HEAD + GOOD + "a1,a@example.org,Britain\n", "unknown_jurisdiction"),
        (HEAD + GOOD + 'a1,"a@example.org,GB\n', "not_csv"),
        (HEAD + GOOD + "a1,a\x00@example.org,GB\n", "invalid_identifier"),
        ("author_id,email,jurisdiction,minor\na1,a@example.org,GB,perhaps\n", "wrong_minor"),
        ((HEAD + GOOD).encode() + b"\xff\xfe,a@example.org,GB\n", "not_csv"),
        (b"PAR1\x00\x01\x02\xff", "not_csv"),
    ],
)
def test_a_file_with_a_wrong_line_is_refused_as_a_whole(tmp_path: Path, content: str | bytes, code: str) -> None:
    with pytest.raises(ImportRefused) as refusal:
        load(tmp_path, content)
    assert refusal.value.code == code
    assert not Subject.objects.exists()
    assert "example.org" not in refusal.value.message


@pytest.mark.usefixtures("world")
def test_a_refusal_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match=r"members\.csv, line 3"):
        load(tmp_path, HEAD + GOOD + "a1,a@example.org,Britain\n")


@pytest.mark.usefixtures("world")
def test_a_wrong_line_far_down_takes_the_batches_before_it_along(tmp_path: Path) -> None:
    lines = "".join(f"a{number},a{number}@example.org,GB\n" for number in range(2_100))
    with pytest.raises(ImportRefused, match="line 2102"):
        load(tmp_path, HEAD + lines + "x,x@example.org,??\n")
    assert not Subject.objects.exists()


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImportRefused) as refusal:
        member_import.load(path=tmp_path / name, by=BY, at=AT)
    assert refusal.value.code == "unreadable"


def objected(contact: str) -> Subject:
    """Somebody without an account, who objected by a code."""
    one = subjects.register(newcomer=subjects.Newcomer((subjects.name("email", contact),), "US"), by=BY, at=AT)
    say(one, Action.OBJECT)
    return one


def test_an_objection_made_before_the_account_holds_for_the_account(world: None, tmp_path: Path) -> None:
    zoe = objected("zoe@example.org")
    file = tmp_path / "members.csv"
    file.write_text("author_id,email,jurisdiction,minor\nm_zoe,Zoe@example.org,GB,yes\nm_new,new@example.org,US,\n")
    for _ in range(2):
        member_import.load(path=file, by=BY, at=AT)
    assert subjects.get(subjects.name("account", "m_zoe")) == zoe
    zoe.refresh_from_db()
    assert (zoe.jurisdiction, zoe.is_minor) == ("GB", True)
    assert not ask(zoe).allow
    assert LedgerEvent.objects.filter(kind="amendment", details__has_key="linked").count() == 1


def test_an_account_that_is_somebody_elses_is_linked_to_nobody(world: None, alice: Subject, tmp_path: Path) -> None:
    zoe = objected("zoe@example.org")
    file = tmp_path / "members.csv"
    file.write_text("author_id,email,jurisdiction\nm_alice,zoe@example.org,US\n")
    member_import.load(path=file, by=BY, at=AT)
    assert subjects.get(subjects.name("account", "m_alice")) == alice
    assert subjects.get(subjects.name("email", "zoe@example.org")) == zoe
