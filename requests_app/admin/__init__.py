"""Staff's pages of requests."""

from requests_app.admin import packages, queue

__all__ = ["packages", "queue"]
