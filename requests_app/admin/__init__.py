"""Staff's pages of requests."""

from requests_app.admin import files, letters, message_templates, queue

__all__ = ["files", "letters", "message_templates", "queue"]
