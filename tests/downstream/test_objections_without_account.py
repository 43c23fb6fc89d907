"""An objection without an account reaches a dataset keyed by address, and later the account's rows too."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from consents import contact_verification, member_import
from consents.contact_verification import Wish
from consents.vocabulary import Action
from downstream import propagation, registry
from downstream.models import Dataset, RemovalReceipt
from downstream.registry import Registration
from tests.conftest import AT, BY, dataset_of, sequenced, write_parquet

pytestmark = pytest.mark.django_db(transaction=True)


def by_address(folder: Path) -> Dataset:
    registration = Registration(
        slug="letters",
        name="Letters",
        owner="linkwell",
        purposes=("ai-training",),
        location=str(folder),
        key_column="contact",
        key_scheme="email",
    )
    return registry.register(registration=registration, by=BY, at=AT)


def objects(contact: str) -> None:
    wish = Wish(Action.OBJECT, ("ai-training",), "US")
    sent = contact_verification.ask(contact=contact, wish=wish, client=contact, at=AT)
    contact_verification.confirm(verification_id=sent.id, code=sent.code, at=AT)


def bring_up_to_date() -> None:
    sequenced()
    for run in propagation.plan(at=AT):
        assert propagation.carry_out(propagation_id=run.pk, holder="h", clock=lambda: AT)


def left(folder: Path, column: str) -> list[object]:
    return pq.read_table(folder / "part-0.parquet").column(column).to_pylist()


def test_the_rows_of_the_address_leave(world: None, tmp_path: Path) -> None:
    contact = f"{tmp_path.name}-zoe@example.org"
    folder = write_parquet(tmp_path / "letters", {"contact": [contact, "yan@example.org", contact]})
    letters = by_address(folder)
    objects(contact.upper())
    bring_up_to_date()
    assert left(folder, "contact") == ["yan@example.org"]
    assert RemovalReceipt.objects.get(dataset_id=letters.pk).rows_removed == 2


def test_once_they_are_a_member_their_accounts_rows_leave_too(world: None, tmp_path: Path) -> None:
    contact = f"{tmp_path.name}-zoe@example.org"
    folder = write_parquet(tmp_path / "posts", {"author": ["m_zoe", "m_yan"]})
    dataset_of(folder)
    objects(contact)
    bring_up_to_date()
    assert left(folder, "author") == ["m_zoe", "m_yan"]
    members = tmp_path / "members.csv"
    members.write_text(f"author_id,email,jurisdiction\nm_zoe,{contact},US\nm_yan,yan@example.org,US\n")
    member_import.load(path=members, by=BY, at=AT)
    bring_up_to_date()
    assert left(folder, "author") == ["m_yan"]
