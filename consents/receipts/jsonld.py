"""A receipt in JSON-LD: the fields of ISO/IEC TS 27560:2023 in terms of W3C DPV (profile dpv-27560)."""

import uuid
from typing import Any

from django.conf import settings
from django.utils.translation import gettext, override

from consents import ledger
from consents.receipts import terms
from consents.receipts.statement import Statement
from consents.vocabulary import Category, Kind, LegalBasis, Source

_TRAINING = "ai-training"


def document(statement: Statement) -> dict[str, Any]:
    """The receipt as it is signed."""
    event = statement.event
    with override(statement.language):
        return {
            "@context": terms.CONTEXT,
            "@id": f"urn:uuid:{event['id']}",
            "@type": ["dpv:ConsentReceipt"],
            "dct:conformsTo": terms.PROFILE,
            "dpv:hasIdentifier": event["id"],
            "dct:identifier": reference(statement),
            "dct:created": event["recorded_at"],
            "dct:issued": statement.issued_at.isoformat(),
            "dct:creator": entity_key(statement.controller.slug) if statement.controller else None,
            "dct:language": statement.language,
            "dpv:hasDataSubject": {"@type": ["dpv:DataSubject"], "dpv:hasIdentifier": event["subject"]},
            "dpv:hasNotice": _notices(statement),
            "dpv:hasProcess": [_process(statement)],
            "dpv:hasEntity": _entities(statement),
            "event": event,
            "log": statement.log,
        }


def reference(statement: Statement) -> str:
    """R-…, by which people find the receipt."""
    return ledger.reference(uuid.UUID(statement.event["id"]))


def _notices(statement: Statement) -> list[dict[str, Any]]:
    name, notice = statement.event["notice"], statement.notice
    if not name:
        return []
    shown: dict[str, Any] = {"@type": ["dpv:ConsentNotice"], "dpv:hasIdentifier": name}
    if notice is not None:
        shown |= {
            "dct:title": notice.title,
            "dct:language": notice.locale,
            "dct:date": notice.published_at.isoformat(),
            "dpv:hasLocation": statement.policy_url,
        }
    return [shown]


def _process(statement: Statement) -> dict[str, Any]:
    return {
        "@type": ["dpv:Process"],
        "dpv:hasPurpose": [_purpose(statement)],
        "dpv:hasPersonalData": [_category(one) for one in statement.categories],
        "dpv:hasProcessing": _processing(statement),
        "dpv:hasDataController": [entity_key(statement.controller.slug)] if statement.controller else [],
        "dpv:hasDataSource": ["dpv:DataSubjectDataSource"],
        "dpv:hasStorageCondition": _storage(),
        "dpv:hasRecipient": [entity_key(one.slug) for one in statement.recipients],
        "dpv:hasLegalBasis": [terms.BASES[LegalBasis(statement.basis)]] if statement.basis else [],
        "dpv:hasJurisdiction": [f"loc:{statement.jurisdiction}"],
        "dpv:hasRight": terms.rights(statement.jurisdiction, statement.basis),
        "dpv:hasAuthority": _authority(statement),
        "dpv:hasConsentControl": [
            {"@type": ["dpv:WithdrawConsent"], "dpv:isExercisedAt": statement.withdrawal_url},
        ],
        "dpv:hasConsentStatus": [_status(statement)],
        "heed:hasRule": _rule(statement),
    }


def _purpose(statement: Statement) -> dict[str, Any]:
    purpose = statement.purpose
    broader = [one.strip() for one in purpose.dpv_term.split("/")] if purpose else ["dpv:Purpose"]
    if _is_training(statement):
        # our own concept: DPV has training as processing, and research and development as what it is for
        broader.append("heed:ModelTraining")
    return {
        "@type": ["dpv:Purpose"],
        "dpv:hasIdentifier": statement.event["purpose"],
        "skos:broader": list(dict.fromkeys(one for one in broader if one)),
        "skos:prefLabel": statement.purpose_name,
        "skos:definition": statement.purpose_text,
    }


