"""Bringing the secrets of datasets' key hashes under the current field key; see `portal.resealing`."""

from django.db import transaction
from django.db.models import Count

from downstream import naming
from downstream.models import Dataset
from portal import crypto, resealing
from portal.resealing import FIELD, Store, Turn
from portal.sealed import KeyId


@transaction.atomic
def secrets_turn(*, after: int | None, limit: int) -> Turn:
    """Seal the next secrets anew."""
    waiting = Dataset.objects.filter(pk__gt=after or 0, key_secret__isnull=False).annotate(key=KeyId("key_secret"))
    waiting = waiting.exclude(key=resealing.current_key(FIELD).encode()).order_by("pk")
    page = list(waiting.select_for_update(skip_locked=True, of=("self",))[:limit])
    done = 0
    for dataset in page:
        try:
            dataset.key_secret = naming.reseal(dataset)
        except crypto.CryptoError:
            continue
        dataset.save(update_fields=["key_secret"])
        done += 1
    return Turn(done=done, failed=len(page) - done, next=page[-1].pk if len(page) == limit else None)


def _secrets() -> dict[str, int]:
    rows = Dataset.objects.filter(key_secret__isnull=False).annotate(key=KeyId("key_secret")).values_list("key")
    return {bytes(key).decode(errors="replace"): number for key, number in rows.annotate(Count("pk")).order_by()}


STORE = Store("secrets of datasets' keys", FIELD, _secrets, secrets_turn)
