"""`manage.py import_requests FILE.csv`: take requests in from another system's file."""

import csv
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal import actors, clock
from portal.errors import DomainError, NoRoom
from requests_app import importing
from requests_app.models import RequestImport

_HELP = """Take requests in from a CSV file with the columns reference, received_on, rights, scheme, identifier, and
perhaps jurisdiction, channel, capacity, requester_name, requester_contact, note, purposes, shown, locale, purposes of
one right (purposes_objection, …), and what is to be corrected (correct_what, correct_wrong, correct_right; a further
thing correct_what_2, …); see docs/import-requests.md. A line whose reference was taken in before is passed over, so the
same file may be run again. Ends with 1 when lines were refused."""
_PART = 1 << 20


class Command(BaseCommand):
    help = _HELP

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="only say what would be refused")
        parser.add_argument("--refused", type=Path, help="write line, column, code and reason of each to this CSV")

    def handle(self, *args: Any, **options: Any) -> None:
        by = actors.command("import_requests")
        try:
            one = importing.check(name=options["file"].name, parts=_parts(options["file"]), by=by, at=clock.now())
            if options["dry_run"]:
                importing.drop(one=one, by=by, at=clock.now())
                self.stdout.write("Nothing was taken in: this was a dry run.")
            else:
                one = importing.approve(one=one, by=by, at=clock.now())
                one = importing.take_in(one=one, clock=clock.now, tell=self._tell)
        except (DomainError, NoRoom) as error:
            raise CommandError(error.message) from error
        except OSError as error:
            raise CommandError(f"{options['file'].name} cannot be read: {error.strerror}.") from error
        self._sum_up(one, options["refused"])
        if one.refused:
            sys.exit(1)

    def _tell(self, one: RequestImport) -> None:
        self.stdout.write(f"{one.rows_done:,} of {one.rows:,} rows")

    def _sum_up(self, one: RequestImport, refused: Path | None) -> None:
        for why in one.refusals.all()[:100]:
            self.stdout.write(f"  line {why.line}{f', {why.column}' if why.column else ''}: {why.code}: {why.message}")
        self.stdout.write(
            f"{one.rows:,} rows: {one.accepted:,} taken in, {one.repeated:,} known already, {one.refused:,} refused."
        )
        if refused is not None:
            with refused.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(importing.report(one))


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(_PART):
            yield part
