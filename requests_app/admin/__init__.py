"""Staff's pages of requests."""

from requests_app.admin import agents, queue

__all__ = ["agents", "queue"]
