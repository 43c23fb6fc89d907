"""Short ways of saying something and of asking, for the tests of consents."""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from consents import decisions, ledger, subjects
from consents.decisions import NamedDecision
from consents.evaluation import Decision, Question
from consents.models import LedgerEvent, Subject
from consents.vocabulary import Action, Source
from tests.conftest import AT


def say(
    subject: Subject,
    action: Action,
    purpose: str = "ai-training",
    *,
    at: datetime = AT,
    occurred_at: datetime | None = None,
    recipient: str = "",
    category: str = "",
) -> LedgerEvent:
    return ledger.record(
        subject=subject,
        scope=ledger.Scope(purpose, recipient, category),
        action=action,
        origin=ledger.Origin(source=Source.SELF_SERVICE, by=f"subject:{subject.pk}"),
        at=at,
        occurred_at=occurred_at,
    )


def ask(
    subject: Subject | None,
    purpose: str = "ai-training",
    *,
    at: datetime = AT,
    recipient: str = "",
    category: str = "",
    jurisdiction: str | None = None,
) -> Decision:
    question = Question(purpose, recipient, category)
    return decisions.decide(subject=subject, question=question, at=at, jurisdiction=jurisdiction)


def by_name(
    value: str,
    *,
    at: datetime = AT,
    jurisdiction: str | None = None,
    within: Sequence[str] = (),
    now: bool = False,
) -> NamedDecision:
    """Ask about AI training and whoever has this account."""
    return decisions.decide_named(
        name=subjects.name("account", value),
        question=Question("ai-training"),
        at=at,
        jurisdiction=jurisdiction,
        within=within,
        now=now,
    )


def why(decision: Decision) -> tuple[bool, str]:
    return decision.allow, decision.decisive.code


def tables_as_text() -> str:
    """Every row of every table, as PostgreSQL writes it (bytes as hexadecimal digits)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [row[0] for row in cursor.fetchall()]
        texts: list[str] = []
        for table in tables:
            cursor.execute(f'SELECT row::text FROM "{table}" AS row')
            texts += [row[0] for row in cursor.fetchall()]
    return "\n".join(texts)
