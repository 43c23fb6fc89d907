"""What people read of a timeline: each code that is told, as a sentence. Imports no models.

Their pages show it as it goes on, and the answer package has all of it.
"""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from requests_app.states import Right

Words = str | Promise

HAPPENED: dict[str, Words] = {
    "received": gettext_lazy("We received your request."),
    "acknowledged": gettext_lazy("We confirmed that we have it."),
    "answered_with_first": gettext_lazy("It was answered together with your earlier request."),
    "stands_alone": gettext_lazy("It is answered by itself now, and no longer with your earlier request."),
    "moot_after_erasure": gettext_lazy("Your data was erased, so there is nothing left to do here."),
    "doubted": gettext_lazy("We were not sure that it was you who asked."),
    "code_asked": gettext_lazy("A code was sent, to see that the address is yours."),
    "proof_required": gettext_lazy("We asked for a proof of who you are."),
    "proof_passed": gettext_lazy("A proof of who you are was accepted."),
    "proof_failed": gettext_lazy("A proof of who you are was not accepted."),
    "address_confirmed": gettext_lazy("It was shown that the address is yours."),
    "identity_confirmed": gettext_lazy("It was shown who you are."),
    "nothing_held": gettext_lazy("We hold nothing under this address."),
    "evidence_deleted": gettext_lazy("The documents that showed who you are were deleted."),
    "assigned": gettext_lazy("Somebody of our privacy staff looks after it now."),
    "unassigned": gettext_lazy("Somebody else of our privacy staff will look after it."),
    "started": gettext_lazy("We began to work on it."),
    "carried_out": gettext_lazy("It was set going in every place that has your data."),
    "erasure_goes_first": gettext_lazy(
        "The day of your erasure came near before this was answered, so the erasure has begun. What we had put "
        "together for you by then is kept for this answer."
    ),
    "task_done": gettext_lazy("One place is done."),
    "exempted": gettext_lazy("One place was left out, for a reason that the law allows."),
    "refusal_proposed": gettext_lazy("It is being looked at whether the law lets us refuse. A second person decides."),
    "exemption_proposed": gettext_lazy(
        "It is being looked at whether a place may be left out. A second person decides."
    ),
    "refusal_sent_back": gettext_lazy("A second person decided against refusing. The work goes on."),
    "exemption_sent_back": gettext_lazy("A second person decided against leaving that place out. The work goes on."),
    "corrections_written": gettext_lazy("Our staff wrote down what is to be corrected."),
    "awaiting_subject": gettext_lazy("We asked you something and wait for your answer."),
    "resumed": gettext_lazy("You answered, and we went on."),
    "extended": gettext_lazy("It takes us longer than we hoped, and we told you so in time."),
    "deadline_overridden": gettext_lazy("The day of our answer was changed."),
    "clock_moved": gettext_lazy("The day of our answer was worked out anew."),
    "rulebook_adopted": gettext_lazy("The law changed, and the day of our answer was worked out anew."),
    "message_from_staff": gettext_lazy("We wrote to you."),
    "message_from_person": gettext_lazy("You wrote to us."),
    "file_added": gettext_lazy("A file was added."),
    "file_infected": gettext_lazy("A file was not kept, because our scanner found something harmful in it."),
    "file_deleted": gettext_lazy("A file was deleted."),
    "package_asked": gettext_lazy("Your data is being put together."),
    "package_built": gettext_lazy("Your data was put together, and we look through it for data of others."),
    "package_released": gettext_lazy("Your data is ready to download."),
    "package_downloaded": gettext_lazy("Your data was downloaded."),
    "package_failed": gettext_lazy("Putting your data together did not work; we try again."),
    "package_deleted": gettext_lazy("The download was deleted, as we said it would be."),
    "package_let_go": gettext_lazy("You said that you need the download no longer, and it was deleted."),
    "lifting_told": gettext_lazy("We will lift the hold on your data, and told you so before."),
    "restriction_lifted": gettext_lazy("The hold on your data was lifted. What you chose under Choices counts again."),
    "refused": gettext_lazy("We refused it."),
    "partially_fulfilled": gettext_lazy(
        "We did what we could; something was left out, for a reason that the law allows."
    ),
    "appealed": gettext_lazy("You asked us to look at our answer again."),
    "silence_appealed": gettext_lazy("You appealed, because no answer had come in time."),
    "complained": gettext_lazy("You complained to us about it."),
    "reopened": gettext_lazy("We opened it again, to look at our answer once more."),
    "withdrawn": gettext_lazy("You took the request back."),
    "expired": gettext_lazy("It ended, because it was not shown in time who asks."),
    "fulfilled": gettext_lazy("It is done."),
}
HOUSE: dict[str, Words] = {
    "carried_out_unanswered": gettext_lazy("It was begun although you had not seen your data yet."),
    "reminded": gettext_lazy("Our staff were reminded of the day."),
    "escalated": gettext_lazy("The day was missed, and those who lead our privacy staff were told."),
    "letter_given_up": gettext_lazy("A letter to you could not be delivered."),
    "letter_written_again": gettext_lazy("A letter to you was written again."),
    "redacted": gettext_lazy("Something about others was left out of your data."),
    "redaction_undone": gettext_lazy("Something that was left out of your data was put back."),
    "files_cleared": gettext_lazy("Our staff looked into files themselves before you got them."),
    "clearance_undone": gettext_lazy("Our staff looked into files once more."),
    "package_looked_into": gettext_lazy("Our staff looked through your data before you got it."),
    "evidence_exported": gettext_lazy("Our staff took out the record of this request."),
    "pause_began": gettext_lazy("From here on we waited for you."),
    "pause_ended": gettext_lazy("What we waited for came."),
}
"""What a request's page leaves out, because it changes nothing for the person or another entry tells it."""
FULFILLED: dict[str, Words] = {
    Right.ERASURE: gettext_lazy("Every dataset was checked again, or whoever keeps it told us; your data is erased."),
    Right.OBJECTION: gettext_lazy("Your no has arrived everywhere, and we looked again."),
}
SOMETHING = gettext_lazy("Something was done on your request.")


def happened(code: str, right: str) -> Words:
    """What an entry tells; a code that is not known here is not hidden, and not shown raw either."""
    if code == "fulfilled" and right in FULFILLED:
        return FULFILLED[right]
    return HAPPENED.get(code) or HOUSE.get(code) or SOMETHING
