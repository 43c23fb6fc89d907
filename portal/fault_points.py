"""Named places in the crash-safe protocol where a fault test can stop the process dead.

Does nothing unless HEED_FAULTS_ALLOWED=1; no deployment sets it. HEED_FAULT_POINT names the place
(`commit.before_rename`, or `commit.before_rename:3` for the third time it is reached). The process then kills
itself with SIGKILL, or, where HEED_FAULT_WAIT names a path, writes `<path>.reached` and waits until `<path>` exists.
"""

import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path

POINTS = {
    "stage.before_write": "a unit was found; nothing of its new version is written",
    "stage.after_write": "the new version is written, not yet on disk for good and not compared",
    "stage.after_fsync": "the new version is on disk beside the old one, not yet compared",
    "commit.before_rename": "the fence is passed and the unit written down; the old version is in place",
    "commit.after_announcement": "what lies beside saved data says that its data is being swapped",
    "commit.after_rename": "the new version is in place, but a loss of power may undo it",
    "commit.after_dirsync": "the new version is in place for good; the database does not know it",
    "commit.before_finish": "the data is new; what lies beside it still speaks of the old",
    "index.before_rename": "a segment of the subject index is written, but not in its place",
    "settle.before": "everything was removed and looked for again; the database does not know it",
    "settle.after": "the run is verified; what follows it is not begun",
    "purge.before": "the right to erase old versions is taken; nothing is erased",
    "purge.after": "old versions are erased; nobody has searched for what is left",
    "purge.before_settle": "the search is done; the database does not know it",
    "purge.after_settle": "the purge is on record; its worker does not know it",
    "ask.before": "a request is written down; its holder has not got it",
    "ask.after": "the holder has the request; the database does not know it",
    "import.locked": "a part of an import holds its locks; nothing is recorded",
    "import.recorded": "a part of an import is recorded, not committed",
    "import.before_chunk": "a part of an import is read; nothing of it is written",
    "import.after_chunk": "a part of an import is committed",
    "package.between_parts": "a part of an answer is about to be read; those before it are written",
    "package.before_rename": "an answer is written whole, but it is not in its place",
    "package.after_rename": "an answer is in its place; the database does not know it",
    "import.before_commit": "the journal of an import is written, not committed",
}
"""Every place, and what holds there."""

_reached: Counter[str] = Counter()
_counting = threading.Lock()


def reach(name: str) -> None:
    """Say that this place is reached; returns at once unless a fault test asked for it.

    Raises ValueError where the test asked for a place that there is not: it would wait in vain.
    """
    if os.environ.get("HEED_FAULTS_ALLOWED") != "1":
        return
    wanted, _, nth = os.environ.get("HEED_FAULT_POINT", "").partition(":")
    if wanted and wanted not in POINTS:
        raise ValueError(f"there is no fault point {wanted}")
    if name != wanted:
        return
    # units are staged by several threads
    with _counting:
        _reached[name] += 1
        count = _reached[name]
    if count != int(nth or 1):
        return
    gate = os.environ.get("HEED_FAULT_WAIT")
    if gate is None:
        os.kill(os.getpid(), signal.SIGKILL)
        return
    Path(f"{gate}.reached").touch()
    while not Path(gate).exists():
        time.sleep(0.02)
