"""`manage.py propagate [SLUG] [--wait]`: plan what is behind now, and perhaps wait until it is verified."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from consents import sequencer
from downstream import propagation
from downstream.models import Dataset
from downstream.propagation_states import Status
from portal import clock


class Command(BaseCommand):
    help = "Plan what is behind the log now; with --wait, until the workers have verified it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", nargs="?", help="One dataset; all if absent")
        parser.add_argument("--wait", action="store_true")
        parser.add_argument("--timeout", type=float, default=600.0, help="Seconds to wait at most")

    def handle(self, *args: Any, **options: Any) -> None:
        datasets = Dataset.objects.living()
        if options["slug"]:
            datasets = datasets.filter(slug=options["slug"])
            if not datasets.exists():
                raise CommandError(f"No dataset is registered as {options['slug']}.")
        sequencer.advance(at=clock.now())
        head = sequencer.head()
        propagation.plan(at=clock.now(), gathers=False)
        if options["wait"]:
            self._wait(list(datasets.values_list("pk", flat=True)), head, options["timeout"])

    def _wait(self, ids: list[int], head: int, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while behind := list(Dataset.objects.filter(pk__in=ids, position__lt=head)):
            for dataset in behind:
                current = dataset.propagations.open().first()
                if current and current.status == Status.STOPPED:
                    raise CommandError(f"{dataset.slug} stopped: {current.reason}")
            if time.monotonic() > deadline:
                names = ", ".join(dataset.slug for dataset in behind)
                raise CommandError(f"Still behind after {timeout:.0f} s: {names}. Is a worker running?")
            time.sleep(0.2)
        self.stdout.write(f"Verified up to position {head}.")
