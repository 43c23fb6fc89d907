"""Rights, statuses and which status may follow which; imports nothing of ours."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Right(models.TextChoices):
    """What a person may ask for; what carrying each out means is in `rights/`."""

    ACCESS = "access", _("See my data")
    PORTABILITY = "portability", _("Take my data elsewhere")
    RECTIFICATION = "rectification", _("Correct my data")
    ERASURE = "erasure", _("Erase my data")
    RESTRICTION = "restriction", _("Put my data on hold")
    OBJECTION = "objection", _("Object to a use of my data")
    WITHDRAW_CONSENT = "withdraw_consent", _("Take back my consent")
    OPT_OUT_SALE = "opt_out_sale", _("Do not sell or share my data")
    AUTOMATED_DECISION = "automated_decision", _("Have an automated decision reviewed")
    COMPLAINT = "complaint", _("Complain")
    APPEAL = "appeal", _("Appeal")


AT_ONCE = frozenset({Right.OBJECTION, Right.WITHDRAW_CONSENT, Right.OPT_OUT_SALE, Right.RESTRICTION})
"""What is carried out as soon as the person is known, without staff: each says no to something."""
RISKY = frozenset({Right.ACCESS, Right.PORTABILITY, Right.ERASURE, Right.RECTIFICATION})
"""What harms the person if somebody else gets it: who does not sign in needs a second proof."""
LIMITED = (Right.OBJECTION, Right.WITHDRAW_CONSENT, Right.OPT_OUT_SALE, Right.RESTRICTION)
"""What is about uses that are named, in the order in which pages ask for them."""
IN_WORDS = frozenset({Right.RECTIFICATION, Right.AUTOMATED_DECISION})
"""What is asked stands in the person's words alone: two of these may be about two things."""
VOUCH = "requests:vouch"
"""The scope of partners that have verified whom they deal with."""
FOLLOW_UPS = frozenset({Right.COMPLAINT, Right.APPEAL})
"""What is asked about an earlier request."""


class Status(models.TextChoices):
    RECEIVED = "received", _("received")
    VERIFYING = "verifying", _("waiting for proof of identity")
    IN_PROGRESS = "in_progress", _("in progress")
    AWAITING_SUBJECT = "awaiting_subject", _("waiting for the person")
    IN_REVIEW = "in_review", _("in review")
    FULFILLED = "fulfilled", _("fulfilled")
    PARTIALLY_FULFILLED = "partially_fulfilled", _("partially fulfilled")
    REFUSED = "refused", _("refused")
    WITHDRAWN = "withdrawn", _("withdrawn")
    EXPIRED = "expired", _("expired")


ANSWERED = frozenset({Status.FULFILLED, Status.PARTIALLY_FULFILLED, Status.REFUSED})
"""Closed with an answer, which an appeal may open again."""
CLOSED = ANSWERED | {Status.WITHDRAWN, Status.EXPIRED}

TRANSITIONS: dict[str, frozenset[str]] = {
    Status.RECEIVED: frozenset({Status.VERIFYING, Status.IN_PROGRESS, Status.WITHDRAWN}),
    Status.VERIFYING: frozenset({Status.RECEIVED, Status.IN_REVIEW, Status.WITHDRAWN, Status.EXPIRED}),
    Status.IN_PROGRESS: frozenset(
        {
            Status.AWAITING_SUBJECT,
            Status.IN_REVIEW,
            Status.FULFILLED,
            Status.PARTIALLY_FULFILLED,
            Status.WITHDRAWN,
        }
    ),
    Status.AWAITING_SUBJECT: frozenset({Status.IN_PROGRESS, Status.IN_REVIEW, Status.WITHDRAWN}),
    Status.IN_REVIEW: frozenset(
        {Status.VERIFYING, Status.IN_PROGRESS, Status.AWAITING_SUBJECT, Status.REFUSED, Status.WITHDRAWN}
    ),
    # on appeal alone
    Status.FULFILLED: frozenset({Status.IN_PROGRESS}),
    Status.PARTIALLY_FULFILLED: frozenset({Status.IN_PROGRESS}),
    Status.REFUSED: frozenset({Status.IN_PROGRESS}),
    Status.WITHDRAWN: frozenset(),
    Status.EXPIRED: frozenset(),
}


