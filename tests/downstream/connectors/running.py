"""A run of a connector in a process of its own, as a worker makes it: for tests that kill it or take things away.

`python -m tests.downstream.connectors.running FOLDER RECORD [forbid|full] [KIND]` removes m_alice. RECORD gets the
staged unit before it is committed, as the table of units would. With `forbid` root loses its power over
permissions, with `full` no file may grow beyond a few bytes. A refusal is printed as JSON.
"""

import ctypes
import json
import os
import resource
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from downstream.connectors import open_connector
from downstream.connectors.base import ConnectorError
from downstream.engines import embedded

assert embedded  # imported now, because nothing can be imported once permissions are gone
ROOM = 2_000
KEYS = {"m_alice"}


def place(folder: Path) -> tuple[str, str, str, dict[str, Any]]:
    """How the connector is opened to what lies in the folder: a table by its log, or else Parquet files."""
    if (folder / "_delta_log").is_dir():
        return "delta_table", str(folder), "person", {}
    if (folder / "catalog.db").exists():
        options = {"catalog": {"type": "sql", "uri": f"sqlite:///{folder}/catalog.db", "warehouse": f"file://{folder}"}}
        return "iceberg_table", "social.posts", "person", options
    return "parquet_folder", str(folder), "person", {}


def run(folder: Path, record: Path, *how: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Start it and wait for its end, however it comes."""
    command = [sys.executable, "-m", "tests.downstream.connectors.running", str(folder), str(record), *how]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False
    )


def refusal(folder: Path, record: Path, how: str) -> dict[str, Any]:
    """How the run was refused."""
    done = run(folder, record, how)
    assert done.returncode == 3, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _forbid() -> None:
    """Give up all capabilities, so that permissions bind root as they bind everybody."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    none = (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, none):
        raise OSError(ctypes.get_errno(), "capset")


def _fill() -> None:
    # Python ignores the signal that comes with it, so that writing fails as it does on a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, ROOM))


def main(folder: str, record: str, how: str = "", kind: str = "") -> int:
    connector = open_connector(kind, folder, "person", {}) if kind else open_connector(*place(Path(folder)))
    {"": lambda: None, "forbid": _forbid, "full": _fill}[how]()
    try:
        connector.sweep()
        for finding in connector.find(KEYS):
            staged = connector.stage(finding, KEYS, token="run-1")
            Path(record).write_text(json.dumps(asdict(staged)))
            connector.commit(staged, fence=lambda: None)
    except ConnectorError as error:
        print(json.dumps({"code": error.code, "message": error.message, "permanent": error.permanent}))
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
