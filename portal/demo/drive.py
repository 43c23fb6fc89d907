"""One opt-out through the real web server and the real worker, each step with its time."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import requests
from django.conf import settings

from consents import subjects
from consents.models import LedgerEvent, Subject
from consents.vocabulary import Kind
from downstream.models import Dataset, RemovalReceipt
from portal import references
from portal.demo import browsing
from portal.demo.browsing import Failed

Say = Callable[[str], None]
_PURPOSE = "ai-training"
_WITHIN = 120.0


def opt_out(*, base: str, say: Say) -> None:
    """Sign in as a member who has not chosen, say no, wait for the verified removal. Raises Failed."""
    started = time.monotonic()

    def step(text: str) -> None:
        say(f"{time.monotonic() - started:7.2f} s  {text}")

    subject, email, account = _somebody()
    held = {dataset.slug: _rows(dataset, {"account": account, "email": email}) for dataset in _datasets()}
    step(f"chose a member of {subject.jurisdiction} who has not chosen; rows held: {held}")
    browser = browsing.sign_in(base=base, email=email, mail_dir=Path(settings.MAIL_DIR))
    step("signed in with the code that came by mail")
    reference = browsing.say_no(browser, base=base, purpose=_PURPOSE)
    step(f"said no to {_PURPOSE}; receipt {reference}")
    event = LedgerEvent.objects.get(pk=references.decode("R", reference))
    _wait(browser, base, step)
    _check(event, {"account": account, "email": email}, held, step)


def _somebody() -> tuple[Subject, str, str]:
    chosen = LedgerEvent.objects.filter(kind=Kind.CHOICE).values("subject_id")
    for subject in Subject.objects.filter(jurisdiction="US").exclude(pk__in=chosen).order_by("pk"):
        email = subjects.contact(subject)
        account = subjects.values([subject.pk], scheme="account").get(subject.pk)
        if email and account:
            return subject, email, account
    raise Failed("Every member has chosen already: run `make clean` and begin anew.")


def _wait(browser: requests.Session, base: str, step: Say) -> None:
    deadline, last = time.monotonic() + _WITHIN, ""
    while time.monotonic() < deadline:
        page = browser.get(f"{base}/choices/{_PURPOSE}/journey/", headers={"HX-Request": "true"}, timeout=10).text
        states = " ".join(re.findall(r"stop--(\w+)", page))
        if states != last:
            step(f"journey: {states}")
            last = states
        if states and set(states.split()) <= {"removed", "not_in"}:
            return
        time.sleep(0.1)
    raise Failed(f"Not verified within {_WITHIN:.0f} s; the journey stands at: {last or 'nothing'}.")


def _check(event: LedgerEvent, names: dict[str, str], held: dict[str, int], step: Say) -> None:
    """Look once more with another reader, and compare with what the receipts say."""
    for dataset in _datasets():
        left = _rows(dataset, names)
        receipt = RemovalReceipt.objects.filter(dataset=dataset, subject_id=event.subject_id or "").last()
        if left or receipt is None or receipt.rows_removed != held[dataset.slug]:
            raise Failed(f"{dataset.slug}: {left} rows left, receipt {receipt}.")
        step(
            f"{dataset.slug}: removal receipt {receipt.pk}: {receipt.rows_found} rows found, "
            f"{receipt.rows_removed} removed, verified at position {receipt.position}; "
            f"digest {receipt.digest_before[:12]}… → {receipt.digest_after[:12]}…"
        )


def _datasets() -> list[Dataset]:
    return list(Dataset.objects.living().serving(_PURPOSE))


def _rows(dataset: Dataset, names: dict[str, str]) -> int:
    column = dataset.key_column.replace('"', '""')
    query = f'SELECT count(*) FROM read_parquet(?) WHERE "{column}" = ?'  # noqa: S608 -- a column's name, quoted
    row = duckdb.execute(query, [f"{dataset.location}/*.parquet", names[dataset.key_scheme]]).fetchone()
    return int(row[0]) if row else 0
