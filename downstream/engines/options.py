"""Reading a dataset's options: each a value of one type, or a ConnectorError that says what it has to be."""

from collections.abc import Collection, Mapping
from typing import Any

from downstream.engines.errors import ConnectorError


def flag(options: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    """An option that is true or false."""
    value = options.get(name, default)
    if not isinstance(value, bool):
        raise invalid(name, "true or false")
    return value


def text(options: Mapping[str, Any], name: str, default: str) -> str:
    """An option that is a text."""
    value = options.get(name, default)
    if not isinstance(value, str):
        raise invalid(name, "a text")
    return value


def choice(options: Mapping[str, Any], name: str, of: Collection[str], default: str) -> str:
    """An option that is one of a few texts."""
    value = options.get(name, default)
    if not isinstance(value, str) or value not in of:
        raise invalid(name, f"one of: {', '.join(repr(one) for one in of)}")
    return value


def suffixes(options: Mapping[str, Any], default: Collection[str]) -> frozenset[str]:
    """The option `suffixes`: how the names of data files end, without the suffix of a codec; "" is a name without."""
    value = options.get("suffixes", list(default))
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value) or not value:
        raise invalid("suffixes", 'a list of ends of names, such as [".txt", ""]')
    return frozenset(one.lower() for one in value)


def check_known(options: Mapping[str, Any], known: Collection[str], *, what: str) -> None:
    """Refuse options that nobody knows, because what is misspelt would be left out; `what` is whose they are."""
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ConnectorError("invalid_options", f"{what} knows no option {', '.join(unknown)}.", permanent=True)


def invalid(name: str, what: str) -> ConnectorError:
    """What is said of an option whose value cannot be."""
    return ConnectorError("invalid_options", f"The option {name} is {what}.", permanent=True)
