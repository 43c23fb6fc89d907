"""`manage.py name_created_column SLUG COLUMN`: say when a dataset's rows were made."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from downstream import registry
from downstream.models import Dataset
from portal import actors, clock
from portal.errors import DomainError


class Command(BaseCommand):
    help = (
        "Say which column of a registered dataset tells when a row was made. Holds over a span of data that could "
        "not be carried out there before are carried out then."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("column", help="A timestamp (UTC where it has no zone), a date or ISO 8601 text")

    def handle(self, *args: Any, **options: Any) -> None:
        dataset = Dataset.objects.living().filter(slug=options["slug"]).first()
        if dataset is None:
            raise CommandError(f"No dataset {options['slug']} is registered.")
        try:
            registry.name_created_column(
                dataset=dataset, column=options["column"], by=actors.command("name_created_column"), at=clock.now()
            )
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{dataset.slug}: {options['column']} tells when a row was made.")
