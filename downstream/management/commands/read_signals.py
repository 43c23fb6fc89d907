"""`manage.py read_signals DATASET`: count what a dataset's rows say themselves about training."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from downstream import statements
from downstream.models import Dataset
from portal import actors, clock
from portal.errors import DomainError


class Command(BaseCommand):
    help = "Read the columns in which a dataset's rows say how they may be used (AIPREF, TDMRep), and keep the counts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")

    def handle(self, *args: Any, **options: Any) -> None:
        dataset = Dataset.objects.living().filter(slug=options["slug"]).first()
        if dataset is None:
            raise CommandError(f"No dataset is registered as {options['slug']}.")
        try:
            found = statements.read(dataset=dataset, by=actors.command("read_signals"), at=clock.now())
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(
            f"{found.rows} rows: {found.disallowed} say no to training, {found.disallowed_of_yes} of them of people "
            f"who said yes; {found.allowed} allow it, {found.silent} say nothing, {found.unknown} cannot be read."
        )
        for words, rows in found.values.items():
            self.stdout.write(f"{rows:>12}  {words}")
        if statements.still_there(dataset):
            self.stderr.write(f"{found.disallowed} rows say no by themselves and are still there.")
