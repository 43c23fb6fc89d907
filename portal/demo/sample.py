"""Loading the sample network: rules, people, datasets, staff, a partner. Twice changes nothing."""

import json
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction
from oauth2_provider.models import get_application_model
from oauth2_provider.scopes import get_scopes_backend

from consents import rules, subjects
from consents.models import Partner
from consents.subjects import Newcomer
from downstream import registry
from downstream.models import Dataset
from portal import actors, clock, demo_access, roles
from portal.demo import datasets, people
from portal.demo_access import StaffSignIn
from portal.models import User
from requests_app import message_templates, systems
from requests_app.models import System
from requests_app.states import Right

RULEBOOK = rules.RULEBOOKS / "2024-09.toml"
_BY = actors.command("demo")
_STAFF = {
    "bob@linkwell.example": roles.AGENT,
    "petra@linkwell.example": roles.MANAGER,
    "mona@linkwell.example": roles.MANAGER,
    "ada@linkwell.example": roles.ADMINISTRATOR,
}


@dataclass(frozen=True)
class PartnerSignIn:
    """The demo partner's client credentials."""

    client_id: str
    client_secret: str


def load() -> tuple[list[StaffSignIn], PartnerSignIn]:
    """Bring everything that is not there yet; answers the staff's and the partner's sign-ins."""
    at = clock.now()
    roles.set_up()
    rules.load(path=RULEBOOK, by=_BY, at=at)
    message_templates.load(by=_BY, at=at)
    _systems(at)
    everyone = people.everyone()
    newcomers = [
        Newcomer(
            names=(subjects.name("account", one.account), subjects.name("email", one.email)),
            jurisdiction=one.jurisdiction,
        )
        for one in everyone
    ]
    subjects.register_many(newcomers=newcomers, by=_BY, at=at)
    folder = Path(settings.DATA_DIR) / "demo-datasets"
    datasets.write(folder, everyone)
    for registration in datasets.registrations(folder):
        if not Dataset.objects.filter(slug=registration.slug).exists():
            registry.register(registration=registration, by=_BY, at=at)
    return _staff(), _partner()


def _systems(at: datetime) -> None:
    """Where people's data is kept beside the datasets."""
    if not System.objects.filter(slug="support-desk").exists():
        systems.register(
            slug="support-desk",
            name="Support desk",
            public_name="Our help desk",
            rights=[Right.ACCESS, Right.RECTIFICATION],
            instructions="Search the desk by the person's address. For access, attach the export of their tickets to "
            "this task; for a correction, note on their tickets what is right.",
            by=_BY,
            at=at,
        )


def _staff() -> list[StaffSignIn]:
    known = {one.email: one for one in demo_access.recall()}
    sign_ins = []
    for email, role in _STAFF.items():
        sign_in = known.get(email) or StaffSignIn(role=role, email=email, totp_secret=generate_totp_secret())
        _account(sign_in)
        sign_ins.append(sign_in)
    demo_access.remember(sign_ins)
    return sign_ins


@transaction.atomic
def _account(sign_in: StaffSignIn) -> None:
    user, created = User.objects.get_or_create(
        email=sign_in.email, defaults={"username": sign_in.email.partition("@")[0], "is_staff": True}
    )
    if created:
        user.set_unusable_password()
        user.save()
    user.groups.set([Group.objects.get(name=sign_in.role)])
    Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).delete()
    TOTP.activate(user, sign_in.totp_secret)


@transaction.atomic
def _partner() -> PartnerSignIn:
    path = Path(settings.DATA_DIR) / "demo-partner.json"
    application_model = get_application_model()
    if path.exists():
        sign_in = PartnerSignIn(**json.loads(path.read_text()))
        if application_model.objects.filter(client_id=sign_in.client_id).exists():
            return sign_in
    sign_in = PartnerSignIn(client_id="acme", client_secret=secrets.token_urlsafe(24))
    application_model.objects.filter(client_id="acme", partner__isnull=True).delete()
    application = application_model.objects.create(
        name="Acme",
        client_id=sign_in.client_id,
        client_secret=sign_in.client_secret,
        client_type=application_model.CLIENT_CONFIDENTIAL,
        authorization_grant_type=application_model.GRANT_CLIENT_CREDENTIALS,
    )
    Partner.objects.create(
        slug="acme",
        name="Acme Talent",
        application=application,
        recipients=["", "linkwell", "northlight"],
        schemes=["account", "email"],
        scopes=list(get_scopes_backend().get_all_scopes()),
    )
    path.write_text(json.dumps(asdict(sign_in)))
    path.chmod(0o600)
    return sign_in
