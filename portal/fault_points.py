"""Named places in the crash-safe protocol where a fault test can stop the process dead.

Does nothing unless HEED_FAULTS_ALLOWED=1; no deployment sets it. HEED_FAULT_POINT names the place
(`commit.before_rename`, or `commit.before_rename:3` for the third time it is reached). The process then kills
itself with SIGKILL, or, where HEED_FAULT_WAIT names a path, writes `<path>.reached` and waits until `<path>` exists.
"""

import os
import signal
import time
from collections import Counter
from pathlib import Path

_reached: Counter[str] = Counter()


def reach(name: str) -> None:
    """Say that this place is reached; returns at once unless a fault test asked for it."""
    if os.environ.get("HEED_FAULTS_ALLOWED") != "1":
        return
    wanted, _, nth = os.environ.get("HEED_FAULT_POINT", "").partition(":")
    if name != wanted:
        return
    _reached[name] += 1
    if _reached[name] != int(nth or 1):
        return
    gate = os.environ.get("HEED_FAULT_WAIT")
    if gate is None:
        os.kill(os.getpid(), signal.SIGKILL)
        return
    Path(f"{gate}.reached").touch()
    while not Path(gate).exists():
        time.sleep(0.02)
