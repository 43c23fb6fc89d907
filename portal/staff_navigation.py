"""The staff site's side menu, as far as the reader's role goes."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _


def sections(request: HttpRequest) -> list[dict[str, Any]]:
    """unfold's SIDEBAR navigation."""
    return [
        {
            "title": _("Work"),
            "items": [
                {"title": _("Today"), "icon": "dashboard", "link": reverse("admin:index")},
                _item(_("Requests"), "inbox", "requests_app", "request"),
                _item(_("Answers"), "folder_zip", "requests_app", "package"),
                _item(_("Imports of requests"), "upload_file", "requests_app", "requestimport"),
                _item(_("Holds"), "pause_circle", "consents", "hold"),
                _item(_("Message templates"), "chat", "requests_app", "messagetemplate"),
                _item(_("Request mail"), "outgoing_mail", "requests_app", "letter"),
                _item(_("Regulator cases"), "account_balance", "consents", "regulatorcase"),
                _item(_("People"), "person_search", "consents", "subject"),
                {
                    "title": _("Reports"),
                    "icon": "monitoring",
                    "link": reverse("reports"),
                    "permission": lambda request: request.user.has_perm("requests_app.read_reports"),
                },
            ],
        },
        {
            "title": _("Training data"),
            "items": [
                _item(_("Datasets"), "database", "downstream", "dataset"),
                _item(_("Propagations"), "sync", "downstream", "propagation"),
                _item(_("Removal receipts"), "receipt_long", "downstream", "removalreceipt"),
                _item(_("Corrections"), "edit", "downstream", "correction"),
                _item(_("Exemptions"), "policy", "downstream", "exemption"),
                _item(_("Models"), "network_intelligence", "downstream", "trainedmodel"),
                _item(_("Training runs"), "model_training", "downstream", "trainingrun"),
                _item(_("Training permits"), "approval", "downstream", "permit"),
                _item(_("Refused runs"), "block", "downstream", "permitrefusal"),
                _item(_("Webhooks"), "webhook", "downstream", "webhooksubscription"),
            ],
        },
        {
            "title": _("Rules and record"),
            "items": [
                _item(_("Purposes"), "category", "consents", "purpose"),
                _item(_("Rules"), "gavel", "consents", "rule"),
                _item(_("Notices"), "article", "consents", "notice"),
                _item(_("Notice drafts"), "edit_note", "consents", "noticedraft"),
                _item(_("Notice mail"), "outgoing_mail", "consents", "noticedelivery"),
                _item(_("Imports"), "upload_file", "consents", "choiceimport"),
                _item(_("Ledger"), "menu_book", "consents", "ledgerevent"),
                _item(_("Checkpoints"), "verified", "consents", "checkpoint"),
                _item(_("Audit trail"), "history", "portal", "auditentry"),
            ],
        },
        {
            "title": _("House"),
            "items": [
                _item(_("Partners"), "handshake", "consents", "partner"),
                _item(_("Authorised agents"), "support_agent", "requests_app", "agent"),
                _item(_("Controllers' requests"), "domain", "requests_app", "controllerrequest"),
                _item(_("Systems"), "dns", "requests_app", "system"),
                _item(_("Staff"), "badge", "portal", "user"),
            ],
        },
    ]


def _item(title: str, icon: str, app: str, model: str) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": reverse(f"admin:{app}_{model}_changelist"),
        "permission": lambda request: request.user.has_perm(f"{app}.view_{model}"),
    }
