"""Finding out who asks."""

from django import forms
from django.utils.translation import gettext_lazy

from requests_app import identity, proofs, workflow
from requests_app.admin.deeds.base import Deed, Doing
from requests_app.admin.deeds.work import always, part_of
from requests_app.models import IdentityCheck
from requests_app.states import CheckMethod


class RequireForm(forms.Form):
    method = forms.ChoiceField(
        label=gettext_lazy("Which proof"),
        choices=[(one.value, one.label) for one in CheckMethod if one in proofs.CHOSEN],
        widget=forms.RadioSelect,
    )


class PassedForm(forms.Form):
    passed = forms.TypedChoiceField(
        label=gettext_lazy("What you saw"),
        choices=[("yes", gettext_lazy("it is them")), ("no", gettext_lazy("it is not shown"))],
        coerce=lambda value: value == "yes",
        empty_value=None,
        widget=forms.RadioSelect,
    )


def _check(doing: Doing) -> IdentityCheck:
    found: IdentityCheck = part_of(IdentityCheck, doing)
    return found


DEEDS = (
    Deed(
        name="doubt",
        label=gettext_lazy("Doubt who asks"),
        says=gettext_lazy("The request waits until it is shown who asks. Say so only where you have reason to."),
        done=gettext_lazy("It waits for a proof of identity."),
        act=lambda doing: workflow.doubt(request=doing.request, by=doing.by, at=doing.at),
        check=workflow.check_can_doubt,
    ),
    Deed(
        name="require_proof",
        label=gettext_lazy("Ask for proof of identity"),
        says=gettext_lazy("Ask for no more than the request needs. What is sent is encrypted, and deleted at the end."),
        done=gettext_lazy("The person is asked to show who they are."),
        act=lambda doing: identity.require(
            request=doing.request, method=doing.filled["method"], by=doing.by, at=doing.at
        ),
        check=workflow.check_can_prove,
        form=RequireForm,
    ),
    Deed(
        name="decide_check",
        label=gettext_lazy("Decide"),
        says=gettext_lazy("Look at what was sent, or call the number that we know. It is recorded that you decided."),
        done=gettext_lazy("It is decided."),
        act=lambda doing: identity.decide(check=_check(doing), passed=doing.filled["passed"], by=doing.by, at=doing.at),
        check=always,
        form=PassedForm,
        takes_part=True,
    ),
)
