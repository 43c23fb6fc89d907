"""Short ways of beginning a round of letters, and of looking at what became of it."""

import email
import email.policy
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path

from consents import deliveries, notices
from consents.deliveries import Audience
from consents.models import Letter, NoticeDelivery
from consents.notices import Draft
from tests.conftest import AT, BY
from tests.stack import Stack

TEXTS = {"en": ("New terms", "Text"), "de": ("Neue Regeln", "Text")}


def published(*, at: datetime = AT, is_material: bool = True) -> int:
    draft = Draft("terms", TEXTS, published_at=at, effective_at=at, is_material=is_material)
    return notices.publish(draft=draft, by=BY, at=at)


def begin(*places: str, purposes: tuple[str, ...] = (), version: int = 1, at: datetime = AT) -> NoticeDelivery:
    audience = Audience(places, purposes)
    return deliveries.plan(slug="terms", version=version, audience=audience, by=BY, at=at)


def states() -> dict[str, int]:
    return dict(Counter(Letter.objects.values_list("state", flat=True)))


def postman(folder: Path, *, seconds: float = 20, mood: str = "") -> "subprocess.Popen[str]":
    """A process that sends into `folder`; see `a_postman` and `dying_mail`."""
    environment = {**Stack(folder, redis_number=13).environment, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    environment |= {"DYING_MAIL": mood, "HEED_LEASE_SECONDS": "1"}
    command = [sys.executable, "-m", "tests.consents.a_postman", str(seconds)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def mailed(folder: Path) -> Counter[str]:
    """To whom mail went, and how often."""
    found: Counter[str] = Counter()
    for path in (folder / "log" / "mail").glob("*.log"):
        for part in path.read_bytes().split(b"-" * 79 + b"\n"):
            if part.strip():
                found[str(email.message_from_bytes(part, policy=email.policy.default)["To"])] += 1
    return found
