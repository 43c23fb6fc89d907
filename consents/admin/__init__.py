"""Staff's pages of consents."""

from consents.admin import people, records

__all__ = ["people", "records"]
