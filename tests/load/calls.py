"""Who calls in the benchmarks of REST, and the bare application's calls that theirs are compared with."""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
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
from tests.load.serving import Make


def furnished(*, people: int, scopes: str, recipients: Sequence[str]) -> dict[str, str]:
    """Rules, so many people here and in the bare tables, and a partner; answers the headers of its calls."""
    at = clock.now()
    rules.load(path=WORLD, by=BY, at=at)
    newcomers = [Newcomer(names=(subjects.name("account", f"m_{n}"),), jurisdiction="US") for n in range(people)]
    subjects.register_many(newcomers=newcomers, by=BY, at=at)
    with connection.cursor() as cursor:
        cursor.execute(bare.TABLES)
        cursor.execute(
            "INSERT INTO bare_person (name, country) SELECT 'm_' || n, 'US' FROM generate_series(0, %s) AS n",
            [people - 1],
        )
    acme = partner("acme", recipients=list(recipients), schemes=["account"])
    token = get_access_token_model().objects.create(
        application=acme.application,
        token=secrets.token_urlsafe(),
        scope=scopes,
        expires=datetime(2100, 1, 1, tzinfo=UTC),
    )
    return {"Authorization": f"Bearer {token.token}"}


def statements(makes: Mapping[str, Make], *, numbers: Iterable[int]) -> dict[str, int]:
    """Statements of the last call of each kind to a server that is warm by then, without transaction control."""
    client = Client(SERVER_NAME="127.0.0.1")
    counted = {}
    wanted = list(numbers)
    for name, make in makes.items():
        for number in wanted:
            method, path, body, sent = make(number)
            with CaptureQueriesContext(connection) as queries:
                answer = client.generic(method, path, body or b"", "application/json", headers=sent)
            if answer.status_code >= 300:
                raise RuntimeError(answer.content.decode())
            counted[name] = len([one for one in queries if not one["sql"].startswith(("BEGIN", "COMMIT"))])
    return counted


def bare_read(people: int) -> Make:
    return lambda n: ("GET", f"/read?subject=m_{n % people}&purpose=ai-training", None, {})


def bare_save(people: int) -> Make:
    return lambda n: ("POST", "/save", choice(n % people, n), {"Content-Type": "application/json"})


def choice(person: int, n: int) -> bytes:
    """The `n`-th choice, of this person: yes and no by turns."""
    said = {
        "subject": {"scheme": "account", "value": f"m_{person}"},
        "purpose": "ai-training",
        "action": "deny" if n % 2 else "grant",
        "occurred_at": clock.now().isoformat(),
    }
    return json.dumps(said).encode()
