"""The words of the standards that receipts are written in: W3C DPV 2.3 with its extensions, Kantara 1.1."""

from consents import jurisdictions
from consents.vocabulary import Action, Category, Kind, LegalBasis

CONTEXT = {
    "dct": "http://purl.org/dc/terms/",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dpv": "https://w3id.org/dpv#",
    "pd": "https://w3id.org/dpv/pd#",
    "ai": "https://w3id.org/dpv/ai#",
    "loc": "https://w3id.org/dpv/loc#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "heed": "urn:heed:",
    # what the log binds and how, as plain JSON: nothing in it is a term
    "event": {"@id": "heed:event", "@type": "@json"},
    "log": {"@id": "heed:log", "@type": "@json"},
    "print": {"@id": "heed:print", "@type": "@json"},
    "jws": "https://w3id.org/security#jws",
}
PROFILE = "https://w3id.org/dpv/schema/dpv-27560#receipt"
KANTARA_VERSION = "KI-CR-v1.1.0"

_EXPIRED = "expired"
# Where consent is the basis, and where it is not: who opts out of a legitimate interest refuses no consent.
STATES = {
    Action.GRANT: ("dpv:ConsentGiven", "dpv:OptingInToProcess"),
    Action.DENY: ("dpv:ConsentRefused", "dpv:OptingOutFromProcess"),
    Action.WITHDRAW: ("dpv:ConsentWithdrawn", "dpv:WithdrawingFromProcess"),
    Action.OBJECT: ("dpv:ObjectingToProcess", "dpv:ObjectingToProcess"),
    Action.RESTRICT: ("heed:RestrictingProcess", "heed:RestrictingProcess"),
    Action.UNRESTRICT: ("heed:LiftingRestriction", "heed:LiftingRestriction"),
    Action.SIGNAL_ON: ("dpv:OptingOutFromProcess", "dpv:OptingOutFromProcess"),
    Action.SIGNAL_OFF: ("heed:EndingSignal", "heed:EndingSignal"),
    _EXPIRED: ("dpv:ConsentExpired", "dpv:ConsentExpired"),
}
# Kantara 1.1 knows receipts of a yes alone; a no must not be taken for one by a reader of the standard fields.
CONSENT_TYPES = {
    Action.GRANT: "EXPLICIT",
    Action.DENY: "REFUSED",
    Action.WITHDRAW: "WITHDRAWN",
    Action.OBJECT: "OBJECTED",
    Action.RESTRICT: "RESTRICTED",
    Action.UNRESTRICT: "RESTRICTION LIFTED",
    Action.SIGNAL_ON: "OPTED OUT BY SIGNAL",
    Action.SIGNAL_OFF: "SIGNAL ENDED",
    _EXPIRED: "EXPIRED",
}
BASES = {
    LegalBasis.CONSENT: "eu-gdpr:A6-1-a",
    LegalBasis.CONTRACT: "eu-gdpr:A6-1-b",
    LegalBasis.LEGAL_OBLIGATION: "eu-gdpr:A6-1-c",
    LegalBasis.VITAL_INTEREST: "eu-gdpr:A6-1-d",
    LegalBasis.PUBLIC_TASK: "eu-gdpr:A6-1-e",
    LegalBasis.LEGITIMATE_INTEREST: "eu-gdpr:A6-1-f",
}
PERSONAL_DATA = {
    Category.POSTS: "pd:SocialMediaCommunication",
    Category.PROFILE: "pd:Identifying",
    Category.MESSAGES: "pd:Communication",
    Category.AI_INTERACTIONS: "pd:Behavioral",
}
# Kantara's appendix of purposes, by the DPV term of ours.
PURPOSE_CATEGORIES = {
    "dpv:ResearchAndDevelopment": "14 - Research",
    "dpv:Personalisation": "5 - Personalize Experience",
    "dpv:ServiceUsageAnalytics": "4 - Improve Performance",
    "dpv:DirectMarketing": "6 - Marketing",
}
_GDPR_SCOPES = frozenset({"EEA", "GB"})
_AUTHORITIES = {
    "GB": ("Information Commissioner's Office", "https://ico.org.uk/make-a-complaint/"),
    "EEA": (
        "The data protection authority of your country",
        "https://www.edpb.europa.eu/about-edpb/about-edpb/members_en",
    ),
    "CH": ("Federal Data Protection and Information Commissioner", "https://www.edoeb.admin.ch"),
    "US-CA": ("California Privacy Protection Agency", "https://cppa.ca.gov/webapplications/complaint"),
    "CA": ("Office of the Privacy Commissioner of Canada", "https://www.priv.gc.ca"),
    "HK": ("Privacy Commissioner for Personal Data", "https://www.pcpd.org.hk"),
}


def _key(kind: str, action: str) -> str:
    return _EXPIRED if kind == Kind.EXPIRY else action


def states(kind: str, action: str) -> tuple[str, str]:
    """The event's state where consent is the basis, and where it is not. Raises KeyError."""
    return STATES[_key(kind, action)]


def consent_type(kind: str, action: str) -> str:
    """Kantara's consentType. Raises KeyError."""
    return CONSENT_TYPES[_key(kind, action)]


def under_gdpr(jurisdiction: str) -> bool:
    """Whether the GDPR, or the United Kingdom's, is the law where the person lives."""
    return not _GDPR_SCOPES.isdisjoint(jurisdictions.widening(jurisdiction))


def rights(jurisdiction: str, basis: str | None) -> list[str]:
    """Articles of the GDPR with the person's rights, as far as it is their law and the basis gives them."""
    if not under_gdpr(jurisdiction):
        return []
    numbers = ["13", "15", "16", "17", "18", "22", "77"]
    if basis in {LegalBasis.CONSENT, LegalBasis.CONTRACT}:
        numbers.append("20")
    if basis in {LegalBasis.LEGITIMATE_INTEREST, LegalBasis.PUBLIC_TASK}:
        numbers.append("21")
    if basis == LegalBasis.CONSENT:
        numbers.append("7-3")
    return [f"eu-gdpr:A{number}" for number in numbers]


def authority(jurisdiction: str) -> tuple[str, str] | None:
    """(name, where to complain) of who supervises there; None where nobody is known to us."""
    return next((_AUTHORITIES[code] for code in jurisdictions.widening(jurisdiction) if code in _AUTHORITIES), None)
