"""Staff's pages of requests."""

from requests_app.admin import agents, files, imports, intake, message_templates, packages, queue, systems

__all__ = ["agents", "files", "imports", "intake", "message_templates", "packages", "queue", "systems"]
