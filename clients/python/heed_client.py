"""A small client for partners: what has to go from a copy that they hold, and what people ask through their front end.

Needs `requests` and nothing else. `parquet_copy.py` beside it is a job that does the whole for Parquet files. Which of
it works is a matter of the scopes in your registration.
"""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import requests

Spans = list[tuple[datetime | None, datetime | None]]
_SECONDS = 60
_MOST_KEYS, _MOST_BYTES = 50_000, 2_000_000
"""What Heed takes of counts by key in one acknowledgement, with room for the rest of it."""


class HeedError(Exception):
    """Heed refused; `code` is stable (RFC 9457 problem details)."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code = status, code


class CutOff(Exception):
    """A stream of keys ended before its end: nothing is to be removed by it."""


@dataclass(frozen=True)
class Run:
    """One run that asks for people to be removed."""

    id: str
    dataset: str
    position: int
    deadline: datetime
    key_column: str
    created_column: str


@dataclass(frozen=True)
class Removal:
    """What came of it; `keys` counts rows by key."""

    keys: dict[str, int] = field(repr=False)
    rows_after: int
    digest_before: str
    digest_after: str
    verified_at: datetime


HOLDING = "propagations:read propagations:ack"
ASKING = "requests:read requests:write"
VOUCHING = f"{ASKING} requests:vouch"
"""Scopes: of who holds a copy; of who sends requests in; of who also verifies the people that do."""


class Heed:
    """The API of one Heed, by OAuth client credentials and the scopes that the work needs."""

    def __init__(self, base: str, client_id: str, client_secret: str, *, scope: str = HOLDING) -> None:
        self.base = base.rstrip("/")
        self._login, self._scope = (client_id, client_secret), scope
        self._session = requests.Session()
        self._token, self._until = "", 0.0

    def __enter__(self) -> "Heed":
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def awaiting(self, dataset: str = "") -> Iterator[Run]:
        """Runs that wait for you, the oldest first."""
        asked: dict[str, str] = {"state": "awaiting", **({"dataset": dataset} if dataset else {})}
        while True:
            page = self._call("GET", "/propagations", params=asked).json()
            yield from (_run(one) for one in page["propagations"] if one["yours"])
            if page["next"] is None:
                return
            asked["after"] = page["next"]

    def keys(self, run_id: str) -> dict[str, Spans]:
        """Each key that has to go; with spans only rows made in them. Raises CutOff."""
        found: dict[str, Spans] = {}
        with self._call("GET", f"/propagations/{run_id}/keys", stream=True) as answer:
            for line in answer.iter_lines():
                told = json.loads(line)
                if "end" in told:
                    if told["end"] != len(found):
                        break
                    return found
                found[told["key"]] = [(_time(start), _time(end)) for start, end in told["spans"]]
        raise CutOff(f"The keys of run {run_id} did not come to their end.")

    def acknowledge(self, run: Run, removal: Removal, *, version: str = "") -> dict[str, Any]:
        """Say what was removed; saying it again is no harm.

        Keys of which nothing was found are left out, and all are where they are too many: the sums stand without them.
        """
        total = sum(removal.keys.values())
        body = {
            "position": run.position,
            "rows_found": total,
            "rows_removed": total,
            "rows_after": removal.rows_after,
            "digest_before": removal.digest_before,
            "digest_after": removal.digest_after,
            "verified_at": removal.verified_at.isoformat(),
            **_counted(removal.keys),
            **({"version": version} if version else {}),
        }
        return self._call("POST", f"/propagations/{run.id}/ack", json=body).json()  # type: ignore[no-any-return]

    def fail(self, run: Run, reason: str) -> None:
        """Say that it cannot be done, in words that name no person."""
        self._call("POST", f"/propagations/{run.id}/ack", json=_failed(run, reason))

    def send(
        self, scheme: str, value: str, rights: Sequence[str], *, key: str, verified: bool = False, **more: Any
    ) -> list[dict[str, Any]]:
        """Send in what a person asks; answers a request for each right, with its reference and due date.

        `key` is yours, one for each asking: sending the same again with it writes nothing. `verified` says that you
        have verified who asks. `more`: jurisdiction, scope, details, note, capacity, requester, received_at, locale,
        about.
        """
        subject = {"scheme": scheme, "value": value}
        body = {"subject": subject, "rights": list(rights), "verified": verified, **more}
        answer = self._call("POST", "/requests", json=body, headers={"Idempotency-Key": key})
        return list(answer.json()["requests"])

    def correct(
        self, scheme: str, value: str, corrections: Iterable[tuple[str, str, str]], *, key: str, **more: Any
    ) -> dict[str, Any]:
        """Send in what is wrong about a person: up to twenty times (what it is about, what it says, what is right).

        `key` and `more` as in `send`.
        """
        listed = [{"what": what, "wrong": wrong, "right": right} for what, wrong, right in corrections]
        return self.send(scheme, value, ["rectification"], key=key, details={"corrections": listed}, **more)[0]

    def sent(self, **filters: str) -> Iterator[dict[str, Any]]:
        """What you sent, the newest first; `filters`: status, right, open ("true", "false"), due_before."""
        asked = dict(filters)
        while True:
            page = self._call("GET", "/requests", params=asked).json()
            yield from page["requests"]
            if page["next"] is None:
                return
            asked["after"] = page["next"]

    def request(self, reference: str) -> dict[str, Any]:
        """One request: its clock and how it was counted, what happened, the work in each place."""
        return dict(self._call("GET", f"/requests/{reference}").json())

    def withdraw(self, reference: str) -> dict[str, Any]:
        """The person takes it back."""
        return dict(self._call("DELETE", f"/requests/{reference}").json())

    def write(self, reference: str, body: str, *, key: str) -> None:
        """Write to staff in the person's name."""
        self._call("POST", f"/requests/{reference}/messages", json={"body": body}, headers={"Idempotency-Key": key})

    def messages(self, reference: str) -> list[dict[str, Any]]:
        """What staff and the person wrote, the oldest first; staff's count as read. Needs VOUCHING."""
        return list(self._call("GET", f"/requests/{reference}/messages").json()["messages"])

    def package(self, reference: str) -> Iterator[bytes]:
        """The answer package, a ZIP, in pieces. Needs VOUCHING."""
        with self._call("GET", f"/requests/{reference}/package", stream=True) as answer:
            yield from answer.iter_content(1 << 16)

    def let_go(self, reference: str) -> None:
        """The person needs the package no longer, or none that their erasure waits for. Needs VOUCHING."""
        self._call("DELETE", f"/requests/{reference}/package")

    def _call(self, method: str, path: str, **how: Any) -> requests.Response:
        headers = {**how.pop("headers", {}), "Authorization": f"Bearer {self._bearer()}"}
        answer = self._session.request(
            method, f"{self.base}/api/v1{path}", headers=headers, timeout=_SECONDS, allow_redirects=False, **how
        )
        if answer.status_code >= 300:
            problem: dict[str, Any] = {}
            with suppress(ValueError):
                problem = answer.json()
            raise HeedError(answer.status_code, problem.get("code", "error"), problem.get("detail", ""))
        return answer

    def _bearer(self) -> str:
        if time.monotonic() >= self._until:
            asked = {"grant_type": "client_credentials", "scope": self._scope}
            answer = self._session.post(f"{self.base}/o/token/", data=asked, auth=self._login, timeout=_SECONDS)
            if answer.status_code != 200:
                raise HeedError(answer.status_code, "no_token", "The client was refused a token.")
            told = answer.json()
            self._token, self._until = told["access_token"], time.monotonic() + told["expires_in"] - 60
        return self._token


def _counted(keys: dict[str, int]) -> dict[str, list[dict[str, Any]]]:
    """The counts by key; none where Heed would refuse so many."""
    told = [{"key": key, "rows_found": n, "rows_removed": n} for key, n in keys.items() if n]
    if len(told) > _MOST_KEYS or len(json.dumps(told)) > _MOST_BYTES:
        return {}
    return {"keys": told}


def _failed(run: Run, reason: str) -> dict[str, object]:
    return {"position": run.position, "status": "failed", "reason": reason[:500]}


def _run(told: dict[str, Any]) -> Run:
    deadline = datetime.fromisoformat(told["deadline"])
    return Run(told["id"], told["dataset"], told["position"], deadline, told["key_column"], told["created_column"])


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
