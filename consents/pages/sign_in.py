"""Asking for a sign-in code: staff by business address, people by their sealed address."""

from allauth.account.adapter import get_adapter
from allauth.account.forms import RequestLoginCodeForm
from allauth.core import context, ratelimit
from django.utils.translation import gettext_lazy as _

from consents import subjects
from consents.vocabulary import Scheme
from portal import clock
from portal.models import User


class RequestCodeForm(RequestLoginCodeForm):  # type: ignore[misc]
    """allauth's form, but the address is looked up by its blind index; never tells whether it is known."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = _("Your mail address")

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        if not ratelimit.consume(context.request, action="request_login_code", key=email.lower()):
            raise get_adapter().validation_error("too_many_login_attempts")
        self._user = _account(email)
        return email


def _account(email: str) -> User | None:
    staff: User | None = User.objects.filter(email__iexact=email, is_active=True).first()
    if staff is not None:
        return staff
    try:
        subject = subjects.find(subjects.name(Scheme.EMAIL, email))
    except subjects.IdentifierError:
        return None
    return subjects.account_of(subject, at=clock.now()) if subject else None
