"""Staff's pages of consents."""

from consents.admin import deliveries, imports, notices, people, records

__all__ = ["deliveries", "imports", "notices", "people", "records"]
