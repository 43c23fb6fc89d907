"""Writing down what is to be corrected, of a rectification that came in words."""

from typing import Any

from django.utils.translation import gettext_lazy

from requests_app import correcting, workflow
from requests_app.admin.correction_forms import StaffCorrectionsForm
from requests_app.admin.deeds.base import Deed
from requests_app.models import Request
from requests_app.rights import rectification
from requests_app.states import Right


class WriteForm(StaffCorrectionsForm):
    """All that is to be corrected. What the person typed themselves is shown, and stays."""

    def __init__(self, data: Any = None, files: Any = None, *, initial: dict[str, Any]) -> None:
        request: Request = initial["request"]
        kept = rectification.corrections(request)
        super().__init__(data, kept=correcting.with_room(kept), initial={**initial, **correcting.initial(kept)})
        for number in range(workflow.fixed_corrections(request)):
            for part in correcting.PARTS:
                self.fields[correcting.name(part, number)].disabled = True

    def clean(self) -> dict[str, Any]:
        return super().clean() | {"corrections": self.filled_corrections()}


DEEDS = (
    Deed(
        name="write_corrections",
        label=gettext_lazy("Write down what is to be corrected"),
        says=gettext_lazy(
            "Whoever works on it in each place, and the person, read it on the page of the request. It can be changed "
            "until the request is carried out."
        ),
        done=gettext_lazy("It is written down."),
        act=lambda doing: workflow.write_corrections(
            request=doing.request, corrections=doing.filled["corrections"], by=doing.by, at=doing.at
        ),
        check=workflow.check_can_write_corrections,
        form=WriteForm,
        press=gettext_lazy("Write it down"),
        rights=frozenset({Right.RECTIFICATION}),
    ),
)
