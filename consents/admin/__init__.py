"""Staff's pages of consents."""

from consents.admin import cases, deliveries, imports, notices, people, records, rules

__all__ = ["cases", "deliveries", "imports", "notices", "people", "records", "rules"]
