"""`register_dataset` and `propagate`, as operators run them."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from consents.models import Subject
from consents.vocabulary import Action
from downstream.models import Dataset, Propagation
from downstream.propagation_states import Status
from portal.models import AuditEntry
from tests.conftest import person, sequenced, write_parquet
from tests.downstream.acting import Holder, authors, carry_out, run_all, say
from tests.stack import ROOT, Stack, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def folder(world: None, tmp_path: Path) -> Path:
    person("alice")
    person("dora", "DE")
    return write_parquet(tmp_path / "posts", {"author": ["m_alice", "m_dora", "m_dora"]})


def register(folder: Path, *extra: str) -> None:
    call_command(
        "register_dataset", "posts", str(folder), "--key-column=author", "--purpose=ai-training",
        "--owner=linkwell", *extra,
    )  # fmt: skip


def test_a_dry_run_says_what_would_happen_and_does_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sequenced()
    register(folder, "--dry-run")
    said = capsys.readouterr().out
    assert "3 rows in 1 files" in said
    assert "1 may not be in it" in said
    assert "Registered" not in said
    assert not Dataset.objects.exists()
    assert not AuditEntry.objects.filter(action="dataset.register").exists()


def test_registering_says_the_same_and_does_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sequenced()
    register(folder, "--public-name=What you wrote", "--deadline-hours=2", "--category=posts")
    said = capsys.readouterr().out
    assert "1 may not be in it" in said
    assert said.endswith("Registered posts.\n")
    dataset = Dataset.objects.get()
    assert (dataset.name, dataset.public_name, dataset.category) == ("posts", "What you wrote", "posts")
    assert dataset.deadline_hours == 2
    assert AuditEntry.objects.get(action="dataset.register").actor == "command:register_dataset"


def test_options_of_the_kind_are_given_as_json_or_text(folder: Path) -> None:
    register(folder, "--option=memory_mb=100", "--option", "engine=embedded")
    assert Dataset.objects.get().options == {"memory_mb": 100, "engine": "embedded"}


def test_an_option_without_a_value_is_refused(folder: Path) -> None:
    with pytest.raises(CommandError, match="NAME=VALUE"):
        register(folder, "--option=memory_mb")
    assert not Dataset.objects.exists()


def test_registering_twice_is_refused(folder: Path) -> None:
    register(folder)
    with pytest.raises(CommandError, match="registered already"):
        register(folder)


def test_propagating_plans_what_is_behind(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY)
    call_command("propagate")
    assert Propagation.objects.open().get().dataset == posts


def test_propagating_an_unknown_dataset_is_refused(posts: Dataset) -> None:
    with pytest.raises(CommandError, match="No dataset is registered as nothing"):
        call_command("propagate", "nothing")


def test_waiting_where_nothing_is_behind_ends_at_once(posts: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("propagate", "posts", "--wait", "--timeout=5")
    assert capsys.readouterr().out == f"Verified up to position {posts.position}.\n"


def test_waiting_without_a_worker_ends_with_a_question(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY)
    with pytest.raises(CommandError, match=r"Still behind after 0 s: posts\. Is a worker running"):
        call_command("propagate", "--wait", "--timeout=0.4")


def test_waiting_ends_when_a_worker_has_verified(
    posts: Dataset, alice: Subject, capsys: pytest.CaptureFixture[str]
) -> None:
    say(alice, Action.DENY)

    def work() -> None:
        wait_for(lambda: Propagation.objects.open().exists(), within=30, what="the plan")
        carry_out(Propagation.objects.open().get())

    worker = Holder(work)
    call_command("propagate", "posts", "--wait", "--timeout=30")
    worker.ended()
    assert "Verified up to position" in capsys.readouterr().out
    assert "m_alice" not in authors(posts)


def test_waiting_for_what_has_stopped_ends_with_the_reason(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY)
    Path(posts.location).rename(f"{posts.location}-moved")
    assert run_all() == [False]
    assert Propagation.objects.open().get().status == Status.STOPPED
    with pytest.raises(CommandError, match=r"posts stopped: .* does not exist; mount it"):
        call_command("propagate", "--wait", "--timeout=30")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["register_dataset", "posts", "/no/such/place", "--key-column=a", "--owner=linkwell"], "at least one purpose"),
        (["register_dataset", "posts"], "are required"),
        (["propagate", "nothing"], "No dataset is registered"),
        (["propagate", "--timeout=soon"], "invalid float"),
    ],
)
def test_a_refusal_reads_as_one_line_without_a_traceback(
    world: None, line: list[str], told: str, tmp_path: Path
) -> None:
    environment = Stack(tmp_path, redis_number=13).environment
    command = [sys.executable, "manage.py", *line]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert told in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
