"""Names of countries in the reader's language."""

from functools import cache

from babel import Locale
from django.utils.translation import get_language, to_locale

_LISTED = [
    "AT",
    "AU",
    "BE",
    "BG",
    "BR",
    "CA",
    "CH",
    "CY",
    "CZ",
    "DE",
    "DK",
    "EE",
    "ES",
    "FI",
    "FR",
    "GB",
    "GR",
    "HK",
    "HR",
    "HU",
    "IE",
    "IN",
    "IS",
    "IT",
    "JP",
    "KR",
    "LI",
    "LT",
    "LU",
    "LV",
    "MT",
    "NL",
    "NO",
    "NZ",
    "PL",
    "PT",
    "RO",
    "SE",
    "SG",
    "SI",
    "SK",
    "US",
    "ZA",
]
_SUBDIVISIONS = {"US-CA": ("US", "California")}


def country_names() -> list[tuple[str, str]]:
    """(code, name) sorted by name, in the active language."""
    return _names(to_locale(get_language() or "en"))


@cache
def _names(locale: str) -> list[tuple[str, str]]:
    territories = Locale.parse(locale).territories
    names = [(code, territories[code]) for code in _LISTED]
    names += [(code, f"{territories[country]} – {part}") for code, (country, part) in _SUBDIVISIONS.items()]
    return sorted(names, key=lambda pair: pair[1])


def name_of(code: str) -> str:
    """The country's name, or the code where it has none here."""
    return dict(country_names()).get(code, code)