def _is_training(statement: Statement) -> bool:
    return str(statement.event["purpose"]).partition("/")[0] == _TRAINING


def _category(slug: str) -> dict[str, Any]:
    return {
        "@type": ["dpv:PersonalData"],
        "dpv:hasIdentifier": slug,
        "skos:broader": [terms.PERSONAL_DATA[Category(slug)]],
        "skos:prefLabel": str(Category(slug).label),
    }


def _processing(statement: Statement) -> list[dict[str, Any]]:
    """Training is named as what it is, with what the data becomes in it."""
    if not _is_training(statement):
        return [{"@type": ["dpv:Processing"], "skos:broader": ["dpv:Use"]}]
    return [{"@type": ["dpv:Processing"], "skos:broader": ["ai:ModelTraining"], "dpv:hasData": ["ai:TrainingData"]}]


def _storage() -> list[dict[str, Any]]:
    told = settings.CONTROLLER
    return [
        {"@type": ["dpv:StorageLocation"], "dpv:hasLocation": f"loc:{told['storage']}"},
        {
            "@type": ["dpv:StorageDuration"],
            "dpv:hasDuration": {"@type": "dpv:UntilEventDuration", "rdf:value": told["retention"]},
        },
    ]


def _authority(statement: Statement) -> list[dict[str, Any]]:
    found = terms.authority(statement.jurisdiction)
    if found is None:
        return []
    return [{"@type": ["dpv:DataProtectionAuthority"], "dpv:hasName": gettext(found[0]), "dpv:hasAddress": found[1]}]


def _status(statement: Statement) -> dict[str, Any]:
    """The event itself: what state it brought, when, by whom, and how long it holds."""
    event, until = statement.event, statement.valid_until
    with_consent, without = terms.states(event["kind"], event["action"])
    lasting: dict[str, Any] = (
        {"@type": ["dpv:UntilTimeDuration"], "rdf:value": until.isoformat()}
        if until
        else {"@type": ["dpv:UntilEventDuration"], "rdf:value": "until it is changed"}
    )
    return {
        "@type": [with_consent if statement.basis == LegalBasis.CONSENT else without],
        "dpv:isIndicatedAtTime": event["occurred_at"],
        "dpv:isIndicatedBy": "dpv:DataController" if event["kind"] == Kind.EXPIRY else "dpv:DataSubject",
        "dpv:hasIndicationMethod": str(Source(event["source"]).label),
        "dpv:isExercisedAt": statement.withdrawal_url,
        "dpv:hasDuration": lasting,
    }


def _rule(statement: Statement) -> dict[str, Any] | None:
    rule = statement.rule
    if rule is None:
        return None
    return {
        "dpv:hasIdentifier": str(rule.pk),
        "heed:jurisdiction": rule.jurisdiction,
        "heed:default": rule.default,
        "dct:source": rule.source,
        "dct:valid": rule.effective_from.isoformat(),
    }


def _entities(statement: Statement) -> dict[str, Any]:
    told = settings.CONTROLLER
    entities: dict[str, Any] = {
        entity_key(one.slug): {"@type": ["dpv:LegalEntity"], "dpv:hasName": one.name, "dpv:hasCountry": one.country}
        for one in statement.recipients
    }
    if statement.controller is not None:
        entities[entity_key(statement.controller.slug)] = {
            "@type": ["dpv:LegalEntity", "dpv:DataController"],
            "dpv:hasName": statement.controller.name,
            "dpv:hasCountry": statement.controller.country,
            "dpv:hasAddress": told["address"],
            "dpv:hasContact": f"{told['contact']} <{told['email']}>",
        }
    return entities


def entity_key(slug: str) -> str:
    """What a recipient is called in a receipt."""
    return f"heed:recipient/{slug}"
