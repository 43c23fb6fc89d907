"""`manage.py import_members FILE.csv`: register people from a CSV file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from consents import member_import
from portal import actors, clock
from portal.errors import DomainError


class Command(BaseCommand):
    help = "Register people from a CSV file with the columns author_id, email, jurisdiction (locale, minor if known)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result = member_import.load(path=options["file"], by=actors.command("import_members"), at=clock.now())
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(
            f"{result.registered} people registered, {result.known} were known already or asked to be forgotten."
        )
