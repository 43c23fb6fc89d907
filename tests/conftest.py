"""The fixed cast and the little world they live in.

Alice and Grace are people, Bob an agent, Petra and Mona privacy managers,
Ada an administrator, Charlie must see nothing, Acme a partner.
"""

import secrets
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client, TransactionTestCase
from django.utils import translation
from oauth2_provider.models import get_access_token_model, get_application_model

from consents import purposes, rules, sequencer, subjects
from consents.api import partners
from consents.models import LedgerEvent, Partner, Subject
from consents.subjects import Newcomer
from downstream import registry
from downstream.models import Dataset
from portal import api_tokens, rate_limits, roles
from portal.models import User
from tests import corpus, emptying

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""A Monday at noon: the moment at which the cast acts where a test does not say otherwise."""
BY = "staff:00000000-0000-0000-0000-000000000001"
OTHER = "staff:00000000-0000-0000-0000-000000000002"
WORLD = Path(__file__).parent / "world.toml"


@pytest.fixture(scope="session", autouse=True)
def empties_what_was_written() -> Iterator[None]:
    """Tests that commit leave an empty database behind them, ten times sooner than Django's flush does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", emptying.empty)
        yield


@pytest.fixture(autouse=True)
def fast_hashes(settings: Any) -> None:
    """Hashing a client's secret slowly is half of a test's time, and nobody attacks these."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def in_english() -> None:
    """The language that another test's browser asked for is not this one's."""
    translation.deactivate()


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """What this process remembers of another test's database is forgotten."""
    for place in (api_tokens, partners, purposes, rate_limits):
        place.forget()


@pytest.fixture(autouse=True)
def counted_from_now_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are counted in minutes and hours of the clock; of a test none is cut in two, nor shared with another's."""
    began, own = time.time(), secrets.randbelow(2**31) * 86_400
    monkeypatch.setattr(rate_limits, "_now", lambda: own + time.time() - began)


@pytest.fixture
def world(db: None) -> None:
    """Recipients, purposes, a notice and rules; see `world.toml`."""
    rules.load(path=WORLD, by=BY, at=AT.replace(year=2026, month=1, day=1))


def person(name: str, jurisdiction: str = "US", *, at: datetime = AT, is_minor: bool = False) -> Subject:
    """Register somebody called `m_<name>` with the address <name>@example.org."""
    names = (subjects.name("account", f"m_{name}"), subjects.name("email", f"{name}@example.org"))
    newcomer = Newcomer(names=names, jurisdiction=jurisdiction, is_minor=is_minor)
    return subjects.register(newcomer=newcomer, by=BY, at=at)


@pytest.fixture
def alice(world: None) -> Subject:
    """A member in the US, where AI training is on unless refused."""
    return person("alice")


@pytest.fixture
def grace(world: None) -> Subject:
    """A member in Great Britain."""
    return person("grace", "GB")


@pytest.fixture
def charlie(world: None) -> Subject:
    """Another member, who must see nothing of Alice's."""
    return person("charlie")


def staff_member(name: str, role: str | None) -> User:
    user = User.objects.create(username=name, email=f"{name}@staff.example", is_staff=True)
    user.set_unusable_password()
    user.save()
    if role:
        roles.set_up()
        user.groups.add(Group.objects.get(name=role))
    return user


@pytest.fixture
def bob(db: None) -> User:
    return staff_member("bob", roles.AGENT)


@pytest.fixture
def petra(db: None) -> User:
    return staff_member("petra", roles.MANAGER)


@pytest.fixture
def mona(db: None) -> User:
    return staff_member("mona", roles.MANAGER)


@pytest.fixture
def ada(db: None) -> User:
    return staff_member("ada", roles.ADMINISTRATOR)


SignIn = Callable[..., Client]
"""The fixture below: who signs in, to their browser."""


