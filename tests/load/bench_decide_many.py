"""May these people's data be used? Every id of a full house asked at once, for one purpose of two.

5 % of the people opted out of each purpose, one hold is open. Floors: the same ids brought into PostgreSQL by COPY and
joined with the preferences there; and pyarrow's `is_in` against the opted-out ids in memory, which knows no rule.
Server and client share the machine's processors.
"""

import http.client
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from django.conf import settings
from django.db import connection
from oauth2_provider.models import get_access_token_model, get_application_model

from consents import bulk_decisions, holds, ledger, rules, sequencer
from consents.api.bulk_decisions import ARROW
from consents.bulk_decisions import keeping
from consents.evaluation import Question
from consents.models import Identifier, Partner
from consents.vocabulary import Action, Source
from portal import clock
from portal.demo import processes
from tests.load.bench import Row, Scale, median_seconds, peak_mib

BY = "command:bench"
ROOT = Path(__file__).parents[2]
WORLD = ROOT / "tests" / "world.toml"
QUESTION = Question("ai-training")
BATCH = 65_536
OPTED_OUT = "SELECT value FROM consents_identifier AS name JOIN consents_preference AS said USING (subject_id)" + (
    " WHERE said.purpose = 'ai-training' AND said.action = 'deny'"
)


def run(scale: Scale) -> Iterator[Row]:
    count = scale.of(10_000_000)
    settings.DATA_DIR = Path(os.environ["HEED_DATA"])
    _people(count)
    size = f"{count:,} ids, as many people"
    ids = _ids(count)
    start = time.perf_counter()
    keeping.rebuild("account")
    built = time.perf_counter() - start
    joined = count / _copy_and_join(ids)
    refused = _opted_out()
    in_memory = count / _is_in(ids, refused)
    _ask(ids[:1])
    before = peak_mib()
    ours = count / median_seconds(lambda: _ask(ids))
    note = f"built in {built:.0f} s; {peak_mib() - before:+.0f} MiB peak while asking"
    yield Row("warm, in the process", size, "ids/s", ours, joined, "COPY in, SQL join out", True, "≥ 4,000,000", note)
    yield Row("warm, in the process", size, "ids/s", ours, in_memory, "pyarrow is_in in memory", True, "–")
    spent, floor = (
        count / _processor(lambda: _ask(ids)),
        count / _processor(lambda: pc.is_in(pa.chunked_array(ids), value_set=refused)),
    )
    what, note = "warm, for each second of a processor", "steadier where others use the machine too"
    yield Row(what, size, "ids/s", spent, floor, "pyarrow is_in in memory", True, "–", note)
    yield _a_moment_ago(size, count / joined)
    yield from _over_http(ids, size, joined)


def _people(count: int) -> None:
    """Set-based: people, one name each, 5 % refusals of each of two purposes, their events; one hold; positions."""
    at = datetime.now(UTC) - timedelta(days=1)
    rules.load(path=WORLD, by=BY, at=at)
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE, {"count": count, "at": at})
        cursor.execute(_NAMES)
        for purpose, offset in (("ai-training", 0), ("marketing", 7)):
            cursor.execute(_CHOICES, {"purpose": purpose, "offset": offset, "at": at})
        cursor.execute(_PREFERENCES)
        cursor.execute("ANALYZE")
    holds.open(scope=holds.HoldScope(jurisdictions=["GB"]), reason="bench", by=BY, at=at)
    while sequencer.lag(at=clock.now()).waiting:
        # somebody else's transaction on this server may hold the horizon back for a while
        sequencer.advance(at=clock.now())
        time.sleep(0.1)


