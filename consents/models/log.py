"""The public log: the tree over the sequenced events, kept in tiles, and the checkpoints that sign it."""

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.lookups import Exact, GreaterThan, LessThanOrEqual
from django.utils.translation import gettext_lazy as _

from portal.append_only import AppendOnly

HASH_BYTES = 32
FULL_TILE_BYTES = 256 * HASH_BYTES


_LENGTH = Func(F("hashes"), function="octet_length", output_field=models.IntegerField())
_REMAINDER = Func(_LENGTH, HASH_BYTES, function="mod", output_field=models.IntegerField())


class Tile(models.Model):
    """Up to 256 consecutive hashes of the tree (C2SP tlog-tiles). Written by `consents.checkpoints` alone.

    Grows at its end until it is full; nothing else of it ever changes.
    """

    pk = models.CompositePrimaryKey("level", "number")
    level = models.PositiveSmallIntegerField()
    number = models.BigIntegerField()
    hashes = models.BinaryField()

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("tile of the log")
        verbose_name_plural = _("tiles of the log")
        constraints = [
            models.CheckConstraint(
                condition=Q(Exact(_REMAINDER, 0), GreaterThan(_LENGTH, 0), LessThanOrEqual(_LENGTH, FULL_TILE_BYTES)),
                name="a_tile_holds_1_to_256_hashes",
            )
        ]
        triggers: ClassVar[list[pgtrigger.Trigger]] = [
            pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete),
            pgtrigger.Trigger(
                name="grows_at_its_end",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                func="""
                    IF NEW.level <> OLD.level OR NEW.number <> OLD.number
                       OR octet_length(NEW.hashes) <= octet_length(OLD.hashes)
                       OR substring(NEW.hashes FROM 1 FOR octet_length(OLD.hashes)) <> OLD.hashes
                    THEN
                        RAISE EXCEPTION 'pgtrigger: A tile only grows at its end: % table', TG_TABLE_NAME;
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.level}/{self.number}"


class Checkpoint(AppendOnly):
    """The log's size and root at one moment, signed (C2SP tlog-checkpoint). Written by `consents.checkpoints` alone.

    One size is signed again only by another key.
    """

    id = models.BigAutoField(primary_key=True)
    size = models.BigIntegerField()
    root = models.BinaryField()
    note = models.TextField()
    key_id = models.CharField(max_length=32)
    signed_at = models.DateTimeField()

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(AppendOnly.Meta):
        verbose_name = _("checkpoint")
        verbose_name_plural = _("checkpoints")
        constraints = [
            models.UniqueConstraint(fields=["size", "key_id"], name="one_checkpoint_per_size_and_key"),
        ]

    def __str__(self) -> str:
        return str(self.size)
