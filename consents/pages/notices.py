"""Notices as people read them: the list, one version, what changed between two."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language, get_language_info
from django.views.decorators.http import require_GET

from consents import differences
from consents.models import Letter, Notice, Purpose, Subject
from portal import clock


@dataclass(frozen=True)
class Version:
    """One version in the reader's language, as far as it is written in it."""

    notice: Notice
    before: int | None
    is_current: bool
    is_coming: bool

    @property
    def language(self) -> str:
        """The language's name, where it is not the reader's; empty where it is."""
        return language_name(self.notice)


@require_GET
def notices(request: HttpRequest) -> HttpResponse:
    """Every published notice, each with its versions: the one in force first."""
    found: dict[str, list[Version]] = {}
    for version in versions(_published(), at=clock.now()):
        found.setdefault(version.notice.slug, []).append(version)
    groups = [sorted(group, key=lambda one: not one.is_current) for group in found.values()]
    return render(request, "consents/notices.html", {"groups": groups})


@require_GET
def notice(request: HttpRequest, slug: str, version: int) -> HttpResponse:
    known = {one.notice.version: one for one in versions(_published().filter(slug=slug), at=clock.now())}
    if version not in known:
        raise Http404
    current = next((one.notice for one in known.values() if one.is_current), None)
    context = {"notice": known[version].notice, "version": known[version], "current": current}
    return render(request, "consents/notice.html", context)


@require_GET
def difference(request: HttpRequest, slug: str, before: int, after: int) -> HttpResponse:
    """What a reader of one version finds added and removed in another; both in one language."""
    rows = list(_published().filter(slug=slug, version__in=[before, after]))
    old = {one.locale: one for one in rows if one.version == before}
    new = {one.locale: one for one in rows if one.version == after}
    if before == after or not old or not new:
        raise Http404
    shared = sorted({*old} & {*new}, key=lambda code: (code != _wanted(), code != "en", code))
    if not shared:
        # each is there, but in no language common to both
        return render(request, "consents/difference.html", {"before": _any(old), "after": _any(new)})
    then, now = old[shared[0]], new[shared[0]]
    context = {
        "before": then,
        "after": now,
        "language": language_name(now),
        "difference": differences.between((then.title, then.body), (now.title, now.body)),
    }
    return render(request, "consents/difference.html", context)


def versions(rows: "QuerySet[Notice]", *, at: datetime) -> list[Version]:
    """Each version once, by notice, the newest first."""
    found = in_language(rows)
    result: list[Version] = []
    for place, one in enumerate(found):
        older = [other for other in found[place + 1 :] if other.slug == one.slug]
        newer_in_force = any(r.notice.slug == one.slug and r.is_current for r in result)
        is_coming = one.effective_at > at
        before = older[0].version if older else None
        result.append(Version(one, before, not is_coming and not newer_in_force, is_coming))
    return result


def latest(purpose: Purpose) -> Notice | None:
    """The notice in force that tells people of this purpose, in the reader's language."""
    at = clock.now()
    told = Notice.objects.filter(slug=purpose.slug.partition("/")[0], effective_at__lte=at, recorded_at__lte=at)
    return next(iter(in_language(told)), None)


def in_language(rows: "QuerySet[Notice]") -> list[Notice]:
    """Each notice version once: in the reader's language where there is one, else in English, else in any."""
    chosen: dict[tuple[str, int], Notice] = {}
    rank = {"en": 1, _wanted(): 2}
    for one in rows.order_by("slug", "-version", "locale"):
        key = (one.slug, one.version)
        if key not in chosen or rank.get(one.locale, 0) > rank.get(chosen[key].locale, 0):
            chosen[key] = one
    return list(chosen.values())


def language_name(one: Notice) -> str:
    """The name of the text's language in the reader's words; empty where it is the reader's own."""
    if one.locale == _wanted():
        return ""
    try:
        return str(get_language_info(one.locale)["name_translated"])
    except KeyError:
        return one.locale


def told(subject: Subject) -> list[dict[str, object]]:
    """Of which notices the reader was told by mail, the latest first."""
    letters = Letter.objects.filter(subject_id=subject.pk, state=Letter.State.SENT).order_by("-settled_at")[:50]
    sent = {(one.slug, one.version): one.settled_at for one in letters}
    rows = Notice.objects.filter(slug__in={slug for slug, _ in sent}, version__in={version for _, version in sent})
    titles = {(one.slug, one.version): one for one in in_language(rows)} if sent else {}
    return [{"notice": titles[key], "at": at} for key, at in sent.items() if key in titles]


def _published() -> "QuerySet[Notice]":
    """What people may read by now: a publication that was only arranged is nobody's to see yet."""
    return Notice.objects.filter(published_at__lte=clock.now())


def _wanted() -> str:
    return (get_language() or "en")[:2]


def _any(texts: dict[str, Notice]) -> Notice:
    return texts.get(_wanted()) or texts.get("en") or next(iter(texts.values()))
