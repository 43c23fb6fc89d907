"""Portability (GDPR Art. 20): what the person gave, in a form that a machine reads.

The same work as an access request: a package that staff look through and release. What is in it is in `packages`.
"""

from requests_app.rights.access import carry_out, details, finish, is_settled, plan, scope

__all__ = ["carry_out", "details", "finish", "is_settled", "plan", "scope"]
