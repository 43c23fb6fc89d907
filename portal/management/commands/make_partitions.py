"""`manage.py make_partitions`: months ahead for the tables that only grow, and strays into theirs."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from portal import clock, partitions


class Command(BaseCommand):
    help = "Make the months that are missing, and move rows of the default partition into their months."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--ahead", type=int, default=partitions.AHEAD, help="months beyond this one")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 <= options["ahead"] <= 120:
            raise CommandError("--ahead is 0 to 120.")
        at = clock.now()
        moved = 0
        for table in partitions.partitioned():
            try:
                moved += partitions.move_strays(table=table, at=at)
            except OperationalError as error:
                raise CommandError(f"Others keep {table} busy; nothing was changed. Run this again.") from error
        made = partitions.make(at=at, ahead=options["ahead"])
        partitions.validate()
        self.stdout.write(f"{len(made)} partitions made, {moved} rows moved into their months.")
        for state in partitions.state(at=at):
            self.stdout.write(f"{state.table}: {state.ahead} months ahead, {state.stray} rows in no month.")
