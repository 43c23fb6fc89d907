"""SIGKILL at every step of the protocol; the next worker finds the dataset right and finishes."""

import pytest

from downstream.models import Propagation, RemovalReceipt
from downstream.propagation_states import Status
from tests.faults.conftest import WITHOUT_ALICE, Scene, killed_at
from tests.stack import wait_for

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

POINTS = [
    "stage.before_write",
    "stage.after_write",
    "stage.after_fsync",
    "commit.before_rename",
    "commit.after_rename",
    "commit.after_dirsync",
    "settle.before",
    "settle.after",
]


@pytest.mark.parametrize("point", POINTS)
def test_killed_at(scene: Scene, point: str) -> None:
    scene.say_no()
    everything = scene.rows()
    killed_at(scene, point)
    # what a reader sees is whole: every row of the others is there, in each file all of Alice's or none
    assert [row for row in scene.rows() if row[0] != "m_alice"] == WITHOUT_ALICE
    assert set(scene.rows()) <= set(everything)

    scene.stack.start("worker")
    wait_for(scene.verified, within=90, what=lambda: scene.stack.log("worker")[-3000:])
    assert scene.rows() == WITHOUT_ALICE
    receipt = RemovalReceipt.objects.get(subject_id=scene.subject.pk)
    assert (receipt.rows_found, receipt.rows_removed) == (14, 14)
    assert sorted(file["file"] for file in receipt.files) == ["part-0.parquet", "part-1.parquet"]
    assert scene.leftovers() == []
    assert list(Propagation.objects.values_list("status", flat=True)) == [Status.VERIFIED]
