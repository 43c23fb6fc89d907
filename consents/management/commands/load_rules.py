"""`manage.py load_rules 2024-09`: bring a rulebook."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from consents import rules
from portal import actors, clock
from portal.errors import DomainError


class Command(BaseCommand):
    help = "Bring a rulebook: recipients, purposes, notices and rules. What stands already is left as it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("rulebook", help="A shipped one by its date, such as 2024-09, or a path to a TOML file")

    def handle(self, *args: Any, **options: Any) -> None:
        named: str = options["rulebook"]
        path = Path(named) if named.endswith(".toml") else rules.RULEBOOKS / f"{named}.toml"
        try:
            enacted = rules.load(path=path, by=actors.command("load_rules"), at=clock.now())
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{enacted} rules enacted.")
