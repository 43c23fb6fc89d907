"""Rows that are written once: the database refuses to change or delete them."""

from typing import Any, ClassVar

import pgtrigger
from django.db import models


class AppendOnly(models.Model):
    """Base of tables whose history cannot be edited; the trigger guards every client of the database.

    TRUNCATE is a right of its own, which production roles are not granted (see `portal.checks`).
    """

    class Meta:
        abstract = True
        triggers: ClassVar[list[Any]] = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)
        ]
