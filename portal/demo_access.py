"""What a try-out installation knows of its own sign-ins: made by `demo`, kept in the data folder."""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from allauth.mfa import app_settings as mfa
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.conf import settings


@dataclass(frozen=True)
class StaffSignIn:
    """A demo member of staff and the secret of their second factor."""

    role: str
    email: str
    totp_secret: str


def path() -> Path:
    return Path(settings.DATA_DIR) / "demo-staff.json"


def remember(sign_ins: list[StaffSignIn]) -> None:
    path().write_text(json.dumps([asdict(one) for one in sign_ins], indent=1))
    path().chmod(0o600)


def recall() -> list[StaffSignIn]:
    """The demo's staff; none outside a demo."""
    if not settings.LOCAL or not path().exists():
        return []
    return [StaffSignIn(**row) for row in json.loads(path().read_text())]


def staff_codes() -> list[tuple[str, str, str]]:
    """(role, address, the code that counts now) of each demo member of staff."""
    return [(one.role, one.email, current_code(one.totp_secret)) for one in recall()]


def current_code(secret: str) -> str:
    """The six digits that an authenticator app would show now (RFC 6238)."""
    counter = int(time.time()) // mfa.TOTP_PERIOD
    return str(format_hotp_value(hotp_value(secret, counter)))
