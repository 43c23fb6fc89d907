"""Where people say that they live: everywhere."""

import pytest
from django.utils import translation

from portal.countries import country_names, name_of
from requests_app import rulebook


def test_everybody_finds_where_they_live() -> None:
    offered = dict(country_names())
    assert {"KE", "MX", "TR", "UA", "GB", "US"} <= offered.keys()
    assert not {"EU", "UN", "ZZ", "001", "XA"} & offered.keys()


def test_every_place_with_a_law_of_its_own_is_offered() -> None:
    """And the parts of the United Kingdom, whose holidays move a deadline."""
    book = rulebook.load()
    ruled = book.entries.keys() - {"*", "EEA"} | book.authorities.keys()
    assert ruled | {"GB-ENG", "GB-NIR", "GB-SCT", "GB-WLS"} <= dict(country_names()).keys()


@pytest.mark.parametrize(
    ("language", "name", "before"), [("de", "Österreich", "Pakistan"), ("fr", "Égypte", "Équateur")]
)
def test_accents_do_not_send_a_country_to_the_end(language: str, name: str, before: str) -> None:
    with translation.override(language):
        names = [told for _, told in country_names()]
    assert abs(names.index(name) - names.index(before)) < 12


def test_a_place_without_a_name_is_called_by_its_code() -> None:
    assert name_of("US-NY") == "US-NY"
