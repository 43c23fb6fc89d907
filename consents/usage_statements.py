"""What a piece of content says about its own use, in the words of AIPREF and of TDMRep: read and written.

AIPREF: `Content-Usage`, an RFC 9651 dictionary of categories with the tokens `y` or `n`
(draft-ietf-aipref-vocab-07, draft-ietf-aipref-attach-05; drafts still, so writing it has a setting).
TDMRep: `tdm-reservation`, `1` where the rights to text and data mining are reserved, else `0`
(https://www.w3.org/community/reports/tdmrep/CG-FINAL-tdmrep-20240202/; Directive (EU) 2019/790 Art. 4(3)).
What cannot be read is no statement. Where several speak, any no wins.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import http_sf

CONTENT_USAGE, TDM_RESERVATION, TDM_POLICY = "Content-Usage", "tdm-reservation", "tdm-policy"
TRAIN_AI, SEARCH = "train-ai", "search"
_TOKENS = {"y": True, "n": False}


@dataclass(frozen=True)
class Usage:
    """One statement about training: whether it allows it (None: it does not say), and whether it could be read."""

    allows: bool | None
    readable: bool = True


SILENT = Usage(None)


def parse_content_usage(text: str) -> dict[str, bool] | None:
    """Category → allowed; categories of another value say nothing. None where the text is no such dictionary."""
    values = _dictionary(text)
    if values is None:
        return None
    # a token, and not the text "y" or the bare name, which stands for true
    return {
        name: _TOKENS[str(value)]
        for name, value in values.items()
        if isinstance(value, http_sf.Token) and str(value) in _TOKENS
    }


def write_content_usage(usage: Mapping[str, bool]) -> str:
    """The header's value; empty where nothing is stated. Names are the vocabulary's, lower case."""
    words: dict[str, Any] = {name: (http_sf.Token("y" if allowed else "n"), {}) for name, allowed in usage.items()}
    return str(http_sf.ser(words)) if words else ""


def combine(statements: Iterable[Mapping[str, bool]]) -> dict[str, bool]:
    """Several statements about one piece of content as one: any no wins."""
    combined: dict[str, bool] = {}
    for statement in statements:
        for name, allowed in statement.items():
            combined[name] = allowed and combined.get(name, True)
    return combined


def parse_tdm_reservation(text: str) -> bool | None:
    """Whether the rights are reserved; None for anything but 0 and 1."""
    return {"1": True, "0": False}.get(text.strip())


def write_tdm(*, reserved: bool, policy: str = "") -> dict[str, str]:
    """The headers of TDMRep; a policy says under which terms reserved content may be mined all the same."""
    headers = {TDM_RESERVATION: "1" if reserved else "0"}
    return headers | {TDM_POLICY: policy} if reserved and policy else headers


def read(*, content_usage: str | None = None, tdm_reservation: str | None = None) -> Usage:
    """What a row's own columns say about training; both may be absent. Never raises."""
    said = [_of_content_usage(content_usage), _of_reservation(tdm_reservation)]
    if any(one.allows is False for one in said):
        return Usage(False)
    if not all(one.readable for one in said):
        # it may have been a no
        return Usage(None, readable=False)
    return Usage(True) if any(one.allows for one in said) else SILENT


def _of_content_usage(text: str | None) -> Usage:
    if text is None or not text.strip():
        return SILENT
    parsed = parse_content_usage(text)
    if parsed is None:
        return Usage(None, readable=False)
    if TRAIN_AI in parsed:
        return Usage(parsed[TRAIN_AI])
    # it names other uses alone, or training by a word that nobody knows
    return Usage(None, readable=TRAIN_AI not in (_dictionary(text) or {}))


def _dictionary(text: str) -> dict[str, object] | None:
    """The members without their parameters; None where it cannot be read. Of duplicates the last one stands."""
    try:
        found: Any = http_sf.parse(text.encode(), tltype="dictionary")
    except ValueError:
        # also a UnicodeEncodeError, of lone surrogates
        return None
    return {name: item[0] for name, item in found.items()}


def _of_reservation(text: str | None) -> Usage:
    if text is None or not text.strip():
        return SILENT
    reserved = parse_tdm_reservation(text)
    return Usage(None, readable=False) if reserved is None else Usage(not reserved)
