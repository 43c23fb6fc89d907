"""Taking a request in and listing twenty-five over HTTP, authenticated, against a bare application that does neither.

Server CPU of one granian worker with four threads, from /proc, over 1 and 8 connections. The floor is the bare save and
the bare read of `tests/load/bare.py`: durable alike, without a clock, a timeline, an audit trail or sealed words, and
of one row instead of twenty-five. Statements are counted in the same run, in process.
"""

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from oauth2_provider.models import get_access_token_model

from consents import rules, subjects
from consents.subjects import Newcomer
from portal import clock
from tests.conftest import BY, WORLD, partner
from tests.load import bare
from tests.load.bench import Row, Scale
from tests.load.serving import Call, Make, Request, compared

PEOPLE = 5_000
SCOPES = "requests:read requests:write requests:vouch"
RIGHTS = ("access", "erasure", "portability", "automated_decision")


def run(scale: Scale) -> Iterator[Row]:
    headers = {"Authorization": f"Bearer {_furnish()}"}
    count = scale.of(10_000)
    statements = _statements(headers)
    calls = [
        Call("create", _create(headers), _bare_save, "≤ 5 ms CPU; ≤ 9 statements", statements["create"]),
        Call("list", _list(headers), _bare_read, "≤ 8 ms CPU; ≤ 8 statements", statements["list"]),
    ]
    yield from compared(calls, size=f"{count:,} calls, {PEOPLE:,} people", count=count)


def _furnish() -> str:
    """Rules, people, the floor's tables and a partner with a token."""
    at = clock.now()
    rules.load(path=WORLD, by=BY, at=at)
    newcomers = [Newcomer(names=(subjects.name("account", f"m_{n}"),), jurisdiction="US") for n in range(PEOPLE)]
    subjects.register_many(newcomers=newcomers, by=BY, at=at)
    with connection.cursor() as cursor:
        cursor.execute(bare.TABLES)
        cursor.execute(
            "INSERT INTO bare_person (name, country) SELECT 'm_' || n, 'US' FROM generate_series(0, %s) AS n",
            [PEOPLE - 1],
        )
    acme = partner("acme", recipients=[""], schemes=["account"])
    token = get_access_token_model().objects.create(
        application=acme.application,
        token=secrets.token_urlsafe(),
        scope=SCOPES,
        expires=datetime(2100, 1, 1, tzinfo=UTC),
    )
    return str(token.token)


def _statements(headers: dict[str, str]) -> dict[str, int]:
    """Statements of a call to a server that is warm."""
    client = Client(SERVER_NAME="127.0.0.1")
    counted = {}
    for name, make in (("create", _create(headers)), ("list", _list(headers))):
        for number in range(40):
            method, path, body, sent = make(number)
            with CaptureQueriesContext(connection) as queries:
                answer = client.generic(method, path, body or b"", "application/json", headers=sent)
            if answer.status_code >= 300:
                raise RuntimeError(answer.content.decode())
            counted[name] = len([one for one in queries if not one["sql"].startswith(("BEGIN", "COMMIT"))])
    return counted


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


def _bare_read(n: int) -> Request:
    return ("GET", f"/read?subject=m_{n % PEOPLE}&purpose=ai-training", None, {})


def _bare_save(n: int) -> Request:
    choice = {
        "subject": {"scheme": "account", "value": f"m_{n % PEOPLE}"},
        "purpose": "ai-training",
        "action": "deny" if n % 2 else "grant",
        "occurred_at": clock.now().isoformat(),
    }
    return ("POST", "/save", json.dumps(choice).encode(), {"Content-Type": "application/json"})
