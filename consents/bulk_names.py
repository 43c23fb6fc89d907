"""Many names of one scheme at once: whose they are, which belonged to people who were erased, and all there are."""

import uuid
from collections.abc import Collection, Iterator, Sequence

from consents import subjects
from consents.models import Identifier, Suppressed
from consents.subjects import IdentifierError, Name

BATCH = 5_000
PAGE = 65_536


def people(values: Sequence[str], *, scheme: str) -> set[uuid.UUID]:
    """The living people whom these values name (a statement for each 5,000)."""
    found: set[uuid.UUID] = set()
    for prints in _fingerprints(values, scheme):
        rows = Identifier.objects.filter(scheme=scheme, fingerprint__in=list(prints))
        found.update(rows.values_list("subject_id", flat=True))
    return found


def erased(values: Sequence[str], *, scheme: str) -> set[str]:
    """Those of the values that named somebody who was erased: their keyed fingerprint is all that is left of them."""
    found: set[str] = set()
    for prints in _fingerprints(values, scheme):
        rows = Suppressed.objects.filter(scheme=scheme, fingerprint__in=list(prints))
        for fingerprint in rows.values_list("fingerprint", flat=True):
            found |= prints[bytes(fingerprint)]
    return found


def anybody_erased(scheme: str) -> bool:
    """Whether anybody who was erased had a name of this scheme."""
    return Suppressed.objects.filter(scheme=scheme).exists()


def how_many_erased(scheme: str) -> int:
    """Names of this scheme that belonged to people who were erased."""
    return Suppressed.objects.filter(scheme=scheme).count()


def fingerprints(subject_id: uuid.UUID, *, scheme: str) -> set[bytes]:
    """The keyed fingerprints of a living person's names of this scheme."""
    rows = Identifier.objects.filter(subject_id=subject_id, scheme=scheme)
    return {bytes(one) for one in rows.values_list("fingerprint", flat=True) if one is not None}


def having(values: Collection[str], *, scheme: str, among: Collection[bytes]) -> set[str]:
    """Those of the values whose keyed fingerprint is one of these."""
    found: set[str] = set()
    for prints in _fingerprints(sorted(values), scheme):
        found = found.union(*(prints[one] for one in prints.keys() & set(among)))
    return found


def pages(*, scheme: str) -> Iterator[list[str]]:
    """Every readable name of the scheme, in order, some tens of thousands at a time; what is sealed is left out."""
    after = ""
    rows = Identifier.objects.filter(scheme=scheme, value__isnull=False).order_by("value")
    while page := list(rows.filter(value__gt=after).values_list("value", flat=True)[:PAGE]):
        yield [one for one in page if one is not None]
        after = page[-1] or ""


def every(*, scheme: str) -> Iterator[dict[str, uuid.UUID]]:
    """Every name of the scheme, opened where it is sealed, and whose it is; some thousands at a time."""
    after = 0
    rows = Identifier.objects.filter(scheme=scheme).order_by("pk")
    while ids := list(rows.filter(pk__gt=after).values_list("pk", flat=True)[:BATCH]):
        opened = ((subjects.name_of(one), one.subject_id) for one in rows.filter(pk__in=ids).select_related("subject"))
        yield {name.value: subject_id for name, subject_id in opened if name is not None}
        after = ids[-1]


def _fingerprints(values: Sequence[str], scheme: str) -> Iterator[dict[bytes, set[str]]]:
    """By each fingerprint the values that have it, some thousands at a time; what can be no name is left out."""
    for start in range(0, len(values), BATCH):
        prints: dict[bytes, set[str]] = {}
        for value in values[start : start + BATCH]:
            named = _name(scheme, value)
            for one in named.fingerprints if named else ():
                prints.setdefault(one, set()).add(value)
        if prints:
            yield prints


def _name(scheme: str, value: str) -> Name | None:
    try:
        return subjects.name(scheme, value)
    except IdentifierError:
        return None
