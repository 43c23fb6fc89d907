"""Names of countries in the reader's language, and of the parts of some where the law or the holidays are their own."""

import unicodedata
from functools import cache

from babel import Locale
from django.utils.translation import get_language, gettext, gettext_noop, to_locale

# what CLDR names beside the countries of ISO 3166-1: islands of others, groups, tests
_NO_COUNTRY = frozenset(["AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"])
_PARTS = {
    "CA-QC": gettext_noop("Québec"),
    "GB-ENG": gettext_noop("England"),
    "GB-NIR": gettext_noop("Northern Ireland"),
    "GB-SCT": gettext_noop("Scotland"),
    "GB-WLS": gettext_noop("Wales"),
    "US-CA": gettext_noop("California"),
    "US-CO": gettext_noop("Colorado"),
    "US-CT": gettext_noop("Connecticut"),
    "US-DE": gettext_noop("Delaware"),
    "US-IA": gettext_noop("Iowa"),
    "US-IN": gettext_noop("Indiana"),
    "US-KY": gettext_noop("Kentucky"),
    "US-MD": gettext_noop("Maryland"),
    "US-MN": gettext_noop("Minnesota"),
    "US-MT": gettext_noop("Montana"),
    "US-NE": gettext_noop("Nebraska"),
    "US-NH": gettext_noop("New Hampshire"),
    "US-NJ": gettext_noop("New Jersey"),
    "US-OR": gettext_noop("Oregon"),
    "US-RI": gettext_noop("Rhode Island"),
    "US-TN": gettext_noop("Tennessee"),
    "US-TX": gettext_noop("Texas"),
    "US-UT": gettext_noop("Utah"),
    "US-VA": gettext_noop("Virginia"),
}


def country_names() -> list[tuple[str, str]]:
    """(code, name) sorted by name, in the active language."""
    return list(_names(get_language() or "en").items())


def name_of(code: str) -> str:
    """The country's name, or the code where it has none here."""
    return _names(get_language() or "en").get(code, code)


@cache
def _names(language: str) -> dict[str, str]:
    """By code, sorted as a reader looks for them: Österreich is not behind Zypern."""
    territories = {str(code): str(name) for code, name in Locale.parse(to_locale(language)).territories.items()}
    names = {code: name for code, name in territories.items() if len(code) == 2 and code not in _NO_COUNTRY}
    names |= {code: f"{territories[code[:2]]} – {gettext(part)}" for code, part in _PARTS.items()}
    return dict(sorted(names.items(), key=lambda pair: unicodedata.normalize("NFKD", pair[1]).casefold()))
