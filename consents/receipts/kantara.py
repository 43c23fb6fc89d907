"""A receipt as Kantara Consent Receipt 1.1 JSON, for readers that know nothing of DPV."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.translation import override

from consents.receipts import terms
from consents.receipts.statement import Statement
from consents.vocabulary import Category, Source


def document(statement: Statement) -> dict[str, Any]:
    """The receipt as it is signed: Kantara's fields, and beside them `event` and `log`, which bind it to the log."""
    event = statement.event
    with override(statement.language):
        return {
            "version": terms.KANTARA_VERSION,
            "jurisdiction": statement.jurisdiction,
            "consentTimestamp": timestamp(event["occurred_at"]),
            "collectionMethod": str(Source(event["source"]).label),
            "consentReceiptID": event["id"],
            "language": statement.language,
            "piiPrincipalId": event["subject"],
            "piiControllers": [_controller(statement)],
            "policyUrl": statement.policy_url,
            "services": [{"service": settings.SITE_NAME, "purposes": [_purpose(statement)]}],
            "sensitive": False,
            "spiCat": [],
            "event": event,
            "log": statement.log,
        }


def timestamp(time: str) -> int:
    """Kantara's times: whole seconds since 1970. Raises ValueError."""
    return int(datetime.fromisoformat(time).timestamp())


def _controller(statement: Statement) -> dict[str, Any]:
    told, controller = settings.CONTROLLER, statement.controller
    return {
        "piiController": controller.name if controller else settings.SITE_NAME,
        "contact": told["contact"],
        "address": {"streetAddress": told["address"], "addressCountry": controller.country if controller else ""},
        "email": told["email"],
        "phone": told["phone"],
        "piiControllerUrl": statement.base,
    }


def _purpose(statement: Statement) -> dict[str, Any]:
    purpose, event = statement.purpose, statement.event
    dpv = purpose.dpv_term.partition("/")[0].strip() if purpose else ""
    others = [one.name for one in statement.recipients if not one.is_controller]
    written: dict[str, Any] = {
        "purpose": statement.purpose_name,
        "purposeCategory": [terms.PURPOSE_CATEGORIES.get(dpv, "19 - Other")],
        "consentType": terms.consent_type(event["kind"], event["action"]),
        "piiCategory": [str(Category(one).label) for one in statement.categories],
        "primaryPurpose": event["purpose"].partition("/")[1] == "",
        "termination": statement.withdrawal_url,
        "thirdPartyDisclosure": bool(others),
    }
    return written | {"thirdPartyName": ", ".join(others)} if others else written
