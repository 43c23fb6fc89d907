"""The parts of an answer that come from the data itself: rows in datasets, what left them, models, pauses, notices."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from consents import jurisdictions
from consents.models import Hold, LedgerEvent, Letter, Notice, Subject
from consents.vocabulary import Category
from downstream import exposures, holdings, row_values
from downstream.engines.attached import Attached
from downstream.models import Dataset, PurgeReceipt, RemovalReceipt
from requests_app.packages import parts
from requests_app.packages.parts import Asking, Column, Content, Part, Row, Unreadable
from requests_app.packages.person_parts import Words

DATASET = "dataset-"
WHERE = "_where"
"""The column that names the file or table of the dataset, which has columns of its own beside it."""
_AT_ONCE = 500


def datasets(asking: Asking) -> Iterator[Part]:
    """The person's rows in each living dataset, one part each, and behind them the list of all of them."""
    found = list(Dataset.objects.living().select_related("owner"))
    told: dict[str, Told] = {}
    for dataset in found:
        yield _dataset(asking, dataset, told)
    yield _list(found, told)


@dataclass
class Told:
    """How many rows of a dataset were told, and why that may not be all."""

    rows: int = 0
    problem: str = ""


def _dataset(asking: Asking, dataset: Dataset, told: dict[str, Told]) -> Part:
    says = _("Your rows in “%(dataset)s”, each with all its columns as they stand there.") % {
        "dataset": dataset.public_name
    }
    columns = (Column(WHERE, _("Where")),)

    def rows() -> Iterator[Row]:
        mine = told[dataset.slug] = Told()
        # opened only now: a page that lists the parts reaches for none of them
        holding = holdings.in_dataset(dataset, subject_id=asking.subject_id)
        for held in holding.rows:
            mine.rows += 1
            yield {WHERE: held.unit, **_values(held.values, f"files/{dataset.slug}/{mine.rows:07}")}
        if holding.problems:
            problem = _unreadable(holding.code)
            mine.problem = problem.message
            raise problem

    return Part(f"{DATASET}{dataset.slug}", dataset.public_name, says, columns, rows, is_open=True)


def _values(values: Mapping[str, Any], place: str) -> Row:
    """As they are, but that content which is read apart has a file of its own; names come from the data too."""
    return {
        str(parts.plain(name)): _value(value, f"{place}-{number}")
        for number, (name, value) in enumerate(values.items(), start=1)
    }


def _value(value: Any, place: str) -> Any:
    if isinstance(value, Attached):
        return _content(value, place)
    # `parts.plain` writes bytes that are text as text, as many writers of Parquet keep it
    return value if isinstance(value, bytes) else row_values.as_json(value)


def _content(value: Attached, place: str) -> Content:
    return Content(value.name, value.size, value.sha256, f"{place}{parts.ending(value.name)}", value.read)


def _unreadable(code: str) -> Unreadable:
    """In words for the person; the connector's own are for staff, and may name places."""
    words = {
        holdings.REMOTE: _("Somebody else keeps this data; ask them for what it holds of you."),
        holdings.GAP: _("This data does not name you by anything that we know, so we cannot tell what of it is yours."),
    }
    return Unreadable(code, words.get(code) or _("We could not read all of this data. Ask us, and we try again."))


def _list(found: Sequence[Dataset], told: dict[str, Told]) -> Part:
    columns = (
        Column("name", _("Name")),
        Column("owner", _("Who keeps it")),
        Column("purposes", _("Purposes"), "any"),
        Column("category", _("Data")),
        Column("rows", _("Your entries"), "number"),
        Column("unread", _("Why we cannot tell")),
    )

    def rows() -> Iterator[Row]:
        words = Words()
        for dataset in found:
            mine = told.get(dataset.slug)
            yield {
                "name": dataset.public_name,
                "owner": dataset.owner.name,
                "purposes": [words.purpose(one) for one in dataset.purposes],
                "category": str(Category(dataset.category).label) if dataset.category else None,
                "rows": mine.rows if mine else None,
                "unread": mine.problem or None if mine else None,
            }

    says = _("Every place that holds data for training, with how many entries of yours are in it.")
    return Part("datasets", _("Where your data is"), says, columns, rows)


def removals(asking: Asking) -> Part:
    columns = (
        Column("dataset", _("From where")),
        Column("rows_removed", _("Entries removed"), "number"),
        Column("verified_at", _("Checked again"), "time"),
        Column("spans", _("Only what was made"), "any"),
        Column("attested_by", _("Told by")),
        Column("purged_at", _("Old copies erased"), "time"),
        Column("unreachable", _("What cannot be searched"), "any"),
        Column("digest_before", _("Fingerprint before")),
        Column("digest_after", _("Fingerprint after")),
    )
    says = _("What left the data for training because you said no, and how that was checked.")
    return Part("removals", _("What was removed"), says, columns, lambda: _removals(asking))


