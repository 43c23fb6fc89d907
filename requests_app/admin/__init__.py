"""Staff's pages of requests."""

from requests_app.admin import files, message_templates, queue

__all__ = ["files", "message_templates", "queue"]
from requests_app.admin import packages, queue

__all__ = ["packages", "queue"]
