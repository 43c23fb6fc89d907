"""A process that builds packages until none waits; says how many, how long it took, and its peak of memory."""

import json
import os
import time

import django


def main() -> None:
    django.setup()
    from portal import clock
    from requests_app import packages
    from requests_app.models import Package
    from tests.load.bench import peak_mib

    built, seconds = 0, 0.0
    give_up = time.monotonic() + 30
    while Package.objects.filter(status__in=["waiting", "building"]).exists() and time.monotonic() < give_up:
        start = time.monotonic()
        if packages.build_next(holder=f"builder:{os.getpid()}", clock=clock.now):
            built += 1
            seconds += time.monotonic() - start
        else:
            # somebody's lease is not over yet
            time.sleep(0.2)
    said = {"built": built, "seconds": seconds, "cpu_seconds": time.process_time(), "peak_mib": peak_mib()}
    print(json.dumps(said))


if __name__ == "__main__":
    main()
