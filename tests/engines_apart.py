"""Gives each parallel test process engines of its own; `make unit` names this plugin in PYTEST_PLUGINS.

A database of its own is not enough: the sequencer's horizon is the oldest open transaction of the whole server,
so one process's test would hold back the log of another's. Loaded before Django reads its settings.
"""

import os
from pathlib import Path

from portal import embedded

if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    os.environ["HEED_DATA"] = str(Path(embedded.data_folder(), "tests", worker))
