"""Staff's pages of consents."""

from consents.admin import deliveries, notices, people, records

__all__ = ["deliveries", "notices", "people", "records"]
