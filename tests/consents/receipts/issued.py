"""Receipts to take apart: a choice in the log, sealed, and what was issued of it."""

import json
from typing import Any

from consents import checkpoints
from consents.models import LedgerEvent, Subject
from consents.receipts import issuing
from consents.vocabulary import Action
from tests.conftest import AT, sequenced
from tests.consents.asking import say

BASE = "https://privacy.example"


def seal() -> None:
    sequenced()
    checkpoints.seal(at=AT)


def sealed(subject: Subject, action: Action = Action.DENY, purpose: str = "ai-training", **scope: str) -> LedgerEvent:
    """A choice with a proof."""
    event = say(subject, action, purpose, **scope)  # type: ignore[arg-type]
    seal()
    return event


def issue(event: LedgerEvent, wanted: str = "jsonld", *, language: str = "en") -> bytes:
    return issuing.issue(event, wanted=wanted, base=BASE, language=language, at=AT).content


def document(event: LedgerEvent, wanted: str = "jsonld", **options: Any) -> dict[str, Any]:
    """The readable part of a JSON receipt."""
    found: dict[str, Any] = json.loads(issue(event, wanted, **options))
    del found["jws"]
    return found
