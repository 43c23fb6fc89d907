"""`python -m portal.embedded status` says what runs, and fails if nothing does; `stop` ends it."""

import argparse
import sys
from pathlib import Path

from . import data_folder, status, stop


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m portal.embedded", description=__doc__)
    parser.add_argument("command", choices=("status", "stop"))
    parser.add_argument("--data", type=Path, default=data_folder(), help="default: HEED_DATA, or .heed here")
    asked = parser.parse_args()
    if asked.command == "stop":
        stop(data=asked.data)
    found = status(data=asked.data)
    for name, pid in found.items():
        print(f"{name}: {'not running' if pid is None else f'process {pid}'}")
    return 0 if asked.command == "stop" or any(found.values()) else 1


sys.exit(main())
