"""Staff's pages of consents."""

from consents.admin import cases, people, records, rules

__all__ = ["cases", "people", "records", "rules"]
