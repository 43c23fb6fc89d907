"""Building one person's answer package: read their rows, write them three times into an encrypted ZIP, in flat memory.

The floor is a plain ZIP: the same content of the same files, already at hand, deflated at the same level into a file
that is not encrypted. Memory is the peak of the building process, beside that of one that builds a package of a
single row.
"""

import base64
import json
import multiprocessing
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tests.load.bench import Row, Scale

if TYPE_CHECKING:
    from requests_app.models import Package

_FULL_ROWS = 420_000
_TEXT_BYTES = 1_650
"""Of each row's text before base64; it hardly compresses, so that the package is as large as its rows are."""
_FILES, _OTHERS = 20, 3
"""Parquet files; and of four rows one is somebody else's, which has to be read past."""


def run(scale: Scale) -> Iterator[Row]:
    from django.conf import settings

    from consents import rules
    from tests.conftest import AT, BY, WORLD, dataset_of, person

    with TemporaryDirectory(prefix="heed-packages-") as folder:
        home = Path(folder)
        settings.FILES_DIR = home / "files"
        rules.load(path=WORLD, by=BY, at=AT.replace(month=1, day=1))
        small, large = person("small"), person("large")
        dataset_of(_filled(home / "small", "m_small", 1, 1), slug="small")
        _, first = _built(small, home)
        dataset_of(_filled(home / "large", "m_large", scale.of(_FULL_ROWS), _FILES), slug="large")
        package, second = _built(large, home)
        content, seconds = _floor(package, home / "plain.zip")
        size = (package.size or 0) / 1e6
        # of our own processor: seconds on the wall depend on who else is at work
        ours = content / 1e6 / (second["cpu_seconds"] - first["cpu_seconds"])
        yield _row(package, ours, content / 1e6 / seconds)
        yield Row(
            what="peak memory of the builder",
            size=f"{size:,.0f} MB package",
            unit="MiB",
            ours=second["peak_mib"],
            floor=first["peak_mib"],
            floor_is="a package of one row",
            more_is_better=False,
            target="flat",
            note=f"{content / 1e6:,.0f} MB of content in {second['seconds']:,.0f} s",
        )


def _row(package: "Package", ours: float, floor: float) -> Row:
    rows = sum(part["rows"] for part in package.parts)
    return Row(
        what="build an answer package",
        size=f"{rows:,} rows, {(package.size or 0) / 1e6:,.0f} MB",
        unit="MB of content a CPU second",
        ours=ours,
        floor=floor,
        floor_is="plain ZIP of the same content",
        more_is_better=True,
        target="–",
    )


def _built(subject: Any, home: Path) -> tuple["Package", dict[str, float]]:
    """Built by a process of its own, which says how long it took and how much memory."""
    from portal import clock
    from requests_app import packages
    from tests.conftest import BY
    from tests.requests_app.asking import asked
    from tests.stack import Stack

    (request,) = asked(subject, "access")
    package = packages.ask(request=request, by=BY, at=clock.now())
    environment = {
        **Stack(home, redis_number=12).environment,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "HEED_FILES": str(home / "files"),
    }
    command = [sys.executable, "-m", "tests.requests_app.packages.a_builder"]
    said = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout
    package.refresh_from_db()
    assert package.status == "review", package.last_reason
    return package, json.loads(said)


def _filled(folder: Path, author: str, rows: int, files: int) -> Path:
    """Files with so many rows of the author, written by a process of its own: its memory is not ours."""
    work = multiprocessing.get_context("fork").Process(target=_fill, args=(folder, author, rows, files))
    work.start()
    work.join()
    assert work.exitcode == 0
    return folder


def _fill(folder: Path, author: str, rows: int, files: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True)
    each = max(rows // files, 1)
    for number in range(files):
        authors = [author if row % (_OTHERS + 1) else "m_somebody" for row in range(each * (_OTHERS + 1) // _OTHERS)]
        authors = authors if rows > 1 else [author]
        table = {
            "author": authors,
            "number": range(number * len(authors), (number + 1) * len(authors)),
            "text": [base64.b64encode(os.urandom(_TEXT_BYTES)).decode() for _ in authors],
        }
        pq.write_table(pa.table(table), folder / f"part-{number}.parquet", row_group_size=2_000, compression="none")


def _floor(package: "Package", path: Path) -> tuple[int, float]:
    """(bytes of content, CPU seconds to write them into a plain ZIP); reading them is not counted."""
    from portal import sealed_files
    from requests_app.packages import building
    from requests_app.packages.spooling import KIND

    key = building.key_of(package)
    assert key is not None
    with path.open("wb") as file:
        for chunk in sealed_files.read(sealed_files.path_of(KIND, package.pk), key=key):
            file.write(chunk)
    content, seconds = 0, 0.0
    target = path.with_name("floor.zip")
    with zipfile.ZipFile(path) as ours, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as plain:
        for name in ours.namelist():
            with ours.open(name) as source, plain.open(name, "w", force_zip64=True) as written:
                while piece := source.read(1 << 20):
                    start = time.process_time()
                    written.write(piece)
                    seconds += time.process_time() - start
                    content += len(piece)
    target.unlink()
    return content, seconds