def _removals(asking: Asking) -> Iterator[Row]:
    theirs = RemovalReceipt.objects.filter(subject_id=asking.subject_id).select_related("dataset")
    runs = theirs.values("propagation_id")
    purged = {one.propagation_id: one for one in PurgeReceipt.objects.filter(propagation_id__in=runs)}
    for one in theirs.order_by("verified_at", "id").iterator(_AT_ONCE):
        purge = purged.get(one.propagation_id) if one.rows_removed else None
        yield {
            "dataset": one.dataset.public_name,
            "rows_removed": one.rows_removed if one.is_counted else None,
            "verified_at": one.verified_at,
            "spans": one.spans or None,
            "attested_by": one.attested_by or None,
            "purged_at": purge.purged_at if purge else None,
            "unreachable": purge.unreachable if purge else None,
            "digest_before": one.digest_before or None,
            "digest_after": one.digest_after or None,
        }


def models(asking: Asking) -> Part:
    """Models that learned from the person's data before their no."""
    columns = (
        Column("model", _("Model")),
        Column("owner", _("Whose it is")),
        Column("dataset", _("Learned from")),
        Column("version", _("Version"), "number"),
        Column("finished_at", _("Trained"), "time"),
        Column("left_at", _("Your data left it"), "time"),
        Column("decision", _("What becomes of it")),
        Column("due_on", _("To be done by"), "day"),
    )
    says = _("Models that learned from your data before you said no.")
    return Part("models", _("Models"), says, columns, lambda: _models(asking))


def _models(asking: Asking) -> Iterator[Row]:
    for one in exposures.of_person(asking.subject_id):
        yield {
            "model": one.model.name,
            "owner": one.model.owner.name,
            "dataset": one.dataset,
            "version": one.version,
            "finished_at": one.finished_at,
            "left_at": one.left_at,
            "decision": one.decision.get_kind_display() if one.decision else None,
            "due_on": one.decision.due_on if one.decision else None,
        }


def holds(asking: Asking) -> Part:
    columns = (
        Column("purposes", _("Purposes"), "any"),
        Column("recipients", _("Recipients"), "any"),
        Column("authority", _("Authority")),
        Column("reason", _("Why")),
        Column("opened_at", _("Since"), "time"),
        Column("lifted_at", _("Until"), "time"),
        Column("data_from", _("Data made from"), "time"),
        Column("data_until", _("Data made before"), "time"),
    )
    says = _("Pauses that cover the place where you live.")
    return Part("holds", _("Pauses"), says, columns, lambda: _holds(asking))


def _holds(asking: Asking) -> Iterator[Row]:
    words, place = Words(), Subject.objects.get(pk=asking.subject_id).jurisdiction
    for one in Hold.objects.order_by("opened_at", "id").iterator(_AT_ONCE):
        if one.jurisdictions and not any(jurisdictions.covers(each, place) for each in one.jurisdictions):
            continue
        yield {
            "purposes": [words.purpose(each) for each in one.purposes] or [words.purpose("")],
            "recipients": [words.recipient(each) for each in one.recipients] or [words.recipient("")],
            "authority": one.authority or None,
            "reason": one.reason,
            "opened_at": one.opened_at,
            "lifted_at": one.lifted_at,
            "data_from": one.data_from,
            "data_until": one.data_until,
        }


def notices(asking: Asking) -> Part:
    columns = (
        Column("notice", _("Notice")),
        Column("title", _("Title")),
        Column("how", _("How")),
        Column("told_at", _("When"), "time"),
        Column("effective_at", _("In force from"), "time"),
        Column("link", _("Text")),
    )
    says = _("Notices that were shown or sent to you.")
    return Part("notices", _("Notices"), says, columns, lambda: _notices(asking))


def _notices(asking: Asking) -> Iterator[Row]:
    shown = LedgerEvent.objects.filter(subject_id=asking.subject_id).exclude(notice="").order_by("recorded_at", "pk")
    for name, at in shown.values_list("notice", "recorded_at"):
        yield _notice(name, _("shown"), at, asking)
    sent = Letter.objects.filter(subject_id=asking.subject_id, state=Letter.State.SENT).order_by("settled_at", "pk")
    for letter in sent.iterator(_AT_ONCE):
        yield _notice(f"{letter.slug}/{letter.version}", _("by mail"), letter.settled_at, asking)


def _notice(name: str, how: str, at: object, asking: Asking) -> Row:
    slug, _slash, version = name.rpartition("/")
    # a partner may have named a notice that is none of ours
    known = Notice.objects.filter(slug=slug, version=int(version)) if slug and version.isdecimal() else ()
    texts = {one.locale: one for one in known}
    text = texts.get(asking.language) or texts.get("en") or next(iter(texts.values()), None)
    return {
        "notice": name,
        "title": text.title if text else None,
        "how": how,
        "told_at": at,
        "effective_at": text.effective_at if text else None,
        "link": f"{settings.SITE_URL}/notices/{slug}/{version}/" if text else None,
    }