_ID = "(lpad(to_hex(1750000000000 + number / 8), 12, '0') || '7' || substr(md5(number::text), 1, 3)" + (
    " || '8' || substr(md5(number::text), 4, 15))::uuid"
)
_PEOPLE = f"""
INSERT INTO consents_subject (id, jurisdiction, locale, is_minor, registered_at, wrapped_key)
SELECT {_ID}, (ARRAY['US', 'US-CA', 'DE', 'FR', 'GB', 'BR', 'IN', 'CA'])[1 + number %% 8], 'en', number %% 97 = 0,
       %(at)s, '\\x010162'
  FROM generate_series(0, %(count)s - 1) AS number
"""
_NAMES = """
INSERT INTO consents_identifier (subject_id, scheme, value, fingerprint, index_key)
SELECT id, 'account', 'm_' || (row_number() OVER (ORDER BY id) - 1), sha256(id::text::bytea), 'bench'
  FROM consents_subject
"""
_CHOICES = """
INSERT INTO consents_ledgerevent
       (id, kind, subject_id, purpose, recipient, category, action, source, actor, notice, details, occurred_at,
        recorded_at)
SELECT gen_random_uuid(), 'choice', subject_id, %(purpose)s, '', '', 'deny', 'self_service', 'command:bench', '', '{}',
       %(at)s, %(at)s
  FROM (SELECT subject_id, row_number() OVER (ORDER BY id) AS number FROM consents_identifier) AS everybody
 WHERE number %% 20 = %(offset)s
"""
_PREFERENCES = """
INSERT INTO consents_preference
       (subject_id, slot, purpose, recipient, category, action, event_id, occurred_at, recorded_at)
SELECT subject_id, 'choice', purpose, '', '', action, id, occurred_at, recorded_at
  FROM consents_ledgerevent WHERE kind = 'choice'
"""


def _ids(count: int) -> list[pa.Array]:
    """Everybody's name, in an order that follows nothing in the house."""
    step = 7_368_787  # a prime, so that every number comes once
    return [
        pa.array([f"m_{number * step % count}" for number in range(start, min(start + BATCH, count))])
        for start in range(0, count, BATCH)
    ]


def _ask(ids: list[pa.Array]) -> int:
    answers = bulk_decisions.decide_many(iter(ids), scheme="account", question=QUESTION, now=clock.now())
    return sum(pc.sum(one.allow).as_py() or 0 for one in answers)


def _copy_and_join(ids: list[pa.Array]) -> float:
    start = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE asked (value text)")
        with cursor.copy("COPY asked FROM STDIN") as copy:
            for batch in ids:
                copy.write("\n".join(batch.to_pylist()) + "\n")
        out = f"COPY (SELECT value, no.value IS NULL FROM asked LEFT JOIN ({OPTED_OUT}) AS no USING (value)) TO STDOUT"
        with cursor.copy(out) as copy:
            for _ in copy:
                pass
        cursor.execute("DROP TABLE asked")
    return time.perf_counter() - start


def _is_in(ids: list[pa.Array], refused: pa.Array) -> float:
    everybody = pa.chunked_array(ids)
    return median_seconds(lambda: pc.is_in(everybody, value_set=refused))


def _opted_out() -> pa.Array:
    with connection.cursor() as cursor:
        cursor.execute(OPTED_OUT)
        return pa.array([row[0] for row in cursor.fetchall()])


