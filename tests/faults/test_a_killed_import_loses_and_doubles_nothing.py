"""SIGKILL between and inside the chunks of an import; run again, it leaves what an undisturbed one leaves."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from consents.models import ChoiceImport, ImportedKey, LedgerEvent, Preference
from portal.models import AuditEntry
from tests.conftest import person
from tests.consents.sending import HEAD, imported, rejections, written
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

POINTS = [
    "import.before_chunk",
    "import.before_chunk:3",
    "import.locked:2",
    "import.recorded:1",
    "import.recorded:4",
    "import.before_commit:2",
    "import.after_chunk:1",
    "import.after_chunk:3",
    "import.after_chunk:4",
]
NAMES = ["alice", "bert", "carla"]


def rows(prefix: str) -> list[str]:
    """Twelve rows: overtaking, repetitions, keys, evidence, a minor, and two that are refused."""
    said = [
        ("alice", "ai-training,deny", "2", "box 1,k1,"),
        ("bert", "ai-training,grant", "1", ",k2,yes"),
        ("alice", "ai-training,grant", "1", ",k3,"),
        ("alice", "ai-training,deny", "2", "box 1,k1,"),
        ("nobody", "ai-training,deny", "1", ",,"),
        ("carla", "marketing,grant", "1", ",,"),
        ("carla", "marketing,withdraw", "1", ",,"),
        ("bert", "ai-training,object", "1", ",k4,no"),
        ("bert", "nothing,deny", "1", ",,"),
        ("carla", "ai-training,restrict", "1", "box 2,,"),
        ("carla", "marketing,grant", "1", ",,"),
        ("alice", "marketing,deny", "3", ",k5,"),
    ]
    return [f"account,m_{prefix}{name},{what},2026-01-0{day}T00:00:00Z,{rest}" for name, what, day, rest in said]


def file(folder: Path, prefix: str) -> Path:
    return written(folder, rows(prefix), name=f"{prefix}.csv", head=f"{HEAD},evidence,key,is_minor")


@pytest.mark.parametrize("point", POINTS)
def test_killed_at(world: None, tmp_path: Path, point: str) -> None:
    for prefix in ("left", "hurt"):
        for name in NAMES:
            person(f"{prefix}{name}")
    undisturbed = imported(file(tmp_path, "left"))
    expected = left_by(undisturbed)
    ImportedKey.objects.all().delete()
    path = file(tmp_path, "hurt")
    assert run(path, tmp_path, HEED_FAULTS_ALLOWED="1", HEED_FAULT_POINT=point).returncode == -signal.SIGKILL
    assert run(path, tmp_path).returncode == 1
    found = ChoiceImport.objects.exclude(pk=undisturbed.pk).get()
    assert left_by(found) == expected
    assert "known already" in run(path, tmp_path).stdout
    assert left_by(ChoiceImport.objects.get(pk=found.pk)) == expected


def test_two_at_once_on_the_same_file_the_second_is_refused(world: None, tmp_path: Path) -> None:
    person("hurtalice")
    path, gate = file(tmp_path, "hurt"), tmp_path / "gate"
    waiting = {"HEED_FAULTS_ALLOWED": "1", "HEED_FAULT_POINT": "import.before_commit", "HEED_FAULT_WAIT": str(gate)}
    first = subprocess.Popen(command(path), env=environment(tmp_path, **waiting), stdout=subprocess.DEVNULL)
    try:
        wait_for(gate.with_name("gate.reached").exists, within=60, what="the first chunk")
        second = run(path, tmp_path)
        assert (second.returncode, "being imported at this moment" in second.stderr) == (1, True)
        gate.touch()
        first.wait(60)
    finally:
        first.kill()
        first.wait()
    assert ChoiceImport.objects.get().state == "done"


def left_by(one: ChoiceImport) -> dict[str, object]:
    """Everything that an import leaves, apart from times and ids of its own."""
    events = LedgerEvent.objects.filter(details__import=str(one.pk)).order_by("transaction_id", "pk")
    subjects = dict.fromkeys(events.values_list("subject_id", flat=True))
    number = {subject_id: at for at, subject_id in enumerate(subjects)}
    said = [(number[event.subject_id], event.kind, event.purpose, event.action, event.occurred_at) for event in events]
    held = Preference.objects.filter(subject_id__in=subjects)
    return {
        "counts": (one.state, one.rows_done, one.accepted, one.repeated, one.rejected, one.amended),
        "rejections": rejections(one),
        "events": said,
        "lines": [event.details["line"] for event in events],
        "sealed": [event.evidence is not None for event in events],
        "preferences": {(number[row.subject_id], row.purpose, row.slot, row.action) for row in held},
        "keys": ImportedKey.objects.filter(event_id__in=[event.pk for event in events]).count(),
        "chunks": AuditEntry.objects.filter(action="choices.import", object_id=str(one.pk)).count(),
    }


def command(path: Path) -> list[str]:
    return [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), "import_choices", str(path), "--chunk", "3"]


def environment(folder: Path, **extra: str) -> dict[str, str]:
    home = folder / "heed"
    home.mkdir(exist_ok=True)
    return {**Stack(home, redis_number=12).environment, **extra}


def run(path: Path, folder: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(path), env=environment(folder, **extra), capture_output=True, text=True, timeout=120, check=False
    )
