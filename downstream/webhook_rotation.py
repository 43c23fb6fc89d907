"""Bringing the sealed keys of webhooks under the current field key; see `portal.resealing`."""

import uuid
from collections import Counter

from django.db import transaction

from downstream import webhooks
from downstream.models import WebhookSubscription
from portal import crypto, resealing
from portal.resealing import FIELD, Store, Turn


def held() -> dict[str, int]:
    """How many sealed values each key protects."""
    rows = WebhookSubscription.objects.values_list("sealed_keys", "sealed_previous")
    return dict(Counter(crypto.key_id_of(one) for row in rows.iterator() for one in row if one is not None))


@transaction.atomic
def turn(*, after: uuid.UUID | None, limit: int) -> Turn:
    """Seal the next webhooks' keys anew; those that cannot be opened stay as they are."""
    rows = WebhookSubscription.objects.select_for_update(skip_locked=True).order_by("pk")
    page = list((rows.filter(pk__gt=after) if after else rows)[:limit])
    done = failed = 0
    for webhook in page:
        old = [name for name in ("sealed_keys", "sealed_previous") if _is_old(getattr(webhook, name))]
        try:
            for name in old:
                fresh = crypto.reseal(getattr(webhook, name), context=webhooks.context(webhook.pk))
                setattr(webhook, name, fresh)
        except crypto.CryptoError:
            failed += len(old)
            continue
        webhook.save(update_fields=["sealed_keys", "sealed_previous"])
        done += len(old)
    return Turn(done=done, failed=failed, next=page[-1].pk if len(page) == limit else None)


def _is_old(sealed: crypto.Sealed | None) -> bool:
    return sealed is not None and crypto.key_id_of(sealed) != resealing.current_key(FIELD)


STORE = Store("webhooks' secrets", FIELD, held, turn)
