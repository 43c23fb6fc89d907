"""Taking a request up, carrying it out, its tasks, and what two people decide about it."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminSelectWidget

from portal import clock
from portal.errors import NotFound
from requests_app import grounds, identity, steps, workflow
from requests_app.admin.deeds.base import APPROVE, Deed, Doing, colleagues, words
from requests_app.models import Proposal, Request, Task
from requests_app.rights import restriction
from requests_app.states import Right


class AssignForm(forms.Form):
    """Begins with whose it is, so that a press at once gives it to nobody else."""

    staff = colleagues()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["staff"].initial = self.initial["request"].assigned_to


class AwaitForm(forms.Form):
    words = words(
        gettext_lazy("What we need from the person"), help_text=gettext_lazy("They read this under their request.")
    )


class GroundForm(forms.Form):
    """A ground that fits the right, and why."""

    ground = forms.ChoiceField(label=gettext_lazy("Ground in law"), widget=UnfoldAdminSelectWidget)
    reason = words(gettext_lazy("Why"), help_text=gettext_lazy("The person and whoever decides an appeal read this."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        request: Request = self.initial["request"]
        fitting = grounds.of(request.right, about=request.about.right if request.about else None)
        field: Any = self.fields["ground"]
        field.choices = [(one.value, f"{str(one.label).split(' – ')[0]} – {law}") for one, law in fitting.items()]


class DecideForm(forms.Form):
    approve = forms.TypedChoiceField(
        label=gettext_lazy("Your decision"),
        choices=[("yes", gettext_lazy("approve it")), ("no", gettext_lazy("send it back"))],
        coerce=lambda value: value == "yes",
        empty_value=None,
        widget=UnfoldAdminRadioSelectWidget,
    )


class EvidenceForm(forms.Form):
    evidence = words(gettext_lazy("What was done, and what shows it"))


class ReasonForm(forms.Form):
    words = words(gettext_lazy("Why"))


class UnansweredForm(forms.Form):
    words = words(
        gettext_lazy("Why it cannot wait for their copy"), help_text=gettext_lazy("Staff read this on the timeline.")
    )


def _task(doing: Doing) -> Task:
    found: Task = part_of(Task, doing)
    return found


def part_of(model: Any, doing: Doing) -> Any:
    """The part of this request that the address names."""
    from_here = model.objects.filter(request=doing.request)
    try:
        return from_here.get(pk=doing.of)
    except (model.DoesNotExist, ValueError, forms.ValidationError) as error:
        raise NotFound("unknown_part", "That is no part of this request.") from error


def _decide(doing: Doing) -> None:
    """What was sent back may have been proven while it waited for the decision."""
    is_approved: bool = doing.filled["approve"]
    workflow.decide(proposal=part_of(Proposal, doing), approve=is_approved, by=doing.by, at=doing.at)
    if not is_approved:
        identity.advance(request=doing.request, by=doing.by, at=doing.at)


def always(request: Request) -> None:
    """No state forbids it."""


DEEDS = (
    Deed(
        name="start",
        label=gettext_lazy("Start work"),
        says=gettext_lazy("It is assigned to you, and the person sees that somebody took it up."),
        done=gettext_lazy("The request is yours."),
        act=lambda doing: workflow.start(request=doing.request, staff=doing.staff, by=doing.by, at=doing.at),
        check=workflow.check_can_start,
        is_onward=True,
    ),
    Deed(
        name="carry_out",
        label=gettext_lazy("Carry it out"),
        says=gettext_lazy(
            "What the person asks is set going in every place that has their data, with a task for each place."
        ),
        final={
            Right.ERASURE: gettext_lazy(
                "The person's rows leave every dataset, and then their addresses and their key are destroyed. Nobody "
                "can bring them back. The request closes by itself once every place has been looked at again."
            )
        },
        is_onward=True,
        done=gettext_lazy("It is on its way."),
        act=lambda doing: workflow.carry_out(request=doing.request, by=doing.by, at=doing.at),
        check=workflow.check_can_carry_out,
    ),
    Deed(
        name="carry_out_unanswered",
        label=gettext_lazy("Carry it out before their copy"),
        says="",
        final={
            Right.ERASURE: gettext_lazy(
                "The person asked to see their data and has no answer yet. Their rows leave every dataset now, because "
                "the day of the erasure is near; nobody can bring them back. Their copy is answered from what was "
                "built before: built again, it holds only what is left. Answer it before the day of the erasure: then "
                "their key is destroyed, and the copy with it. Both timelines tell of this."
            )
        },
        done=gettext_lazy("It is on its way. Now answer their request for a copy."),
        act=lambda doing: workflow.carry_out_unanswered(
            request=doing.request, words=doing.filled["words"], by=doing.by, at=doing.at
        ),
        check=lambda request: workflow.check_can_carry_out_unanswered(request, at=clock.now()),
        form=UnansweredForm,
        rights=frozenset({Right.ERASURE}),
    ),
    Deed(
        name="fulfil",
        label=gettext_lazy("Answer and close"),
        says=gettext_lazy("Every task is settled. The person is told that the request is answered, and it is closed."),
        done=gettext_lazy("The request is closed."),
        act=lambda doing: workflow.fulfil(request=doing.request, by=doing.by, at=doing.at),
        check=workflow.check_can_fulfil,
        is_onward=True,
    ),
    Deed(
        name="assign",
        label=gettext_lazy("Assign"),
        says=gettext_lazy("Who works on it changes, and nothing else."),
        done=gettext_lazy("It is assigned."),
        act=lambda doing: workflow.assign(request=doing.request, staff=doing.filled["staff"], by=doing.by, at=doing.at),
        check=workflow.check_can_assign,
        form=AssignForm,
    ),
    Deed(
        name="await_subject",
        label=gettext_lazy("Ask the person"),
        says=gettext_lazy(
            "The request waits for the person. Whether the clock stands still meanwhile is the law's to say."
        ),
        done=gettext_lazy("The person is asked."),
        act=lambda doing: workflow.await_subject(
            request=doing.request, words=doing.filled["words"], by=doing.by, at=doing.at
        ),
        check=workflow.check_can_await_subject,
        form=AwaitForm,
    ),
    Deed(
        name="resume",
        label=gettext_lazy("Go on"),
        says=gettext_lazy("What was asked of the person is answered; the clock runs again."),
        done=gettext_lazy("The request is in progress again."),
        act=lambda doing: workflow.resume(request=doing.request, by=doing.by, at=doing.at),
        check=workflow.check_can_resume,
        is_onward=True,
    ),
    Deed(
        name="propose_refusal",
        label=gettext_lazy("Propose to refuse"),
        says=gettext_lazy(
            "A colleague has to approve it. Only then the person is told, with the ground and how to appeal."
        ),
        done=gettext_lazy("It waits for a colleague's decision."),
        act=lambda doing: workflow.propose_refusal(
            request=doing.request,
            ground=doing.filled["ground"],
            reason=doing.filled["reason"],
            by=doing.by,
            at=doing.at,
        ),
        check=workflow.check_can_propose_refusal,
        form=GroundForm,
    ),
    Deed(
        name="decide",
        label=gettext_lazy("Decide"),
        says=gettext_lazy("You are the second pair of eyes: whoever proposed it cannot decide it."),
        done=gettext_lazy("It is decided."),
        act=_decide,
        check=always,
        form=DecideForm,
        permission=APPROVE,
        takes_part=True,
    ),
    Deed(
        name="settle",
        label=gettext_lazy("It is done"),
        says=gettext_lazy("The task is settled with your name and what you write here, as evidence."),
        done=gettext_lazy("The task is done."),
        act=lambda doing: steps.settle_by_hand(
            task=_task(doing), evidence=doing.filled["evidence"], by=doing.by, at=doing.at
        ),
        check=always,
        form=EvidenceForm,
        takes_part=True,
    ),
    Deed(
        name="exempt",
        label=gettext_lazy("Propose to exempt"),
        says=gettext_lazy(
            "A colleague has to approve it. Then the data stays there, on this ground, and the person is told."
        ),
        done=gettext_lazy("It waits for a colleague's decision."),
        act=lambda doing: steps.propose_exemption(
            task=_task(doing),
            ground=doing.filled["ground"],
            reason=doing.filled["reason"],
            by=doing.by,
            at=doing.at,
        ),
        check=always,
        form=GroundForm,
        takes_part=True,
    ),
    Deed(
        name="reopen",
        label=gettext_lazy("Reopen"),
        says=gettext_lazy("The answer is taken up again, as an appeal asked for; the person is told."),
        done=gettext_lazy("The request is open again."),
        act=lambda doing: workflow.reopen(request=doing.request, words=doing.filled["words"], by=doing.by, at=doing.at),
        check=workflow.check_can_reopen,
        form=ReasonForm,
        permission=APPROVE,
    ),
    Deed(
        name="tell_of_lifting",
        label=gettext_lazy("Announce that the restriction is lifted"),
        says=gettext_lazy("The person is told before their data may be used again (GDPR Art. 18(3))."),
        done=gettext_lazy("The person is told."),
        act=lambda doing: restriction.tell_of_lifting(request=doing.request, by=doing.by, at=doing.at),
        check=restriction.check_can_tell_of_lifting,
        rights=frozenset({Right.RESTRICTION}),
    ),
    Deed(
        name="lift_restriction",
        label=gettext_lazy("Lift the restriction"),
        says=gettext_lazy("What the person chose decides again. They were told of it a week ago or longer."),
        done=gettext_lazy("The restriction is lifted."),
        act=lambda doing: restriction.lift(request=doing.request, by=doing.by, at=doing.at),
        check=restriction.check_can_lift,
        rights=frozenset({Right.RESTRICTION}),
    ),
)
