"""Holders: others who keep a dataset, whom Heed asks instead of removing rows itself. `base` says what each offers.

A holder's module is imported on first use and offers `connect(place)`, and `resolve(location, options)`, which answers
the one name by which the place is known.
"""

from importlib import import_module
from typing import Any

from downstream.connectors import Resolve
from downstream.connectors.base import ConnectorError
from downstream.holders.base import Holder, Place

HOLDERS = {
    "opendsr": "downstream.holders.opendsr",
    "pull": "downstream.holders.partners",
    "webhook": "downstream.holders.partners",
}
"""What a dataset that somebody else holds may be registered as: kind → module."""


def open_holder(place: Place) -> Holder:
    """The way to one holder; nothing is asked yet. Raises ConnectorError."""
    if place.kind not in HOLDERS:
        raise ConnectorError("not_a_holder", "Datasets of this kind are our own.", permanent=True)
    holder: Holder = _module(place.kind).connect(place)
    return holder


def resolver(kind: str) -> Resolve:
    """The kind's own way of naming a place. It raises ConnectorError."""
    resolve: Resolve = _module(kind).resolve
    return resolve


def _module(kind: str) -> Any:
    return import_module(HOLDERS[kind])
