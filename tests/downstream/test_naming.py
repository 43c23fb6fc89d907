"""Hashed keys: a dataset that hides identifiers is searched by hashes made with its own secret."""

import hashlib
import hmac
import os
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from consents import subjects
from consents.models import Subject
from consents.vocabulary import Action
from downstream import arrivals, naming, registry, versions
from downstream.connectors.base import ConnectorError
from downstream.models import Dataset, KeyHash, Propagation
from downstream.propagation_states import Status
from downstream.registry import Registration
from portal.crypto import Ring
from portal.errors import DomainError
from tests.conftest import AT, BY, person, sequenced, write_parquet
from tests.consents.asking import tables_as_text
from tests.downstream.acting import LATER, authors, removed, run_all, say

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "a secret of thirty-two letters -"
HOWS = [KeyHash.HMAC, KeyHash.SALTED]


def hashed(value: str, how: str, secret: str = SECRET) -> str:
    """As another program would do it."""
    if how == KeyHash.HMAC:
        return hmac.new(secret.encode(), value.encode(), "sha256").hexdigest()
    return hashlib.sha256(f"{secret}{value}".encode()).hexdigest()


def registration(folder: Path, how: str = "", secret: str = SECRET, *, scheme: str = "account") -> Registration:
    return Registration(
        slug="posts",
        name="Posts",
        owner="linkwell",
        purposes=("ai-training",),
        location=str(folder),
        key_column="author",
        key_scheme=scheme,
        key_hash=how,
        key_secret=secret if how else "",
    )


def folder_of(tmp_path: Path, how: str, *people: str) -> Path:
    keys = [hashed(one, how) for one in people]
    return write_parquet(tmp_path / "posts", {"author": keys, "text": list(people)})


@pytest.mark.parametrize("how", HOWS)
def test_a_no_reaches_a_dataset_of_hashed_keys(alice: Subject, charlie: Subject, tmp_path: Path, how: str) -> None:
    folder = folder_of(tmp_path, how, "m_alice", "m_charlie", "m_alice")
    dataset = registry.register(registration=registration(folder, how), by=BY, at=AT)
    say(alice, Action.DENY)
    assert run_all() == [True]
    assert authors(dataset) == [hashed("m_charlie", how)]
    assert removed(alice) == [2]


def test_addresses_are_hashed_too(alice: Subject, charlie: Subject, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, KeyHash.HMAC, "alice@example.org", "charlie@example.org")
    wanted = registration(folder, KeyHash.HMAC, scheme="email")
    dataset = registry.register(registration=wanted, by=BY, at=AT)
    say(alice, Action.DENY)
    assert run_all() == [True]
    assert authors(dataset) == [hashed("charlie@example.org", KeyHash.HMAC)]


def test_hashes_that_come_in_later_are_recognised(alice: Subject, charlie: Subject, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, KeyHash.HMAC, "m_charlie")
    dataset = registry.register(registration=registration(folder, KeyHash.HMAC), by=BY, at=AT)
    say(alice, Action.DENY)
    run_all()
    late = {"author": [hashed("m_alice", KeyHash.HMAC), hashed("m_charlie", KeyHash.HMAC)], "text": ["a", "c"]}
    write_parquet(folder, late, name="part-1.parquet")
    arrivals.look_around(at=LATER)
    assert run_all() == [True]
    assert authors(dataset) == [hashed("m_charlie", KeyHash.HMAC)] * 2
    newest = versions.newest(dataset)
    assert newest is not None
    assert not newest.has_arrivals


def test_hashes_stream_past_the_people(alice: Subject, charlie: Subject, tmp_path: Path) -> None:
    dataset = registry.register(
        registration=registration(folder_of(tmp_path, KeyHash.HMAC, "m_x"), KeyHash.HMAC), by=BY, at=AT
    )

    class Batch(list[str]):
        """A list that can be watched."""

    made: list[weakref.ref[Batch]] = []
    alive: list[int] = []

    def batches() -> Iterator[list[str]]:
        for number in range(20):
            who = "m_alice" if number == 10 else f"m_{number}"
            batch = Batch([hashed(who, KeyHash.HMAC), "no hash", hashed("m_charlie", KeyHash.HMAC).upper()])
            made.append(weakref.ref(batch))
            alive.append(sum(one() is not None for one in made))
            yield batch

    assert arrivals._whose_hashes(dataset, batches()) == {alice.pk}
    assert max(alive) <= 2


def test_a_dataset_of_plain_keys_is_named_as_before(alice: Subject, tmp_path: Path) -> None:
    folder = write_parquet(tmp_path / "posts", {"author": ["m_alice"], "text": ["a"]})
    dataset = registry.register(registration=registration(folder), by=BY, at=AT)
    assert naming.keys([alice.pk], dataset=dataset) == {"m_alice": alice.pk}


def test_the_secret_is_nowhere_in_the_database(alice: Subject, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, KeyHash.HMAC, "m_alice")
    wanted = registration(folder, KeyHash.HMAC)
    dataset = registry.register(registration=wanted, by=BY, at=AT)
    text = tables_as_text()
    assert SECRET not in text
    assert SECRET.encode().hex() not in text
    assert SECRET not in repr(wanted)
    # bound to its dataset: moved to another one it does not open
    other = Dataset(slug="other", key_hash=KeyHash.HMAC, key_secret=dataset.key_secret)
    with pytest.raises(ConnectorError, match="HEED_FIELD_KEYS"):
        naming.spelling(other)


