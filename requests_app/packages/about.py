"""What GDPR Art. 15(1) and (2) wants told beside the data, as sentences; each names its article.

What only the house can say (how long it keeps data, which safeguards, which other automated decisions) it says in its
settings; where it does not, the person is told whom to ask, and staff see the gap.
"""

from collections.abc import Iterator

from django.conf import settings
from django.utils.translation import gettext as _

from consents import decisions, evaluation
from consents.models import LedgerEvent, Purpose, Recipient, Subject
from consents.vocabulary import Category, LegalBasis, Source
from downstream.models import Dataset
from portal.countries import name_of
from requests_app import explanations, rulebook
from requests_app.packages.parts import Asking, Column, Part, Row


def about(asking: Asking) -> Part:
    """One row a topic, in the order of the article."""
    columns = (Column("topic", _("Topic")), Column("text", _("Text")), Column("law", _("Source of law")))
    says = _("Why we have your data, who gets it, how long we keep it, and what you can do.")
    return Part("about", _("What we have to tell you"), says, columns, lambda: _rows(asking))


def _rows(asking: Asking) -> Iterator[Row]:
    yield _row(_("Who answers for your data"), _controller(), "GDPR Art. 15(1)")
    yield _row(_("Purposes"), _purposes(asking), "GDPR Art. 15(1)(a)")
    yield _row(_("Kinds of data"), _categories(), "GDPR Art. 15(1)(b)")
    yield _row(_("Recipients"), _recipients(), "GDPR Art. 15(1)(c)")
    yield _row(_("How long we keep it"), settings.CONTROLLER["retention"] or _ask(), "GDPR Art. 15(1)(d)")
    yield _row(_("Your rights"), _rights(), "GDPR Art. 15(1)(e)")
    yield _row(_("Where to complain"), _complaint(asking), "GDPR Art. 15(1)(f), 77")
    yield _row(_("Where the data comes from"), _sources(asking), "GDPR Art. 15(1)(g)")
    yield _row(_("Automated decisions"), _automated(), "GDPR Art. 15(1)(h), 22")
    yield _row(_("Transfers to other countries"), _transfers(), "GDPR Art. 15(2), 46")


def _row(topic: str, text: str, law: str) -> Row:
    return {"topic": topic, "text": text, "law": law}


def _ask() -> str:
    return _("We tell you on request: %(address)s.") % {"address": settings.CONTROLLER["email"]}


def _controller() -> str:
    controller = Recipient.objects.filter(is_controller=True).first()
    said = (settings.CONTROLLER[name] for name in ("contact", "address", "email", "phone"))
    return "\n".join(one for one in (controller.name if controller else "", *said) if one)


def _purposes(asking: Asking) -> str:
    purposes = list(Purpose.objects.all())
    one = Subject.objects.get(pk=asking.subject_id)
    questions = [evaluation.Question(purpose.slug) for purpose in purposes]
    answers = decisions.decide_all(subject=one, questions=questions, at=asking.at, now=True)
    return "\n".join(
        f"{_(purpose.name)} – {_(purpose.description)}"
        + (f" ({LegalBasis(answer.rule.legal_basis).label})" if answer.rule else "")
        for purpose, answer in zip(purposes, answers, strict=True)
    )


def _categories() -> str:
    of_purposes = {one for purpose in Purpose.objects.all() for one in purpose.categories}
    of_datasets = set(Dataset.objects.living().exclude(category="").values_list("category", flat=True))
    return "\n".join(str(Category(one).label) for one in Category.values if one in of_purposes | of_datasets)


def _recipients() -> str:
    return "\n".join(f"{one.name} ({name_of(one.country)})" for one in Recipient.objects.order_by("name"))


def _rights() -> str:
    return _(
        "You can have your data corrected, erased, restricted or handed over, you can object to its use, and you can "
        "take back any agreement. You do so at %(address)s, or by writing to us."
    ) % {"address": f"{settings.SITE_URL}/requests/"}


def _complaint(asking: Asking) -> str:
    regulator = rulebook.thaw(asking.request.terms).regulator
    if regulator is None:
        return _("You can complain to the authority for data protection where you live.")
    name = explanations.authority(regulator.name)
    return _("You can complain to %(name)s: %(address)s.") % {"name": name, "address": regulator.url}


def _sources(asking: Asking) -> str:
    doors = LedgerEvent.objects.filter(subject_id=asking.subject_id).order_by().values_list("source", flat=True)
    found = sorted({str(Source(one).label) for one in doors.distinct()})
    known = _("Your choices reached us: %(doors)s.") % {"doors": ", ".join(found)} if found else ""
    datasets = _("In which collection which of your entries is, and who keeps it, is under “Where your data is”.")
    return "\n".join(one for one in (known, datasets) if one)


def _automated() -> str:
    logic = _(
        "Whether a purpose may use your data is decided by fixed rules, in this order: data that was erased is not "
        "used; a pause, a restriction, or being a minor stops it; then your own choice counts, then your browser’s "
        "opt-out signal, then the rule of the place where you live. Nothing about you is predicted or scored for it."
    )
    taught = sorted({_(one.models_text) for one in Purpose.objects.exclude(models_text="")})
    other = settings.CONTROLLER["automated"]
    return "\n".join([logic, *taught, *([other] if other else [])])


def _transfers() -> str:
    home = settings.CONTROLLER["storage"]
    countries = {one.country for one in Recipient.objects.all()} | ({home} if home else set())
    listed = ", ".join(sorted(name_of(one) for one in countries))
    safeguards = settings.CONTROLLER["safeguards"] or _ask()
    return _("Your data is in: %(countries)s.") % {"countries": listed} + "\n" + safeguards
