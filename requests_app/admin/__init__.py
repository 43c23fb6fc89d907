"""Staff's pages of requests."""

from requests_app.admin import imports, queue

__all__ = ["imports", "queue"]
