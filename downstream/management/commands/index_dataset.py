"""`manage.py index_dataset SLUG [--rebuild]`: make a dataset's subject index on this machine, and say what it holds."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from downstream import registry
from downstream.connectors.base import Indexed
from downstream.models import Dataset
from portal.errors import DomainError


class Command(BaseCommand):
    help = (
        "Bring the subject index of a dataset up to date on this machine, before the first removal has to, and say "
        "what it holds. Workers do so by themselves; nothing is lost by deleting it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--rebuild", action="store_true", help="Make it anew from nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        dataset = Dataset.objects.living().filter(slug=options["slug"]).first()
        if dataset is None:
            raise CommandError(f"No dataset {options['slug']} is registered.")
        try:
            connector = registry.connect(dataset)
            held = connector.index_holdings(rebuild=options["rebuild"]) if isinstance(connector, Indexed) else None
        except DomainError as error:
            raise CommandError(error.message) from error
        if held is None:
            self.stdout.write(f"{dataset.slug} has no index: it is looked at whole, which costs no more.")
            return
        self.stdout.write(
            f"{dataset.slug}: {held.files} files in {held.groups} row groups, {held.entries} keys of groups in "
            f"{held.size} bytes; {held.built} files were read just now."
        )
        if held.files < held.asked:
            self.stderr.write(f"{held.asked - held.files} files could not be read or indexed; runs look at them whole.")
