"""Data subject requests and everything that belongs to them."""

from requests_app.models.agents import Agent, AgentKey
from requests_app.models.answers import Package, PackageDownload, Redaction
from requests_app.models.files import Attachment
from requests_app.models.identity import IdentityCheck
from requests_app.models.messages import Letter, Message, MessageTemplate
from requests_app.models.reminders import StaffLetter
from requests_app.models.requests import ClockNotice, Pause, Proposal, Request, RequestQuerySet, TimelineEntry
from requests_app.models.work import System, Task

__all__ = [
    "Agent",
    "AgentKey",
    "Attachment",
    "ClockNotice",
    "IdentityCheck",
    "Letter",
    "Message",
    "MessageTemplate",
    "Package",
    "PackageDownload",
    "Pause",
    "Proposal",
    "Redaction",
    "Request",
    "RequestQuerySet",
    "StaffLetter",
    "System",
    "Task",
    "TimelineEntry",
]
