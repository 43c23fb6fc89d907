"""The legal clock: acknowledging, extending, and a day that staff set."""

from django import forms
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldBooleanWidget

from requests_app import legal_clock
from requests_app.admin.deeds.base import APPROVE, Deed, day, words


class ExtendForm(forms.Form):
    reason = words(gettext_lazy("Why the answer takes longer"), help_text=gettext_lazy("The person reads this."))
    until = day(
        gettext_lazy("Until"),
        required=False,
        help_text=gettext_lazy("Only where the law names no length. Otherwise the law's longest counts."),
    )
    was_told = forms.BooleanField(
        label=gettext_lazy("I told them by letter or telephone"),
        required=False,
        widget=UnfoldBooleanWidget,
        help_text=gettext_lazy("Only where no mail address is known; otherwise a mail says that it takes longer."),
    )


class OverrideForm(forms.Form):
    due_on = day(gettext_lazy("Due"), help_text=gettext_lazy("Not later than the law allows."))
    reason = words(gettext_lazy("Why"), help_text=gettext_lazy("Staff read this on the timeline."))


DEEDS = (
    Deed(
        name="acknowledge",
        label=gettext_lazy("Acknowledge"),
        says=gettext_lazy("It is recorded that the person was told that we have the request."),
        done=gettext_lazy("It is acknowledged."),
        act=lambda doing: legal_clock.acknowledge(request=doing.request, by=doing.by, at=doing.at),
        check=legal_clock.check_can_acknowledge,
    ),
    Deed(
        name="extend",
        label=gettext_lazy("Extend"),
        says=gettext_lazy("The person is told at once of the new day and the reason. It can be done once."),
        done=gettext_lazy("It is extended, and the person is told."),
        act=lambda doing: legal_clock.extend(
            request=doing.request,
            reason=doing.filled["reason"],
            until=doing.filled["until"],
            was_told=doing.filled["was_told"],
            by=doing.by,
            at=doing.at,
        ),
        check=legal_clock.check_can_extend,
        form=ExtendForm,
    ),
    Deed(
        name="override",
        label=gettext_lazy("Set another day"),
        says=gettext_lazy("The day stands in place of the computed one. The reason stays on the timeline."),
        done=gettext_lazy("The day is set."),
        act=lambda doing: legal_clock.override(
            request=doing.request,
            due_on=doing.filled["due_on"],
            reason=doing.filled["reason"],
            by=doing.by,
            at=doing.at,
        ),
        check=legal_clock.check_can_override,
        form=OverrideForm,
        permission=APPROVE,
    ),
)
