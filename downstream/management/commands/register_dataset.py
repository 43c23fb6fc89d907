"""`manage.py register_dataset SLUG PATH …`: take a dataset in."""

import json
from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from consents import sequencer
from downstream import leaving, registry, statements
from downstream.models import Dataset, KeyHash
from portal import actors, clock
from portal.errors import DomainError


class Command(BaseCommand):
    help = (
        "Register a dataset. From then on whoever may not be in it is taken out, beginning with the people "
        "whose data may not be used today: see how many with --dry-run."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("location", help="The folder, table or address of the data, as its kind says")
        parser.add_argument("--name", help="What staff call it (default: the slug)")
        parser.add_argument("--public-name", default="", help="What people see it called")
        parser.add_argument("--kind", default="parquet_folder")
        parser.add_argument("--key-column", required=True, help="The column that names the person")
        parser.add_argument("--key-scheme", default="account", help="The identifier scheme of that column")
        parser.add_argument(
            "--key-hash", default="", choices=["", *KeyHash.values], help="How that column hides the identifiers"
        )
        parser.add_argument(
            "--key-secret-file", help="A file with the hashes' key or salt; without it one is made and shown once"
        )
        parser.add_argument("--purpose", action="append", default=[], dest="purposes", help="May be given repeatedly")
        parser.add_argument("--owner", required=True, help="The recipient that owns it")
        parser.add_argument(
            "--created-column",
            default="",
            help="The column that says when a row was made: a timestamp, a date or ISO 8601 text",
        )
        parser.add_argument("--category", default="", help="The kind of data; empty where it is mixed")
        parser.add_argument("--deadline-hours", type=int, default=24)
        parser.add_argument(
            "--window-minutes", type=int, default=0, help="Gather what is said for so long, and carry it out in one run"
        )
        parser.add_argument("--content-usage-column", default="", help="Rows' own AIPREF statement, if they have one")
        parser.add_argument("--tdm-reservation-column", default="", help="Rows' own TDMRep reservation, likewise")
        parser.add_argument(
            "--option",
            action="append",
            default=[],
            dest="connector_options",
            metavar="NAME=VALUE",
            help="What the kind has to know besides; the value is JSON, or else text. May be given repeatedly",
        )
        parser.add_argument("--dry-run", action="store_true", help="Check everything and say what would happen")

    def handle(self, *args: Any, **options: Any) -> None:
        registration = registry.Registration(
            slug=options["slug"],
            name=options["name"] or options["slug"],
            public_name=options["public_name"],
            location=options["location"],
            kind=options["kind"],
            key_column=options["key_column"],
            key_scheme=options["key_scheme"],
            purposes=tuple(options["purposes"]),
            owner=options["owner"],
            category=options["category"],
            deadline_hours=options["deadline_hours"],
            window_minutes=options["window_minutes"],
            content_usage_column=options["content_usage_column"],
            tdm_reservation_column=options["tdm_reservation_column"],
            created_column=options["created_column"],
            connector_options=dict(_option(given) for given in options["connector_options"]),
            key_hash=options["key_hash"],
            key_secret=self._secret(options),
        )
        at = clock.now()
        try:
            described = registry.check(registration)
            dataset = registry.unsaved(registration, described, at=at)
            sequencer.advance(at=at)
            self._say(dataset, at=at)
            if not options["dry_run"]:
                by = actors.command("register_dataset")
                statements.refresh(dataset=registry.register(registration=registration, by=by, at=at), at=at)
                self.stdout.write(f"Registered {registration.slug}.")
                if registration.key_hash and not options["key_secret_file"]:
                    self.stdout.write(f"Secret of its key hashes, not shown again: {registration.key_secret}")
        except DomainError as error:
            raise CommandError(error.message) from error

    def _secret(self, options: dict[str, Any]) -> str:
        """Out of a file, because other users of the machine can read the words of a command."""
        if options["key_secret_file"]:
            try:
                return Path(options["key_secret_file"]).read_text().strip()
            except (OSError, UnicodeDecodeError) as error:
                raise CommandError("The file of the secret cannot be read.") from error
        return registry.new_secret() if options["key_hash"] else ""

    def _say(self, dataset: Dataset, *, at: datetime) -> None:
        going = leaving.people(dataset, after=0, until=sequencer.head(), at=at)
        in_part = sum(bool(spans) for spans in going.values())
        self.stdout.write(
            f"{dataset.row_count} rows in {dataset.file_count} files. Of all people, {len(going) - in_part} may not "
            "be in it today; the first propagation removes their rows for good."
        )
        if in_part and dataset.created_column:
            self.stdout.write(f"Of {in_part} more it removes the rows made in the spans that holds name.")
        elif in_part:
            self.stdout.write(
                f"Of {in_part} more, holds want the rows of a span of time removed, and the dataset does not say when "
                "its rows were made: name it with --created-column."
            )


def _option(given: str) -> tuple[str, Any]:
    name, equals, value = given.partition("=")
    if not (name and equals):
        raise CommandError("An option is given as NAME=VALUE.")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value
