"""Taking a request in and listing twenty-five over HTTP, authenticated, against a bare application that does neither.

Server CPU of one granian worker with four threads, from /proc, over 1 and 8 connections. The floor is the bare save and
the bare read of `tests/load/bare.py`: durable alike, without a clock, a timeline, an audit trail or sealed words, and
of one row instead of twenty-five. Statements are counted in the same run, in process.
"""

import json
import secrets
from collections.abc import Iterator

from tests.load import calls
from tests.load.bench import Row, Scale
from tests.load.serving import Call, Make, Request, compared

PEOPLE = 5_000
SCOPES = "requests:read requests:write requests:vouch"
RIGHTS = ("access", "erasure", "portability", "automated_decision")


def run(scale: Scale) -> Iterator[Row]:
    headers = calls.furnished(people=PEOPLE, scopes=SCOPES, recipients=[""])
    count = scale.of(10_000)
    create, listed = _create(headers), _list(headers)
    taken = calls.statements({"create": create, "list": listed}, numbers=range(40))
    asked = [
        Call("create", create, calls.bare_save(PEOPLE), "≤ 5 ms CPU; ≤ 9 statements", taken["create"]),
        Call("list", listed, calls.bare_read(PEOPLE), "≤ 8 ms CPU; ≤ 8 statements", taken["list"]),
    ]
    yield from compared(asked, size=f"{count:,} calls, {PEOPLE:,} people", count=count)


def _create(headers: dict[str, str]) -> Make:
    """What people ask, each in turn, with an Idempotency-Key; some of it repeats what is open, and is linked to it."""

    def make(n: int) -> Request:
        body = {
            "subject": {"scheme": "account", "value": f"m_{n % PEOPLE}"},
            "rights": [RIGHTS[n // PEOPLE % len(RIGHTS)]],
            "verified": True,
            "note": "All that you have of me, please.",
        }
        sent = {**headers, "Content-Type": "application/json", "Idempotency-Key": secrets.token_hex(8)}
        return ("POST", "/api/v1/requests", json.dumps(body).encode(), sent)

    return make


def _list(headers: dict[str, str]) -> Make:
    return lambda n: ("GET", "/api/v1/requests?open=true&limit=25", None, headers)
