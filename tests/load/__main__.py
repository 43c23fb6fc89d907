"""`python -m tests.load`: run the benchmarks and print their tables; see `tests.load.bench`.

Each runs in a process of its own, so that no peak of memory or warm cache of one is another's. With RECORD=1
the tables also go to docs/performance/<name>.md, with the machine and the command.
"""

import importlib
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.load.bench import Row, Scale, machine, own_house

HERE = Path(__file__).parent
RECORDS = HERE.parents[1] / "docs" / "performance"
NAMES = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def main() -> int:
    asked = os.environ.get("ONLY", "")
    wanted = [one for one in asked.split(",") if one] or NAMES
    unknown = [one for one in wanted if one not in NAMES]
    if unknown:
        print(f"No benchmark {unknown[0]!r}; there are: {', '.join(NAMES)}.")
        return 2
    if len(sys.argv) == 2:
        measure(sys.argv[1])
        return 0
    codes = [subprocess.run([sys.executable, "-m", "tests.load", one], check=False).returncode for one in wanted]
    failed = [one for one, code in zip(wanted, codes, strict=True) if code]
    print(
        f"\n{len(wanted) - len(failed)} benchmarks ran, {len(failed)} failed{': ' if failed else ''}{', '.join(failed)}"
    )
    return 1 if failed else 0


def measure(name: str) -> None:
    scale = Scale(full=os.environ.get("FULL", "") not in {"", "0"})
    with own_house(name):
        _table(name, scale)


def _table(name: str, scale: Scale) -> None:
    module = importlib.import_module(f"tests.load.bench_{name}")
    command = f"{'FULL=1 ' if scale.full else ''}ONLY={name} make bench"
    head = [f"# {name.replace('_', ' ').capitalize()}", "", (module.__doc__ or "").strip(), ""]
    head += [f"`{command}` on {datetime.now(UTC).date().isoformat()}: {machine()}.", "", *TABLE]
    print("\n".join(["", *head]), flush=True)
    lines = []
    for row in module.run(scale):
        lines.append(line(row))
        print(lines[-1], flush=True)
    if os.environ.get("RECORD", "") not in {"", "0"}:
        RECORDS.mkdir(parents=True, exist_ok=True)
        (RECORDS / f"{name}.md").write_text("\n".join([*head, *lines, ""]))


TABLE = [
    "| what | size | Heed (median) | floor (median) | floor | ratio | target | note |",
    "|---|---|---|---|---|---|---|---|",
]


def line(row: Row) -> str:
    ours, floor = f"{shown(row.ours)} {row.unit}", f"{shown(row.floor)} {row.unit}"
    better = "more is better" if row.more_is_better else "less is better"
    return (
        f"| {row.what} | {row.size} | {ours} | {floor} | {row.floor_is} |"
        f" **{row.ratio:.2f}** ({better}) | {row.target} | {row.note} |"
    )


def shown(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


if __name__ == "__main__":
    sys.exit(main())
