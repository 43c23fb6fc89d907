"""Staff's pages of requests."""

from requests_app.admin import queue, systems

__all__ = ["queue", "systems"]
