"""Staff's pages of requests."""

from requests_app.admin import queue

__all__ = ["queue"]
