"""Copies on this machine go with the process that made them, also when it is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from downstream.engines import scratch

_DIES = """
import sys, time
from downstream.engines import scratch
place = scratch.place("test", shared=sys.argv[1])
(place / "copy").write_text("m_alice")
print(place, flush=True)
time.sleep(60)
"""


def another(root: Path, *, shared: bool = False) -> tuple["subprocess.Popen[str]", Path]:
    """Another process, and its place with a copy in it."""
    process = subprocess.Popen(
        [sys.executable, "-c", _DIES, str(root) if shared else ""],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, scratch.SCRATCH: str(root), "PYTHONPATH": os.getcwd()},
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def end(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("shared", [True, False])
def test_what_a_killed_process_left_goes_and_what_a_living_one_needs_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    monkeypatch.setenv(scratch.SCRATCH, str(tmp_path))
    (killed, theirs), (living, stays) = another(tmp_path, shared=shared), another(tmp_path, shared=shared)
    try:
        end(killed)
        assert (theirs / "copy").exists()
        mine = scratch.place("test", shared=str(tmp_path) if shared else "")
        assert mine.is_dir()
        assert not theirs.parent.exists()
        assert (stays / "copy").read_text() == "m_alice"
        assert mine.stat().st_mode & 0o077 == 0
    finally:
        end(living)
    again = scratch.place("test", shared=str(tmp_path) if shared else "")
    assert not stays.exists()
    assert mine.parent == again.parent


def test_of_another_machine_nothing_is_taken_from_a_shared_folder(tmp_path: Path) -> None:
    other = tmp_path / "heed-scratch-otherhost-x"
    other.mkdir()
    (other / "lock").touch()
    scratch.place("test", shared=str(tmp_path))
    assert other.exists()
    scratch.sweep(tmp_path)
    assert not other.exists()


def test_a_folder_that_was_half_made_is_no_error_and_a_file_of_that_name_stays(tmp_path: Path) -> None:
    (tmp_path / "heed-scratch-empty").mkdir()
    (tmp_path / "heed-scratch-full").mkdir()
    (tmp_path / "heed-scratch-full" / "x").touch()
    (tmp_path / "heed-scratch-file").touch()
    scratch.sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["heed-scratch-file", "heed-scratch-full"]
