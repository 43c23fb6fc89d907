"""`manage.py adopt_rulebook`: put today's rulebook on requests that run, by an explicit decision."""

from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal import actors, clock
from requests_app import legal_clock
from requests_app.legal_clock.adopting import Outcome
from requests_app.models import Request


class Command(BaseCommand):
    help = (
        "Put what the rulebook says today on open requests that were received under an older one, each with an entry "
        "on its timeline. Nobody is served worse, unless --force-because says why."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="change nothing; say what would happen")
        parser.add_argument("--jurisdiction", default="", help="only of people who live there, such as GB or US-CA")
        parser.add_argument(
            "--force-because", metavar="REASON", help="also where the person waits longer; kept, sealed"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        because: str | None = options["force_because"]
        if because is not None and not because.strip():
            raise CommandError("--force-because needs a reason.")
        wanted = Request.objects.open().order_by("pk")
        if options["jurisdiction"]:
            wanted = wanted.filter(jurisdiction=options["jurisdiction"].strip().upper())
        requests, at = wanted.iterator(chunk_size=1_000), clock.now()
        if options["dry_run"]:
            found = list(legal_clock.preview_adoption(requests=requests, at=at, forced=bool(because)))
        else:
            by = actors.command("adopt_rulebook")
            found = legal_clock.adopt_rulebook(requests=requests, by=by, at=at, forced_because=because or "")
        for one in found:
            if one.outcome is not Outcome.SAME:
                days = f"{one.before.isoformat()} -> {one.after.isoformat()}"
                self.stdout.write(f"{one.reference}: {days} ({one.outcome.value})")
        counts = Counter(one.outcome.value for one in found)
        self.stdout.write(", ".join(f"{name}: {number:,}" for name, number in sorted(counts.items())) or "none open")
