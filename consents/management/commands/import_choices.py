"""`manage.py import_choices FILE`: take choices over from a file of any size, resumable by running it again."""

import csv
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from consents.importing import files
from consents.importing.files import Course
from consents.models import ChoiceImport
from portal import actors, clock
from portal.errors import DomainError

_HELP = """Take choices over from a CSV, NDJSON or Parquet file with the columns scheme, value, purpose, action,
occurred_at, and perhaps recipient, category, notice, evidence, key, is_minor. Run it again with the same file after
a crash: it goes on where it was left. Ends with 0 when every row was recorded or known already, with 1 when rows
were rejected or the file could not be read to its end."""


class Command(BaseCommand):
    help = _HELP

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--format", choices=files.FORMATS, help="instead of what the file's name ends with")
        parser.add_argument(
            "--chunk", type=int, default=files.CHUNK, help="rows of one transaction (default: %(default)s)"
        )
        parser.add_argument("--rejects", type=Path, help="write line, code and reason of each rejected row to this CSV")
        parser.add_argument("--again", action="store_true", help="read a file anew that was imported already")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["chunk"] < 1:
            raise CommandError("A chunk has at least one row.")
        begun = clock.now()
        course = Course(
            by=actors.command("import_choices"), clock=clock.now, size=options["chunk"], tell=_Progress(self.stdout)
        )
        try:
            one = files.load(path=options["file"], course=course, form=options["format"], again=options["again"])
        except DomainError as error:
            raise CommandError(error.message) from error
        if options["rejects"] is not None:
            _write(one, options["rejects"])
        if one.finished_at and one.finished_at < begun:
            self.stdout.write("This file was imported already, and nothing was read; --again reads it anew.")
        self._sum_up(one)
        if one.rejected:
            sys.exit(1)

    def _sum_up(self, one: ChoiceImport) -> None:
        finished = f"{one.finished_at:%Y-%m-%d %H:%M}" if one.finished_at else ""
        self.stdout.write(
            f"{one.accepted:,} choices recorded, {one.repeated:,} known already, {one.rejected:,} rows rejected,"
            f" {one.amended:,} minors' flags changed (import {one.pk}, finished {finished} UTC)."
        )
        counts: dict[str, int] = {}
        for code in one.rejections.values_list("code", flat=True).iterator():
            counts[code] = counts.get(code, 0) + 1
        for code, count in sorted(counts.items()):
            self.stdout.write(f"  {code}: {count:,}")


class _Progress:
    """A line after each chunk: rows, rate of this run, share of the file, estimate of the rest."""

    def __init__(self, out: Any) -> None:
        self.out = out
        self.begun = time.monotonic()
        self.first: tuple[int, int] | None = None

    def __call__(self, one: ChoiceImport) -> None:
        if self.first is None:
            # what an earlier run did is not of this run's rate
            self.first = (one.rows_done, one.percent)
        seconds = max(time.monotonic() - self.begun, 1e-6)
        line = f"{one.rows_done:,} rows, {one.percent} %"
        rows, percent = one.rows_done - self.first[0], one.percent - self.first[1]
        if rows:
            line += f", {rows / seconds:,.0f} rows/s"
        else:
            # the first chunk starts the watch
            self.begun = time.monotonic()
        if percent:
            left = round(seconds * (100 - one.percent) / percent)
            line += f", about {left // 60}:{left % 60:02d} left"
        self.out.write(line)


def _write(one: ChoiceImport, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["line", "code", "message"])
        writer.writerows(one.rejections.order_by("line").values_list("line", "code", "message").iterator())
