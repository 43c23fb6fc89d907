"""`manage.py snapshot_decisions`: read everybody anew for bulk decisions."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from consents.bulk_decisions import keeping
from consents.vocabulary import CONTACT_SCHEMES, Scheme


class Command(BaseCommand):
    help = (
        "Build the snapshot that bulk decisions answer from, and keep it under HEED_DATA for every process of this"
        " machine. Needed after a large import or once a week; without it the first question builds one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--scheme", default=Scheme.ACCOUNT.value, help="What people are named by (account)")

    def handle(self, *args: Any, **options: Any) -> None:
        scheme: str = options["scheme"]
        if scheme in CONTACT_SCHEMES:
            raise CommandError("Addresses are kept sealed and in no snapshot; they are answered one batch at a time.")
        snapshot = keeping.rebuild(scheme)
        if not snapshot.position:
            raise CommandError("The log is empty as yet; load rules, start the worker and beat, and try again.")
        self.stdout.write(f"{snapshot.size - 1} people by {scheme}, at position {snapshot.position}.")
