"""`manage.py demo`: the sample network, running."""

import contextlib
import signal
import time
from argparse import ArgumentParser
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from portal.demo import browsing, drive, people, processes, sample
from portal.demo.sample import PartnerSignIn
from portal.demo_access import StaffSignIn


class Command(BaseCommand):
    help = "Start the sample network: web, worker and beat. With --once, drive one opt-out through it and end."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="Drive one opt-out, then end with 0 or the reason")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.LOCAL:
            raise CommandError("The demo is for try-out installations; HEED_ENV says production.")
        # also where whoever started us in the background had Ctrl-C ignored
        for ending in (signal.SIGINT, signal.SIGTERM):
            signal.signal(ending, _as_interrupt)
        started = time.monotonic()
        self._say("PostgreSQL and Redis are up. Bringing the database up to date …")
        call_command("migrate", verbosity=0)
        self._say("Loading the sample network …")
        staff, partner = sample.load()
        port = processes.free_port(options["port"])
        base = f"http://127.0.0.1:{port}"
        log = Path(settings.DATA_DIR) / "log" / "processes.log" if options["once"] else None
        if log:
            log.parent.mkdir(parents=True, exist_ok=True)
        self._say("Starting web, worker and beat; waiting until they answer …")
        try:
            with processes.running(port=port, log=log) as process:
                self._say(f"Ready after {time.monotonic() - started:.1f} s.")
                if options["once"]:
                    drive.opt_out(base=base, say=self._say)
                    self._say("The no arrived everywhere and was verified.")
                else:
                    self._welcome(base, staff, partner)
                    with contextlib.suppress(KeyboardInterrupt):
                        process.wait()
        except (processes.DidNotStart, browsing.Failed) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self._say("Stopped.")
        finally:
            connection.close()

    def _welcome(self, base: str, staff: list[StaffSignIn], partner: PartnerSignIn) -> None:
        lines = [
            "",
            f"  People's pages    {base}/",
            f"  Staff's pages     {base}/admin/",
            f"  API and its docs  {base}/api/v1/docs/",
            f"  Mail (sign-in codes, staff's second factors)  {base}/dev/mail/",
            "",
            "  Sign in with an address; the code comes by mail:",
            f"    member            {people.MEMBER}",
            *(f"    {one.role:<17} {one.email}" for one in staff),
            f"    partner client    {partner.client_id} / {partner.client_secret}  (POST {base}/o/token/)",
            "",
            "  Ctrl-C ends everything.",
            "",
        ]
        self._say("\n".join(lines))

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def _as_interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
