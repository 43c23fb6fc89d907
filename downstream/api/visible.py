"""What of downstream a partner sees: the datasets of the recipients that its registration names."""

from django.db.models import QuerySet

from consents.models import Partner
from downstream.models import Dataset
from portal.errors import NotFound


def datasets(partner: Partner) -> "QuerySet[Dataset]":
    """Also retired ones, which keep their versions."""
    return Dataset.objects.filter(owner_id__in=partner.recipients).select_related("owner")


def dataset(partner: Partner, slug: str) -> Dataset:
    """Somebody else's is as unknown as none. Raises NotFound(`unknown_dataset`)."""
    found = datasets(partner).filter(slug=slug).first()
    if found is None:
        raise NotFound("unknown_dataset", "There is no such dataset.", field="dataset")
    return found
