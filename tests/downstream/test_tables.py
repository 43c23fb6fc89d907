"""Tables as datasets: taken in by the command, reached by a no, purged, and registered once."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from django.core.management import CommandError, call_command

from consents.models import Subject
from consents.vocabulary import Action
from downstream import registry
from downstream.models import Dataset, Propagation, Unit
from tests.conftest import person, sequenced
from tests.downstream.acting import removed, run_all, say
from tests.downstream.connectors.iceberg_ground import NAME, catalog, options
from tests.downstream.connectors.searching import places

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "what alice wrote"
FIRST = pa.table({"person": ["m_alice", "m_bob"], "text": [SECRET, "b"]})
SECOND = pa.table({"person": ["m_bob", "m_alice", "m_alice"], "text": ["c", SECRET, SECRET]})


def delta(folder: Path) -> list[str]:
    """A table of two files; answers how it is registered."""
    for rows in (FIRST, SECOND):
        write_deltalake(folder / "posts", rows, mode="append")
    return [str(folder / "posts"), "--kind=delta_table", "--option=files_per_commit=1"]


def iceberg(folder: Path) -> list[str]:
    """The same in a catalog."""
    place = catalog(folder)
    place.create_namespace("social")
    made = place.create_table(NAME, FIRST.schema)
    for rows in (FIRST, SECOND):
        made.append(rows)
    return [NAME, "--kind=iceberg_table", f"--option=catalog={json.dumps(options(folder)['catalog'])}"]


def people(folder: Path) -> list[str]:
    """Whose rows readers see, by the table's own library."""
    if (folder / "posts").exists():
        return sorted(DeltaTable(folder / "posts").to_pyarrow_table()["person"].to_pylist())
    return sorted(catalog(folder).load_table(NAME).scan().to_arrow()["person"].to_pylist())


def register(described: list[str], *, slug: str = "posts") -> None:
    call_command(
        "register_dataset", slug, *described, "--key-column=person", "--purpose=ai-training", "--owner=linkwell"
    )


@pytest.fixture
def alice(world: None) -> Subject:
    return person("alice")


@pytest.mark.parametrize(("make", "units"), [(delta, 2), (iceberg, 1)])
def test_a_no_reaches_a_table_and_its_bytes_go_after_a_purge(
    alice: Subject, tmp_path: Path, make: Callable[[Path], list[str]], units: int
) -> None:
    sequenced()
    register(make(tmp_path / "place"))
    say(alice, Action.DENY)
    assert run_all() == [True]
    assert people(tmp_path / "place") == ["m_bob", "m_bob"]
    assert removed(alice) == [3]
    assert Unit.objects.count() == units
    assert "m_alice" not in json.dumps(list(Unit.objects.values_list("record", flat=True)))
    dataset = Dataset.objects.get()
    assert (dataset.row_count, dataset.file_count) == (2, 2)
    connector = registry.connect(dataset)
    assert connector.residue({"m_alice"}, retention=None, at=datetime.now(UTC)).kept_until is not None
    connector.purge(retention=timedelta(0), at=datetime.now(UTC))
    assert places(tmp_path / "place", "m_alice", SECRET) == []
    assert people(tmp_path / "place") == ["m_bob", "m_bob"]


@pytest.mark.parametrize("make", [delta, iceberg])
def test_a_table_of_which_all_rows_went_is_still_one(
    alice: Subject, tmp_path: Path, make: Callable[[Path], list[str]]
) -> None:
    sequenced()
    register(make(tmp_path / "place"))
    say(alice, Action.DENY)
    say(person("bob"), Action.DENY)
    assert run_all() == [True]
    assert people(tmp_path / "place") == []
    assert Dataset.objects.get().row_count == 0
    say(person("dora", "DE"), Action.DENY)
    assert run_all() == [True]
    assert not Propagation.objects.open().exists()


@pytest.mark.parametrize("make", [delta, iceberg])
def test_a_table_is_registered_once(alice: Subject, tmp_path: Path, make: Callable[[Path], list[str]]) -> None:
    sequenced()
    described = make(tmp_path / "place")
    register(described)
    with pytest.raises(CommandError, match="registered already"):
        register(described, slug="again")


def test_tables_of_one_name_in_two_catalogs_are_two(alice: Subject, tmp_path: Path) -> None:
    sequenced()
    register(iceberg(tmp_path / "one"))
    register(iceberg(tmp_path / "two"), slug="again")
    assert Dataset.objects.count() == 2
