"""SIGKILL while row groups are carried over, the index is made, and old versions are erased: only Alice leaves."""

from pathlib import Path

import pytest

from downstream.models import Propagation, PurgeReceipt, RemovalReceipt
from downstream.propagation_states import Purge, Status
from portal import clock
from portal.models import AuditEntry
from tests.conftest import person
from tests.faults import library
from tests.faults.conftest import Scene, killed_at
from tests.faults.library import ALICE, BERT
from tests.stack import wait_for

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

# of two files that are staged side by side, one is in place and the other beside its old version
BETWEEN = ["commit.after_rename", "stage.after_fsync:2", "commit.before_rename:2"]
PURGING = ["purge.before", "purge.after", "purge.before_settle", "purge.after_settle"]


def finished(scene: Scene) -> bool:
    return scene.verified() and not Propagation.objects.exclude(purge=Purge.PURGED).exists()


def end_it(scene: Scene) -> None:
    """Another worker brings everything to its end."""
    scene.stack.start("worker")
    wait_for(lambda: finished(scene), within=90, what=lambda: scene.stack.log("worker")[-3000:])


def only_alice_left(scene: Scene, before: dict[str, object], old: dict[str, str]) -> None:
    """Her rows are gone, of every file everything else is what it was, and the database tells just that."""
    assert library.rows_of(scene.folder, ALICE) == 0
    assert library.seen(scene.folder, ALICE) == before
    new = library.bytes_of(scene.folder)
    hers = {f"part-{number}.parquet" for number in library.HERS}
    assert {name for name, digest in old.items() if new[name] != digest} == hers
    receipt = RemovalReceipt.objects.get(subject_id=scene.subject.pk)
    count = sum(len(rows) for rows in library.HERS.values())
    assert (receipt.rows_found, receipt.rows_removed) == (count, count)
    told = {str(file["file"]): (file["before"], file["after"]) for file in receipt.files}
    assert told == {name: (old[name], new[name]) for name in hers}
    assert scene.leftovers() == []
    run = Propagation.objects.latest("planned_at")
    assert (run.status, run.purge, run.reason) == (Status.VERIFIED, Purge.PURGED, "")
    assert PurgeReceipt.objects.filter(propagation_id=run.pk).count() == 1
    assert AuditEntry.objects.filter(action="propagation.purge", object_id=str(run.pk)).count() == 1


@pytest.mark.parametrize("point", [*BETWEEN, "index.before_rename:3", *PURGING])
def test_killed_at(shelves: Scene, point: str) -> None:
    before, old = library.seen(shelves.folder, ALICE), library.bytes_of(shelves.folder)
    shelves.say_no()
    killed_at(shelves, point)
    # what readers see is whole, whoever of them looks now
    assert library.seen(shelves.folder, ALICE) == before
    end_it(shelves)
    only_alice_left(shelves, before, old)


def test_an_index_that_was_torn_meanwhile_misleads_nobody(shelves: Scene) -> None:
    """One run makes it; it is torn before the next, which is killed, and torn again before the one after that."""
    bert = person("bert", at=clock.now())
    shelves.say_no(bert)
    end_it(shelves)
    shelves.stack.kill("worker")
    assert library.rows_of(shelves.folder, BERT) == 0
    assert tear(shelves) == library.FILES
    before, old = library.seen(shelves.folder, ALICE), library.bytes_of(shelves.folder)
    shelves.say_no()
    killed_at(shelves, "commit.after_rename")
    assert tear(shelves) > 0
    end_it(shelves)
    only_alice_left(shelves, before, old)


def tear(scene: Scene) -> int:
    """Delete, cut off or overwrite the index's segments, in turn; answers how many there were."""
    segments = sorted(Path(scene.stack.folder, "index").glob("*/*.segment"))
    for number, segment in enumerate(segments):
        content = segment.read_bytes()
        if number % 3 == 0:
            segment.unlink()
        elif number % 3 == 1:
            segment.write_bytes(content[: len(content) // 2])
        else:
            middle = len(content) // 2
            segment.write_bytes(content[:middle] + bytes(64) + content[middle + 64 :])
    return len(segments)