@pytest.fixture
def signed_in() -> SignIn:
    """A browser of this person or member of staff, who passed a second factor unless said otherwise."""

    def sign_in(who: Subject | User, *, second_factor: bool = True) -> Client:
        user = who if isinstance(who, User) else subjects.account_of(who, at=AT)
        browser = Client()
        browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        if second_factor:
            session = browser.session
            session["account_authentication_methods"] = [{"method": "mfa", "at": AT.timestamp()}]
            session["account_authentication_methods_user"] = str(user.pk)
            session.save()
        return browser

    return sign_in


@pytest.fixture
def own_cache(settings: Any) -> None:
    """Redis is shared with other tests; counts of calls, and what is remembered, must not be."""
    lose_counts(settings)


def lose_counts(settings: Any) -> None:
    """Begin with an empty cache."""
    settings.CACHES = {"default": {**settings.CACHES["default"], "KEY_PREFIX": uuid.uuid4().hex}}


@pytest.fixture
def acme(world: None) -> Partner:
    """A partner that speaks for everyone in every country, and names people by account or address."""
    return partner("acme", recipients=["", "linkwell", "northlight"], schemes=["account", "email"])


@pytest.fixture
def northlight(world: None) -> Partner:
    """An affiliate that holds a copy of posts."""
    return partner("northlight", recipients=["northlight"], schemes=["account"])


def partner(
    slug: str,
    *,
    recipients: list[str],
    schemes: list[str],
    jurisdictions: list[str] | None = None,
    scopes: list[str] | None = None,
) -> Partner:
    """A partner and its client; it may ask for every scope unless told otherwise."""
    model = get_application_model()
    application = model.objects.create(
        name=slug,
        client_id=slug,
        client_secret="only-for-tests",
        client_type=model.CLIENT_CONFIDENTIAL,
        authorization_grant_type=model.GRANT_CLIENT_CREDENTIALS,
    )
    return Partner.objects.create(
        slug=slug,
        name=slug.title(),
        application=application,
        recipients=recipients,
        schemes=schemes,
        jurisdictions=jurisdictions or [],
        scopes=list(settings.OAUTH2_PROVIDER["SCOPES"]) if scopes is None else scopes,
    )


def token_of(partner: Partner, scope: str) -> str:
    """A bearer token of this partner with these scopes."""
    token = get_access_token_model().objects.create(
        application=partner.application,
        token=secrets.token_urlsafe(),
        scope=scope,
        expires=datetime(2100, 1, 1, tzinfo=UTC),
    )
    return str(token.token)


def write_parquet(folder: Path, rows: Mapping[str, Sequence[object]], *, name: str = "part-0.parquet") -> Path:
    """One Parquet file of these columns below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(rows), folder / name, row_group_size=4)
    return folder


def dataset_of(
    folder: Path, *, slug: str = "posts", purposes: tuple[str, ...] = ("ai-training",), owner: str = "linkwell"
) -> Dataset:
    """Register the folder, keyed by account in the column `author`."""
    registration = registry.Registration(
        slug=slug,
        name=slug.title(),
        owner=owner,
        purposes=purposes,
        location=str(folder),
        key_column="author",
        key_scheme="account",
    )
    return registry.register(registration=registration, by=BY, at=AT)


def sequenced() -> int:
    """Give every committed event its position (needs `django_db(transaction=True)`); answers the head.

    Waits: transactions of other test processes hold the horizon back, as anybody's in one cluster do.
    """
    assert not connection.in_atomic_block, "what is not committed gets no position: use django_db(transaction=True)"
    give_up = time.monotonic() + 60
    while True:
        sequencer.advance(at=AT)
        if not LedgerEvent.objects.filter(placed__isnull=True).exists():
            return sequencer.head()
        assert time.monotonic() < give_up, "somebody's transaction stays open"
        time.sleep(0.02)


def pytest_report_header() -> str:
    """Which corpus the journeys work on."""
    return f"corpus: {corpus.PLACE if corpus.is_real() else 'made up, because HEED_CORPUS names none'}"
