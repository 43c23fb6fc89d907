"""The reader's own request, by the reference in an address."""

import uuid

from django.http import Http404

from consents.models import Subject
from portal import references
from portal.errors import NotFound
from requests_app.models import Request


def request_of(subject: Subject, reference: str) -> Request:
    """The reader's own request; somebody else's is as unknown as none. Raises Http404."""
    found = Request.objects.select_related("subject").filter(pk=id_of(reference), subject=subject).first()
    if found is None:
        raise Http404
    return found


def id_of(reference: str) -> uuid.UUID:
    """What a reference stands for. Raises Http404 for anything that was never given out."""
    try:
        return references.decode("Q", reference)
    except NotFound as error:
        raise Http404 from error
