"""The portal's own pages for staff."""

from portal.admin import accounts, trail

__all__ = ["accounts", "trail"]
