"""Taking a dataset in: what is refused, and that nothing is written then."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from consents.models import Partner
from downstream import registry
from downstream.connectors import open_connector, parquet_folder
from downstream.locations import LocationTaken
from downstream.models import Dataset
from downstream.registry import Registration
from portal import audit
from portal.errors import DomainError
from portal.models import AuditEntry
from tests.conftest import AT, BY, write_parquet
from tests.downstream.acting import Holder

pytestmark = pytest.mark.django_db


@pytest.fixture
def good(world: None, tmp_path: Path) -> Registration:
    folder = write_parquet(tmp_path / "posts", {"author": ["m_alice"], "text": ["a"]})
    return Registration(
        slug="posts",
        name="Posts",
        owner="linkwell",
        purposes=("ai-training",),
        location=str(folder),
        key_column="author",
        key_scheme="account",
    )


def refusal(registration: Registration) -> tuple[str, str | None]:
    """Both ways in refuse alike, and write nothing."""
    before = Dataset.objects.count(), AuditEntry.objects.count()
    with pytest.raises(DomainError) as checked:
        registry.check(registration)
    with pytest.raises(DomainError) as registered:
        registry.register(registration=registration, by=BY, at=AT)
    assert checked.value.code == registered.value.code
    assert checked.value.message.endswith((".", "!"))
    assert (Dataset.objects.count(), AuditEntry.objects.count()) == before
    return checked.value.code, checked.value.field


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"slug": ""}, "invalid_slug"),
        ({"slug": "Posts"}, "invalid_slug"),
        ({"slug": "a b"}, "invalid_slug"),
        ({"slug": "-posts"}, "invalid_slug"),
        ({"slug": "p" * 51}, "invalid_slug"),
        ({"slug": "posts\n"}, "invalid_slug"),
        ({"name": "n" * 121}, "name_too_long"),
        ({"public_name": "n" * 121}, "name_too_long"),
        ({"kind": "spreadsheet"}, "unknown_kind"),
        ({"kind": "memory"}, "unknown_kind"),
        ({"purposes": ()}, "purpose_missing"),
        ({"purposes": ("ai-training", "mining")}, "unknown_purpose"),
        ({"owner": "nobody"}, "unknown_recipient"),
        ({"owner": ""}, "unknown_recipient"),
        ({"category": "gossip"}, "unknown_category"),
        ({"key_scheme": "acount"}, "unknown_scheme"),
        ({"key_scheme": ""}, "unknown_scheme"),
        ({"deadline_hours": 0}, "invalid_deadline"),
        ({"deadline_hours": -1}, "invalid_deadline"),
        ({"deadline_hours": 10**9}, "invalid_deadline"),
        ({"window_minutes": -1}, "invalid_window"),
        ({"window_minutes": 24 * 30 + 1}, "invalid_window"),
        ({"location": ""}, "location_missing"),
        ({"location": "a\0b"}, "invalid_location"),
        ({"location": "/" + "a/" * 600}, "invalid_location"),
        ({"location": "/no/such/place"}, "dataset_missing"),
        ({"key_column": "writer"}, "key_column_missing"),
        ({"key_column": ""}, "key_column_missing"),
    ],
)
def test_what_is_wrong_is_refused_by_name(good: Registration, wrong: dict[str, object], code: str) -> None:
    assert refusal(replace(good, **wrong))[0] == code  # type: ignore[arg-type]


def test_a_place_without_data_is_refused(good: Registration, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert refusal(replace(good, location=str(tmp_path / "empty")))[0] == "dataset_empty"
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "notes.txt").write_text("m_alice")
    assert refusal(replace(good, location=str(tmp_path / "text")))[0] == "not_parquet"
    assert refusal(replace(good, location=str(tmp_path / "text" / "notes.txt")))[0] == "not_a_folder"
    (tmp_path / "text" / "broken.parquet").write_bytes(b"PAR1 no longer")
    assert refusal(replace(good, location=str(tmp_path / "text")))[0] == "dataset_unreadable"


def test_links_in_a_circle_are_refused(good: Registration, tmp_path: Path) -> None:
    os.symlink(tmp_path / "circle", tmp_path / "circle")
    assert refusal(replace(good, location=str(tmp_path / "circle")))[0] in {"invalid_location", "dataset_missing"}


def test_a_slug_is_given_once_also_after_it_was_retired(good: Registration, tmp_path: Path) -> None:
    registry.register(registration=good, by=BY, at=AT)
    elsewhere = write_parquet(tmp_path / "other", {"author": ["m_alice"]})
    assert refusal(replace(good, location=str(elsewhere))) == ("slug_taken", "slug")
    Dataset.objects.update(retired_at=AT)
    assert refusal(replace(good, location=str(elsewhere))) == ("slug_taken", "slug")


@pytest.mark.parametrize("name", ["posts", "posts/", "./posts/../posts", "link", "inner", "."])
def test_a_place_is_registered_once_by_whatever_name(
    good: Registration, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what is inside of it, or around: two runs on one file could undo each other's work."""
    registry.register(registration=good, by=BY, at=AT)
    os.symlink(good.location, tmp_path / "link")
    write_parquet(tmp_path / "posts" / "deep", {"author": ["m_alice"]})
    os.symlink(tmp_path / "posts" / "deep", tmp_path / "inner")
    monkeypatch.chdir(tmp_path)
    assert refusal(replace(good, slug="again", location=name)) == ("location_taken", "location")


