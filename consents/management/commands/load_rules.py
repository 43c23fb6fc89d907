"""`manage.py load_rules 2025-11`: bring a rulebook."""

from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from consents import rules
from portal import actors, clock
from portal.errors import DomainError

_WORDS = {
    "new": "new",
    "changed": "changed",
    "left": "left as it stands",
    "differs": "stands with other words and was left; enact a new version instead",
}


class Command(BaseCommand):
    help = (
        "Bring a rulebook: recipients, purposes, notices and rules. What stands already is left as it is, so a book "
        "may be brought again, and books in any order. Lists what became of each entry."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "rulebook", nargs="?", help="A shipped one by its date, such as 2025-11, or a path to a TOML file"
        )
        parser.add_argument("--list", action="store_true", dest="list", help="Name the shipped rulebooks and end")

    def handle(self, *args: Any, **options: Any) -> None:
        named: str | None = options["rulebook"]
        if options["list"]:
            self.stdout.write("\n".join(rules.shipped()))
            return
        if named is None:
            raise CommandError(f"Name a rulebook: {', '.join(rules.shipped())}, or a path to a TOML file.")
        path = Path(named) if named.endswith(".toml") else rules.RULEBOOKS / f"{named}.toml"
        try:
            brought = rules.bring(path=path, by=actors.command("load_rules"), at=clock.now())
        except DomainError as error:
            raise CommandError(error.message) from error
        for one in brought:
            self.stdout.write(f"{one.section} {one.name}: {_WORDS[one.outcome]}")
        counts = Counter(one.outcome for one in brought if one.section == "rule")
        self.stdout.write(f"{counts['new']} rules enacted, {counts['left'] + counts['differs']} left.")
