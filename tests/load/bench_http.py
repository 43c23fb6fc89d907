"""One choice and one decision through HTTP, authenticated, against a bare application that does neither.

Server CPU of one granian worker with four threads, from /proc, over 1 and 8 connections. The floor is Django, DRF and
psycopg's pool with the same number of rows read and written, durable alike, but no authentication, no rules, no reasons
and no scopes (`tests/load/bare.py`). Statements are counted in the same run, in process.
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

PEOPLE = 2_000
SCOPES = "choices:write decisions:read"


def run(scale: Scale) -> Iterator[Row]:
    token = _furnish()
    count = scale.of(20_000)
    with connection.cursor() as cursor:
        cursor.execute(bare.TABLES)
        cursor.execute(
            "INSERT INTO bare_person (name, country) SELECT 'm_' || n, 'US' FROM generate_series(0, %s) AS n",
            [PEOPLE - 1],
        )
    headers = {"Authorization": f"Bearer {token}"}
    statements = _statements(headers)
    calls = [
        Call("one decision", _decision(headers), _bare_read, "≤ 1.6 × floor; ≤ 2 statements", statements["decision"]),
        Call("one choice", _choice(headers), _bare_save, "≤ 1.5 × floor; ≤ 5 statements", statements["choice"]),
    ]
    yield from compared(calls, size=f"{count:,} requests, {PEOPLE:,} people", count=count)


def _furnish() -> str:
    """Rules, people and a partner with a token."""
    at = clock.now()
    rules.load(path=WORLD, by=BY, at=at)
    newcomers = [Newcomer(names=(subjects.name("account", f"m_{n}"),), jurisdiction="US") for n in range(PEOPLE)]
    subjects.register_many(newcomers=newcomers, by=BY, at=at)
    acme = partner("acme", recipients=["", "linkwell"], schemes=["account"])
    token = get_access_token_model().objects.create(
        application=acme.application,
        token=secrets.token_urlsafe(),
        scope=SCOPES,
        expires=datetime(2100, 1, 1, tzinfo=UTC),
    )
    return str(token.token)


def _statements(headers: dict[str, str]) -> dict[str, int]:
    """Statements of a request to a server that is warm, transaction control included."""
    client = Client(SERVER_NAME="127.0.0.1")
    counted = {}
    for name, make in (("decision", _decision(headers)), ("choice", _choice(headers))):
        for number in (PEOPLE - 1, PEOPLE - 2):
            method, path, body, sent = make(number)
            with CaptureQueriesContext(connection) as queries:
                answer = client.generic(method, path, body or b"", "application/json", headers=sent)
            if answer.status_code >= 300:
                raise RuntimeError(answer.content.decode())
            counted[name] = len([one for one in queries if not one["sql"].startswith(("BEGIN", "COMMIT"))])
    return counted


def _decision(headers: dict[str, str]) -> Make:
    return lambda n: ("GET", f"/api/v1/decisions?subject=account:m_{n % PEOPLE}&purpose=ai-training", None, headers)


def _choice(headers: dict[str, str]) -> Make:
    sent = {**headers, "Content-Type": "application/json"}
    return lambda n: ("POST", "/api/v1/choices", _said(n), sent)


def _bare_read(n: int) -> Request:
    return ("GET", f"/read?subject=m_{n % PEOPLE}&purpose=ai-training", None, {})


def _bare_save(n: int) -> Request:
    return ("POST", "/save", _said(n), {"Content-Type": "application/json"})


def _said(n: int) -> bytes:
    choice = {
        "subject": {"scheme": "account", "value": f"m_{n % PEOPLE}"},
        "purpose": "ai-training",
        "action": "deny" if n % 2 else "grant",
        "occurred_at": clock.now().isoformat(),
    }
    return json.dumps(choice).encode()
