"""Staff's pages of requests."""

from requests_app.admin import (
    agents,
    controllers,
    files,
    imports,
    intake,
    letters,
    message_templates,
    packages,
    queue,
    reports,
    systems,
)

__all__ = [
    "agents",
    "controllers",
    "files",
    "imports",
    "intake",
    "letters",
    "message_templates",
    "packages",
    "queue",
    "reports",
    "systems",
]
