"""Staff's pages of consents."""

from consents.admin import imports, people, records

__all__ = ["imports", "people", "records"]
