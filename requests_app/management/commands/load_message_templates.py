"""`manage.py load_message_templates`: bring the texts that staff begin their messages with."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal import actors, clock
from portal.errors import DomainError
from requests_app import message_templates


class Command(BaseCommand):
    help = (
        "Bring the texts that staff begin their messages with, wherever there is none of that name and language yet. "
        "What somebody wrote or retired stays as it is, so this may be done again after every release."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, default=message_templates.SHIPPED, help="A TOML file")

    def handle(self, *args: Any, **options: Any) -> None:
        by = actors.command("load_message_templates")
        try:
            new = message_templates.load(path=options["file"], by=by, at=clock.now())
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{len(new)} texts brought.")
