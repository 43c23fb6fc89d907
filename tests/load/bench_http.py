"""One choice and one decision through HTTP, authenticated, against a bare application that does neither.

Server CPU of one granian worker with four threads, from /proc, over 1 and 8 connections. The floor is Django, DRF and
psycopg's pool with the same number of rows read and written, durable alike, but no authentication, no rules, no reasons
and no scopes (`tests/load/bare.py`). Statements are counted in the same run, in process.
"""

from collections.abc import Iterator

from tests.load import calls
from tests.load.bench import Row, Scale
from tests.load.serving import Call, Make, compared

PEOPLE = 2_000
SCOPES = "choices:write decisions:read"


def run(scale: Scale) -> Iterator[Row]:
    headers = calls.furnished(people=PEOPLE, scopes=SCOPES, recipients=["", "linkwell"])
    count = scale.of(20_000)
    decision, choice = _decision(headers), _choice(headers)
    taken = calls.statements({"decision": decision, "choice": choice}, numbers=(PEOPLE - 1, PEOPLE - 2))
    asked = [
        Call("one decision", decision, calls.bare_read(PEOPLE), "≤ 1.6 × floor; ≤ 2 statements", taken["decision"]),
        Call("one choice", choice, calls.bare_save(PEOPLE), "≤ 1.5 × floor; ≤ 5 statements", taken["choice"]),
    ]
    yield from compared(asked, size=f"{count:,} requests, {PEOPLE:,} people", count=count)


def _decision(headers: dict[str, str]) -> Make:
    return lambda n: ("GET", f"/api/v1/decisions?subject=account:m_{n % PEOPLE}&purpose=ai-training", None, headers)


def _choice(headers: dict[str, str]) -> Make:
    sent = {**headers, "Content-Type": "application/json"}
    return lambda n: ("POST", "/api/v1/choices", calls.choice(n % PEOPLE, n), sent)
