"""A run on a table in a process of its own, as a worker makes it: for tests that kill it.

`python -m tests.downstream.connectors.running_rows PLACE RECORD` removes m_alice. PLACE is JSON of what opens the
connector; RECORD gets the staged unit in the fence, as the table of units does.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from downstream.connectors import open_connector

KEYS = {"m_alice"}


def run(place: list[Any], record: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Start it and wait for its end, however it comes."""
    command = [sys.executable, "-m", "tests.downstream.connectors.running_rows", json.dumps(place), str(record)]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False
    )


def main(place: str, record: str) -> None:
    connector = open_connector(*json.loads(place))
    connector.sweep()
    for finding in connector.find(KEYS):
        staged = connector.stage(finding, KEYS, token="run-1")
        connector.commit(staged, fence=lambda: Path(record).write_text(json.dumps(asdict(staged))))  # noqa: B023


if __name__ == "__main__":
    main(*sys.argv[1:])