def test_a_place_beside_another_is_free(good: Registration, tmp_path: Path) -> None:
    registry.register(registration=good, by=BY, at=AT)
    beside = write_parquet(tmp_path / "posts-2", {"author": ["m_alice"]})
    assert registry.register(registration=replace(good, slug="two", location=str(beside)), by=BY, at=AT).pk


def test_a_retired_datasets_place_may_be_taken_again(good: Registration) -> None:
    registry.register(registration=good, by=BY, at=AT)
    Dataset.objects.update(retired_at=AT)
    assert registry.register(registration=replace(good, slug="again"), by=BY, at=AT).pk


def test_a_partners_own_scheme_may_be_the_key(good: Registration, acme: Partner) -> None:
    Partner.objects.update(schemes=["acme_id"])
    assert registry.register(registration=replace(good, key_scheme="acme_id"), by=BY, at=AT).pk


def test_a_dataset_is_taken_in_with_its_numbers_and_an_audit_entry(good: Registration) -> None:
    dataset = registry.register(registration=replace(good, location=f"{good.location}/"), by=BY, at=AT)
    assert (dataset.row_count, dataset.file_count, dataset.position) == (1, 1, 0)
    assert (dataset.location, dataset.public_name) == (good.location, "Posts")
    assert AuditEntry.objects.get(action="dataset.register").object_id == "posts"


def test_nothing_is_registered_when_the_audit_entry_fails(good: Registration, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise RuntimeError("no audit")

    monkeypatch.setattr(audit, "record", refuse)
    with pytest.raises(RuntimeError, match="no audit"):
        registry.register(registration=good, by=BY, at=AT)
    assert not Dataset.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_many_that_register_one_place_at_once_one_does(good: Registration) -> None:
    def register(number: int) -> str:
        try:
            registry.register(registration=replace(good, slug=f"posts-{number}"), by=BY, at=AT)
        except DomainError as error:
            return error.code
        return "registered"

    answers = [Holder(lambda number=number: register(number)) for number in range(4)]  # type: ignore[misc]
    assert sorted(one.ended() for one in answers) == ["location_taken"] * 3 + ["registered"]
    assert Dataset.objects.count() == 1


def test_the_command_refuses_in_one_line(good: Registration, capsys: pytest.CaptureFixture[str]) -> None:
    given = {"key_column": "author", "purposes": ["ai-training"], "owner": "linkwell"}
    for wrong in ({"purposes": []}, {"owner": "nobody"}, {"key_column": "writer"}, {"deadline_hours": 0}):
        with pytest.raises(CommandError) as refused:
            call_command("register_dataset", "posts", good.location, **{**given, **wrong})
        assert "\n" not in str(refused.value)
    with pytest.raises(CommandError, match="does not exist; mount it"):
        call_command("register_dataset", "posts", "/no/such/place", **given)
    assert capsys.readouterr().out == ""
    assert not Dataset.objects.exists()


def test_what_the_kind_has_to_know_besides_is_kept_and_told_to_its_connector(good: Registration) -> None:
    told = replace(good, connector_options={"memory_mb": 100}, content_usage_column="text")
    dataset = registry.register(registration=told, by=BY, at=AT)
    assert dataset.options == {"memory_mb": 100, "content_usage_column": "text"}
    assert refusal(replace(good, slug="two", connector_options={"memory_mb": "much"}))[0] == "location_taken"


def test_an_option_that_the_kind_does_not_know_is_refused(good: Registration) -> None:
    assert refusal(replace(good, connector_options={"colour": "red"}))[0] == "invalid_options"
    assert refusal(replace(good, connector_options={"memory_mb": "much"}))[0] == "invalid_options"


def test_a_kind_may_name_its_places_itself(good: Registration, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place that is no path is taken only by the same name."""

    def resolve(location: str, options: Mapping[str, object]) -> str:
        return f"{options.get('memory_mb')}:{location}"

    monkeypatch.setattr(parquet_folder, "resolve", resolve, raising=False)
    monkeypatch.setattr(
        registry, "open_connector", lambda *_: open_connector("parquet_folder", good.location, "author", {})
    )
    registry.register(registration=good, by=BY, at=AT)
    assert Dataset.objects.get().location == f"None:{good.location}"
    assert refusal(replace(good, slug="two")) == ("location_taken", "location")
    other = replace(good, slug="two", connector_options={"memory_mb": 100})
    assert registry.register(registration=other, by=BY, at=AT).location == f"100:{good.location}"


def test_of_places_that_lie_in_each_other_only_one_is_taken_in(good: Registration, tmp_path: Path) -> None:
    inner = write_parquet(tmp_path / "posts" / "inner", {"author": ["m_alice"], "text": ["a"]})
    outer = registry.prepare(good, at=AT)
    within = registry.prepare(replace(good, slug="inner", location=str(inner)), at=AT)
    registry.take_in(outer, by=BY, at=AT)
    with pytest.raises(LocationTaken) as refused:
        registry.take_in(within, by=BY, at=AT)
    assert (refused.value.code, refused.value.slug) == ("location_taken", "posts")
    assert Dataset.objects.get().slug == "posts"
