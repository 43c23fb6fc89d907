"""Data subject requests and everything that belongs to them."""

from requests_app.models.agent_requests import AgentNotice, AgentRequest
from requests_app.models.agents import Agent, AgentKey
from requests_app.models.answers import Clearance, Package, PackageDownload, Redaction
from requests_app.models.clock import ClockNotice, Pause
from requests_app.models.controller_requests import ControllerCallback, ControllerNotice, ControllerRequest
from requests_app.models.files import Attachment
from requests_app.models.identity import IdentityCheck
from requests_app.models.imports import ImportedReference, ImportState, RefusedRow, RequestImport
from requests_app.models.messages import Letter, Message, MessageTemplate
from requests_app.models.notices import StatusNotice
from requests_app.models.proposals import Proposal
from requests_app.models.reminders import StaffLetter
from requests_app.models.requests import Request, RequestQuerySet
from requests_app.models.timeline import TimelineEntry
from requests_app.models.work import SavedView, System, Task

__all__ = [
    "Agent",
    "AgentKey",
    "AgentNotice",
    "AgentRequest",
    "Attachment",
    "Clearance",
    "ClockNotice",
    "ControllerCallback",
    "ControllerNotice",
    "ControllerRequest",
    "IdentityCheck",
    "ImportState",
    "ImportedReference",
    "Letter",
    "Message",
    "MessageTemplate",
    "Package",
    "PackageDownload",
    "Pause",
    "Proposal",
    "Redaction",
    "RefusedRow",
    "Request",
    "RequestImport",
    "RequestQuerySet",
    "SavedView",
    "StaffLetter",
    "StatusNotice",
    "System",
    "Task",
    "TimelineEntry",
]