def _processor(act: Callable[[], object]) -> float:
    """Median seconds of processor time, of all threads of this process."""
    taken = []
    for _ in range(3):
        start = time.process_time()
        act()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def _a_moment_ago(size: str, joined: float) -> Row:
    """From the commit of a choice to an answer that has it."""
    # somebody in the US who is of age, where it is on unless refused
    known = Identifier.objects.filter(subject__jurisdiction="US", subject__is_minor=False).select_related("subject")
    one = known.exclude(subject__preferences__action=Action.DENY)[0]
    taken = []
    for action in (Action.DENY, Action.GRANT) * 5:
        ledger.record(
            subject=one.subject,
            scope=ledger.Scope("ai-training"),
            action=action,
            origin=ledger.Origin(source=Source.SELF_SERVICE, by=BY),
            at=clock.now(),
        )
        start = time.perf_counter()
        (answer,) = bulk_decisions.decide_many([[one.value]], scheme="account", question=QUESTION, now=clock.now())
        taken.append(time.perf_counter() - start)
        assert answer.allow.to_pylist() == [action == Action.GRANT]
    ours = sorted(taken)[len(taken) // 2] * 1000
    note = "the next answer after the commit; each time the right one"
    return Row(
        "a choice of a moment ago", size, "ms", ours, joined * 1000, "COPY in, SQL join out", False, "next", note
    )


def _over_http(ids: list[pa.Array], size: str, joined: float) -> Iterator[Row]:
    count = sum(len(batch) for batch in ids)
    token = _token()
    with _server() as (port, pid):
        _post(port, token, ids[:1])
        before = _private_mib(pid)
        for left_out in (False, True):
            allowed = []
            seconds = median_seconds(
                lambda out=left_out, got=allowed: got.append(_post(port, token, ids, left_out=out))
            )
            assert set(allowed) == {_ask(ids)}
            what = "over HTTP as Arrow" + (", ids not returned" if left_out else "")
            note = f"server's own memory {_private_mib(pid) - before:+.0f} MiB after it"
            yield Row(what, size, "ids/s", count / seconds, joined, "COPY in, SQL join out", True, "≥ 1,500,000", note)


def _token() -> str:
    model = get_application_model()
    application = model.objects.create(
        name="bench",
        client_id="bench",
        client_type=model.CLIENT_CONFIDENTIAL,
        authorization_grant_type=model.GRANT_CLIENT_CREDENTIALS,
    )
    Partner.objects.create(
        slug="bench",
        name="Bench",
        application=application,
        recipients=[""],
        schemes=["account"],
        scopes=["decisions:read"],
    )
    expires = clock.now() + timedelta(hours=1)
    get_access_token_model().objects.create(
        application=application, token="bench", scope="decisions:read", expires=expires
    )
    return "bench"


@contextmanager
def _server() -> Iterator[tuple[int, int]]:
    """A web server of one worker, as the Procfile starts it; answers its port and the worker's process id."""
    port = processes.free_port(0)
    database = {**connection.get_connection_params()}
    url = f"postgresql://{database['user']}@/{database['dbname']}?host={database['host']}"
    url += f"&port={database['port']}" if database.get("port") else ""
    command = [
        str(Path(sys.executable).parent / "granian"),
        "--interface",
        "wsgi",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
        "--blocking-threads",
        "8",
        "--no-ws",
        "--log-level",
        "warning",
        "portal.wsgi:application",
    ]
    environment = {**os.environ, "DATABASE_URL": url, "HEED_RATE": "1000000/min"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
    try:
        _wait_for(port)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield port, int(children[0]) if children else process.pid
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def _wait_for(port: int) -> None:
    for _ in range(600):
        try:
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            link.request("GET", "/healthz")
            if link.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("The web server did not start.")


def _post(port: int, token: str, ids: list[pa.Array], *, left_out: bool = False) -> int:
    """Send while reading; answers how many are allowed."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    link.connect()
    query = f"scheme=account&purpose=ai-training&ids={'left_out' if left_out else 'returned'}"
    link.putrequest("POST", f"/api/v1/decisions/bulk?{query}")
    for name, value in {
        "Authorization": f"Bearer {token}",
        "Content-Type": ARROW,
        "Transfer-Encoding": "chunked",
    }.items():
        link.putheader(name, value)
    link.endheaders()
    sender = threading.Thread(target=_send, args=(link.sock, ids))
    sender.start()
    response = link.getresponse()
    if response.status != 200:
        raise RuntimeError(f"HTTP {response.status}: {response.read(500)!r}")
    with pa.ipc.open_stream(response) as reader:
        allowed = sum(pc.sum(batch.column("allow")).as_py() or 0 for batch in reader)
    sender.join()
    link.close()
    return allowed


def _send(sock: Any, ids: list[pa.Array]) -> None:
    schema = pa.schema([pa.field("id", pa.string())])
    parts = [schema.serialize(), *(pa.record_batch([batch], schema=schema) for batch in ids)]
    for part in parts:
        body = memoryview(part if isinstance(part, pa.Buffer) else part.serialize())
        sock.sendall(f"{len(body):x}\r\n".encode())
        sock.sendall(body)
        sock.sendall(b"\r\n")
    sock.sendall(b"8\r\n\xff\xff\xff\xff\x00\x00\x00\x00\r\n0\r\n\r\n")


def _private_mib(pid: int) -> float:
    """Memory that is this process's own, without the pages of mapped files that it shares (Linux)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) / 1024