class Channel(models.TextChoices):
    """Through which door a request came in."""

    PAGES = "pages", _("on these pages")
    API = "api", _("through a partner service")
    AGENT = "agent", _("through an authorised agent (DRP)")
    OPENDSR = "opendsr", _("from a controller whose processor we are (OpenDSR)")
    PHONE = "phone", _("by telephone")
    LETTER = "letter", _("by letter")
    MAIL = "mail", _("by mail")
    IN_PERSON = "in_person", _("in person")
    IMPORT = "import", _("from a file")


BY_STAFF = (Channel.PHONE, Channel.LETTER, Channel.MAIL, Channel.IN_PERSON)
"""What staff write down for somebody."""


class Capacity(models.TextChoices):
    """As who somebody asks for a person."""

    SELF = "self", _("for themselves")
    PARENT = "parent", _("as parent or guardian")
    AGENT = "agent", _("as an authorised agent")
    HEIR = "heir", _("as heir")
    CONTROLLER = "controller", _("as the controller of the data, for whom we process it")


BY_WHOM = [(one.value, one.label) for one in Capacity if one != Capacity.CONTROLLER]
"""As who somebody may say that they ask; a controller instructs us over OpenDSR alone."""


class Ground(models.TextChoices):
    """Why the law lets a request be refused, or something be exempted from it."""

    NOT_IDENTIFIED = "not_identified", _("identity not shown – GDPR Art. 11(2), 12(6)")
    UNFOUNDED = "unfounded", _("manifestly unfounded – GDPR Art. 12(5)")
    EXCESSIVE = "excessive", _("excessive, in particular repeated – GDPR Art. 12(5)")
    RIGHTS_OF_OTHERS = "rights_of_others", _("rights and freedoms of others – GDPR Art. 15(4)")
    LEGAL_OBLIGATION = "legal_obligation", _("a legal obligation to keep it – GDPR Art. 17(3)(b)")
    LEGAL_CLAIMS = "legal_claims", _("legal claims – GDPR Art. 17(3)(e)")
    FREE_EXPRESSION = "free_expression", _("freedom of expression and information – GDPR Art. 17(3)(a)")
    PUBLIC_INTEREST = "public_interest", _("public interest, archiving, research – GDPR Art. 17(3)(c), (d)")
    COMPELLING_GROUNDS = "compelling_grounds", _("compelling legitimate grounds – GDPR Art. 21(1)")
    NOT_APPLICABLE = "not_applicable", _("the right does not apply here")
    ACCURATE = "accurate", _("the data is accurate – GDPR Art. 16")
    NO_AUTHORITY = "no_authority", _("no authority to ask for this person")


class TaskKind(models.TextChoices):
    """Who does the work of a task."""

    AUTOMATIC = "automatic", _("automatic")
    MANUAL = "manual", _("by hand")


class TaskStatus(models.TextChoices):
    OPEN = "open", _("open")
    DONE = "done", _("done")
    EXEMPTED = "exempted", _("exempted")


class ProposalKind(models.TextChoices):
    """What two people decide."""

    REFUSE = "refuse", _("refuse the request")
    EXEMPT = "exempt", _("exempt a system")


class CheckMethod(models.TextChoices):
    """How it is shown who somebody is."""

    CODE = "code", _("a code sent to their address")
    SECOND_CODE = "second_code", _("a code sent to a second address that we know")
    DOCUMENT = "document", _("a document that staff look at")
    CALLBACK = "callback", _("a call to a number that we know")
    CONFIRMATION = "confirmation", _("the person confirms that the agent may ask for them")


class CheckStatus(models.TextChoices):
    PENDING = "pending", _("pending")
    PASSED = "passed", _("passed")
    FAILED = "failed", _("failed")
    EXPIRED = "expired", _("out of time")


class FileUse(models.TextChoices):
    """What an attachment is for; evidence of identity and authority is deleted when the request closes."""

    MESSAGE = "message", _("sent with a message")
    IDENTITY = "identity", _("evidence of identity")
    AUTHORITY = "authority", _("evidence of authority")
    TASK = "task", _("evidence of work done")
    ANSWER = "answer", _("part of the answer")


EVIDENCE_OF_WHO = frozenset({FileUse.IDENTITY, FileUse.AUTHORITY})


class Scan(models.TextChoices):
    """What the virus scanner said."""

    CLEAN = "clean", _("no virus found")
    NONE = "none", _("not scanned: no scanner is configured")


class PackageStatus(models.TextChoices):
    WAITING = "waiting", _("waits to be built")
    BUILDING = "building", _("being built")
    REVIEW = "review", _("waits for staff's look")
    READY = "ready", _("ready to download")
    FAILED = "failed", _("could not be built")
    DELETED = "deleted", _("deleted")
