"""`manage.py recompute_deadlines`: reckon the days of every open request anew, as beat does every hour."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal import clock
from portal.errors import DomainError
from requests_app import legal_clock


class Command(BaseCommand):
    help = "Reckon the due dates of all open requests under their frozen rules; each that moves is on its timeline."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = legal_clock.recompute_all(at=clock.now())
        except DomainError as error:
            raise CommandError(
                f"The others are done; one could not be reckoned (see the log): {error.message}"
            ) from error
        self.stdout.write("1 due date moved." if count == 1 else f"{count:,} due dates moved.")
