"""What the environment says, where it has to be looked at or put together before it serves as a setting.

Each fails at start with a sentence that says what to write instead. Every variable may also be NAME_FILE with a path.
"""

import re
from datetime import timedelta
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.FileAwareEnv()


def required(name: str, remedy: str) -> str:
    value: str = env.str(name, "")
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. {remedy}")
    return value


def is_local() -> bool:
    """Whether this is a try-out or a test, and not production."""
    kind = env.str("HEED_ENV", "local")
    if kind not in {"local", "production"}:
        raise ImproperlyConfigured("HEED_ENV is either local or production.")
    return bool(kind == "local")


def database(url: str) -> dict[str, Any]:
    """Django's settings of the PostgreSQL at this address, with a pool of connections."""
    config: dict[str, Any] = env.db_url_config(url)
    if config["ENGINE"] != "django.db.backends.postgresql":
        raise ImproperlyConfigured("DATABASE_URL must name a PostgreSQL; Heed runs on no other database.")
    pool = {"min_size": 0, "max_size": env.int("HEED_POOL", 8), "timeout": 10}
    return config | {"ENGINE": "portal.postgres", "OPTIONS": config.get("OPTIONS", {}) | {"pool": pool}}


def mining_policy() -> str:
    """Where the terms for mining reserved content are (TDMRep's tdm-policy); empty where there are none."""
    policy: str = env.str("HEED_TDM_POLICY", "")
    if policy and not policy.startswith("https://"):
        raise ImproperlyConfigured("HEED_TDM_POLICY is the address of a policy and begins with https://, or is empty.")
    return policy


def dataset_roots() -> dict[str, list[str]]:
    """Recipient → folders or addresses below which partners may register its datasets over the API; empty: nowhere."""
    roots: dict[str, list[str]] = {}
    for entry in env.list("HEED_DATASET_ROOTS", default=[]):
        recipient, _equals, root = (part.strip() for part in entry.partition("="))
        if not re.fullmatch(r"[-\w]+", recipient) or not root:
            raise ImproperlyConfigured(
                "HEED_DATASET_ROOTS says whose datasets may lie where, as in northlight=/data/theirs,linkwell=/data/own"
                ": write the recipient's slug before each folder."
            )
        roots.setdefault(recipient, []).append(root)
    return roots


def permit_lasts() -> timedelta:
    """How long a training permit lasts; a run that takes longer asks again."""
    lasts = timedelta(hours=env.int("HEED_PERMIT_HOURS", 24))
    if not timedelta(hours=1) <= lasts <= timedelta(days=30):
        raise ImproperlyConfigured("HEED_PERMIT_HOURS is 1 to 720.")
    return lasts


def virus_scanner() -> str:
    """clamd's socket, such as unix:///run/clamav/clamd.ctl or tcp://127.0.0.1:3310; empty: files are not scanned."""
    socket: str = env.str("HEED_CLAMAV", "")
    if socket and not re.fullmatch(r"unix:///.+|tcp://.+:\d+", socket):
        raise ImproperlyConfigured("HEED_CLAMAV is unix:///path/of/the/socket or tcp://host:port, or is empty.")
    return socket


def opendsr_files() -> tuple[str, str]:
    """PEM files: the certificate of the domain for OpenDSR, its chain behind it, and its key.

    Without them we sign our own certificate, which the protocol allows nobody to trust.
    """
    certificate, key = env.str("HEED_OPENDSR_CERTIFICATE", ""), env.str("HEED_OPENDSR_KEY", "")
    if bool(certificate) != bool(key):
        raise ImproperlyConfigured(
            "HEED_OPENDSR_CERTIFICATE and HEED_OPENDSR_KEY name two PEM files: give both, or none."
        )
    return certificate, key


def controller(*, local: bool, email: str) -> dict[str, str]:
    """Who answers for the data, as receipts print it; what the controller is called is in the rulebook.

    `storage` is the ISO 3166 code of the country where the data is kept, `retention` until when, in words; `automated`
    and `safeguards` are sentences for answers to access requests: decisions made by machines elsewhere, safeguards of
    transfers.
    """
    return {
        "contact": env.str("HEED_CONTROLLER_CONTACT", "Privacy team"),
        "address": env.str("HEED_CONTROLLER_ADDRESS", "1 Link Way, Springfield" if local else ""),
        "email": env.str("HEED_CONTROLLER_EMAIL", email),
        "phone": env.str("HEED_CONTROLLER_PHONE", "+1 555 0100" if local else ""),
        "storage": env.str("HEED_STORAGE_COUNTRY", "US" if local else ""),
        "retention": env.str("HEED_RETENTION", "until you delete it or close your account" if local else ""),
        "automated": env.str("HEED_AUTOMATED_DECISIONS", ""),
        "safeguards": env.str("HEED_SAFEGUARDS", ""),
    }
