"""What benchmarks are written with: a floor measured in the same run, medians, and the ratio between them.

A benchmark is a module `tests/load/bench_<name>.py` with a docstring that says what is measured and against which
floor, and a function `run(scale: Scale) -> Iterator[Row]`. It starts with Django set up and an empty, migrated database
of its own, sends traffic only to this machine, is bounded in count and time, and ends by itself.
`make bench` runs all, `ONLY=name` one, `FULL=1` at full size.
"""

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import django


@dataclass(frozen=True)
class Scale:
    """How large: a tenth by default, `FULL=1` for all of it."""

    full: bool

    def of(self, full_size: int) -> int:
        return full_size if self.full else full_size // 10


@dataclass(frozen=True)
class Row:
    """One line of the table: medians of our way and of the floor, in the same unit."""

    what: str
    size: str
    unit: str
    ours: float
    floor: float
    floor_is: str
    more_is_better: bool
    target: str
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours to the floor; above 1 is faster than the floor where more is better, slower otherwise."""
        return self.ours / self.floor if self.floor else float("nan")


def median_seconds(act: Callable[[], object], *, times: int = 3, before: Callable[[], object] | None = None) -> float:
    """Median wall-clock seconds of `act`; `before` runs untimed ahead of each."""
    taken = []
    for _ in range(times):
        if before is not None:
            before()
        start = time.perf_counter()
        act()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def cpu_seconds(pids: list[int]) -> float:
    """User and system time that these processes have used so far (Linux)."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def own_house(name: str) -> Iterator[Path]:
    """Set Django up on engines and a migrated database of this benchmark's own; gone afterwards. Answers the folder."""
    root = Path(__file__).parents[2]
    os.environ["HEED_DATA"] = str(root / ".heed" / "bench")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    from django.db import connection

    connection.settings_dict["TEST"]["NAME"] = f"bench_{name}"
    before = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    with tempfile.TemporaryDirectory(prefix="heed-bench-") as folder:
        try:
            yield Path(folder)
        finally:
            connection.creation.destroy_test_db(before, verbosity=0)


def peak_mib(pid: int | str = "self") -> float:
    """Peak resident memory of a process in MiB (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def machine() -> str:
    """The processor, how many of it, and how busy it was at the start."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    busy = os.getloadavg()[0]
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, load {busy:.1f} at the start"
