"""`manage.py verify_log [--against FILE]`: look for edits behind the triggers, over the whole ledger and log."""

import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from consents import log_verification
from consents.log_verification import Report
from portal.errors import DomainError

_EVERY_SECONDS = 5.0


class Command(BaseCommand):
    help = (
        "Verify the ledger against the log, the log's tree, and every checkpoint. Ends with 1 if anything was changed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--against", type=Path, metavar="FILE", help="a checkpoint that somebody else kept")

    def handle(self, *args: Any, **options: Any) -> None:
        self.began = self.told = time.monotonic()
        file: Path | None = options["against"]
        try:
            against = f"{file.read_text(encoding='utf-8').strip()}\n" if file else ""
            report = log_verification.verify(against=against, progress=self._progress)
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{file} cannot be read: {error}") from error
        except DomainError as error:
            raise CommandError(error.message) from error
        self._tell(report, outside=bool(file))
        if report.findings:
            sys.exit(1)

    def _progress(self, done: int, of: int) -> None:
        now = time.monotonic()
        if now - self.told >= _EVERY_SECONDS:
            self.told = now
            self.stderr.write(f"{done:,} of {of:,} leaves, {done / (now - self.began):,.0f}/s")

    def _tell(self, report: Report, *, outside: bool) -> None:
        for finding in report.findings:
            self.stdout.write(f"{finding.code}: {finding.message}")
        unlisted = report.findings.unlisted()
        if unlisted:
            self.stdout.write(f"and {unlisted:,} more.")
        seconds = time.monotonic() - self.began
        rate = f"{seconds:.1f} s, {report.leaves / max(seconds, 0.001):,.0f} leaves/s"
        self.stdout.write(f"{report.leaves:,} leaves and {report.checkpoints:,} checkpoints verified in {rate}.")
        waiting = report.placed - report.leaves
        if waiting > 0:
            self.stdout.write(f"{waiting:,} placed events wait to be sealed.")
        if report.findings:
            total = sum(report.findings.counts.values())
            self.stdout.write(self.style.ERROR(f"NOT INTACT: {total:,} findings."))
        else:
            also = ", and begins with the checkpoint that was kept outside" if outside else ""
            self.stdout.write(self.style.SUCCESS(f"The log is intact{also}."))
