"""On which ground a request may be refused, or something be exempted from it: a table, right by right, with the law.

A ground that the law gives for one right is none for another. Imports no models.
"""

from collections.abc import Mapping

from portal.errors import DomainError
from requests_app.states import FOLLOW_UPS, Ground, Right


class GroundError(DomainError):
    """A ground that the law does not give here."""


_WHO = {
    Ground.NOT_IDENTIFIED: "GDPR Art. 11(2), 12(6); Cal. Code Regs. tit. 11 § 7062",
    Ground.NO_AUTHORITY: "GDPR Art. 12(6); Cal. Code Regs. tit. 11 § 7063",
}
_ABUSE = {
    Ground.UNFOUNDED: "GDPR Art. 12(5); Cal. Civ. Code § 1798.145(h)(3)",
    Ground.EXCESSIVE: "GDPR Art. 12(5); Cal. Civ. Code § 1798.145(h)(3)",
}
_ANY = {**_WHO, **_ABUSE}
_RESEARCH = {Ground.PUBLIC_INTEREST: "GDPR Art. 89(2), (3)"}

TABLE: dict[Right, Mapping[Ground, str]] = {
    Right.ACCESS: {**_ANY, Ground.RIGHTS_OF_OTHERS: "GDPR Art. 15(4)", **_RESEARCH},
    Right.PORTABILITY: {
        **_ANY,
        Ground.RIGHTS_OF_OTHERS: "GDPR Art. 20(4)",
        Ground.NOT_APPLICABLE: "GDPR Art. 20(1): neither consent nor contract, or not automated",
    },
    Right.RECTIFICATION: {**_ANY, Ground.ACCURATE: "GDPR Art. 16", **_RESEARCH},
    Right.ERASURE: {
        **_ANY,
        Ground.FREE_EXPRESSION: "GDPR Art. 17(3)(a); Cal. Civ. Code § 1798.105(d)(4)",
        Ground.LEGAL_OBLIGATION: "GDPR Art. 17(3)(b); Cal. Civ. Code § 1798.105(d)(8)",
        Ground.PUBLIC_INTEREST: "GDPR Art. 17(3)(c), (d); Cal. Civ. Code § 1798.105(d)(6)",
        Ground.LEGAL_CLAIMS: "GDPR Art. 17(3)(e)",
        Ground.NOT_APPLICABLE: "GDPR Art. 17(1): none of its grounds is given",
    },
    Right.RESTRICTION: {**_ANY, Ground.NOT_APPLICABLE: "GDPR Art. 18(1): none of its grounds is given", **_RESEARCH},
    Right.OBJECTION: {
        **_ANY,
        Ground.COMPELLING_GROUNDS: "GDPR Art. 21(1)",
        Ground.LEGAL_CLAIMS: "GDPR Art. 21(1)",
        Ground.PUBLIC_INTEREST: "GDPR Art. 21(6)",
        Ground.NOT_APPLICABLE: "GDPR Art. 21(1): another legal basis",
    },
    # Taking back a yes is free at any time: nobody weighs it, and nobody calls it excessive.
    Right.WITHDRAW_CONSENT: {**_WHO, Ground.NOT_APPLICABLE: "GDPR Art. 7(3): the use does not rest on consent"},
    # No proof of identity may be asked for; only a fraud may be turned away.
    Right.OPT_OUT_SALE: {
        Ground.UNFOUNDED: "Cal. Code Regs. tit. 11 § 7026(e)",
        Ground.NO_AUTHORITY: "Cal. Code Regs. tit. 11 § 7026(j)",
        Ground.NOT_APPLICABLE: "Cal. Civ. Code § 1798.140(ad), (ah): neither sold nor shared",
    },
    Right.AUTOMATED_DECISION: {
        **_ANY,
        Ground.NOT_APPLICABLE: "GDPR Art. 22(1), (2): not solely automated, or without such effect",
    },
    Right.COMPLAINT: {**_ANY, Ground.NOT_APPLICABLE: "UK Data Protection Act 2018 s. 164A: the answer stands"},
    Right.APPEAL: {**_ANY, Ground.NOT_APPLICABLE: "Va. Code § 59.1-577(C): the answer stands"},
}
"""Which grounds each right knows, and what gives them."""

UNPROVEN = frozenset({Ground.NOT_IDENTIFIED, Ground.NO_AUTHORITY})
"""Whoever has not shown who they are is refused for that, and for nothing else."""


def of(right: str, *, about: str | None = None) -> dict[Ground, str]:
    """The grounds for this right with their law; a follow-up knows those of the right that it is `about`, too."""
    found = dict(TABLE[Right(right)])
    if right in FOLLOW_UPS and about is not None:
        found = {**TABLE[Right(about)], **found}
    return found


def check(ground: str, right: str, *, about: str | None = None) -> Ground:
    """The ground, where the law gives it for this right. Raises GroundError(`ground_does_not_fit`)."""
    if ground not in Ground.values or Ground(ground) not in of(right, about=about):
        raise GroundError("ground_does_not_fit", "The law gives no such ground for this right.", field="ground")
    return Ground(ground)