def test_a_secret_that_cannot_be_opened_stops_the_run_with_a_reason(
    alice: Subject, tmp_path: Path, settings: Any
) -> None:
    folder = folder_of(tmp_path, KeyHash.HMAC, "m_alice")
    registry.register(registration=registration(folder, KeyHash.HMAC), by=BY, at=AT)
    say(alice, Action.DENY)
    kept, settings.FIELD_KEYS = settings.FIELD_KEYS, Ring({"other": os.urandom(32)})
    assert run_all() == [False]
    settings.FIELD_KEYS = kept
    run = Propagation.objects.get()
    assert (run.status, run.reason_code) == (Status.STOPPED, "key_secret_unreadable")


def test_two_secrets_write_the_same_person_differently(alice: Subject, tmp_path: Path) -> None:
    one, two = (
        Dataset(slug=slug, key_scheme="account", key_hash=KeyHash.HMAC, key_secret=naming.sealed_secret(s, slug=slug))
        for slug, s in (("a", SECRET), ("b", SECRET[::-1]))
    )
    assert naming.keys([alice.pk], dataset=one).keys() != naming.keys([alice.pk], dataset=two).keys()


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"key_hash": "md5"}, "unknown_key_hash"),
        ({"key_secret": ""}, "invalid_key_secret"),
        ({"key_secret": "short"}, "invalid_key_secret"),
        ({"key_secret": "s" * 1001}, "invalid_key_secret"),
        ({"key_hash": ""}, "secret_without_hash"),
    ],
)
def test_what_is_wrong_with_a_hash_is_refused_by_name(
    world: None, tmp_path: Path, wrong: dict[str, str], code: str
) -> None:
    good = registration(folder_of(tmp_path, KeyHash.HMAC, "m_alice"), KeyHash.HMAC)
    with pytest.raises(DomainError) as refused:
        registry.register(registration=replace(good, **wrong), by=BY, at=AT)  # type: ignore[arg-type]
    assert refused.value.code == code
    assert SECRET not in refused.value.message
    assert not Dataset.objects.exists()


def test_hashes_in_a_column_of_numbers_are_refused(world: None, tmp_path: Path) -> None:
    folder = write_parquet(tmp_path / "posts", {"author": [1, 2]})
    with pytest.raises(DomainError) as refused:
        registry.check(registration(folder, KeyHash.HMAC))
    assert refused.value.code == "hashes_not_text"


def test_the_database_holds_no_hash_without_its_secret(world: None, tmp_path: Path) -> None:
    registry.register(registration=registration(folder_of(tmp_path, "", "m_a")), by=BY, at=AT)
    with pytest.raises(IntegrityError), transaction.atomic():
        Dataset.objects.update(key_hash=KeyHash.HMAC)


def command(folder: Path, *more: str) -> None:
    words = ["posts", str(folder), "--key-column", "author", "--owner", "linkwell", "--purpose", "ai-training", *more]
    call_command("register_dataset", *words)


def test_the_command_makes_a_secret_and_shows_it_once(
    alice: Subject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sequenced()
    command(folder_of(tmp_path, KeyHash.HMAC, "m_alice"), "--key-hash", "hmac-sha256")
    said = capsys.readouterr().out
    secret = said.rpartition("not shown again: ")[2].strip()
    assert len(secret) == 64
    dataset = Dataset.objects.get()
    assert naming.keys([alice.pk], dataset=dataset) == {hashed("m_alice", KeyHash.HMAC, secret): alice.pk}


def test_the_command_takes_a_secret_from_a_file_and_does_not_show_it(
    alice: Subject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sequenced()
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    command(
        folder_of(tmp_path, KeyHash.SALTED, "m_alice"), "--key-hash", "sha256-salted", "--key-secret-file", str(file)
    )
    assert SECRET not in capsys.readouterr().out
    assert naming.keys([alice.pk], dataset=Dataset.objects.get()) == {hashed("m_alice", KeyHash.SALTED): alice.pk}
    with pytest.raises(CommandError, match="cannot be read"):
        command(tmp_path / "posts", "--key-hash", "hmac-sha256", "--key-secret-file", str(tmp_path / "none"))


def test_erased_people_cannot_be_recognised_by_a_hash_of_another_secret(
    charlie: Subject, alice: Subject, tmp_path: Path
) -> None:
    # what is left of them is a fingerprint under our own key; the docs say so
    subjects.forget(subject=charlie, by=BY, at=AT)
    sequenced()
    folder = folder_of(tmp_path, KeyHash.HMAC, "m_charlie")
    dataset = registry.register(registration=registration(folder, KeyHash.HMAC), by=BY, at=AT)
    assert not arrivals.is_first_look(dataset)


def test_a_person_who_joined_later_is_found_by_the_hash(alice: Subject, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, KeyHash.HMAC, "m_dora")
    dataset = registry.register(registration=registration(folder, KeyHash.HMAC), by=BY, at=AT)
    sequenced()
    run_all()
    person("dora", "DE", at=LATER)
    sequenced()
    assert run_all() == [True]
    assert authors(dataset) == []
