"""Answers that hand an attachment out: always as a download, never as anything a browser would show on our address."""

from collections.abc import Iterator
from itertools import chain

from django.http import Http404, HttpResponseBase

from portal import downloads
from portal.errors import DomainError
from requests_app import attachments
from requests_app.models import Attachment


def serve(attachment: Attachment) -> HttpResponseBase:
    """The file as a download that no browser shows, runs or keeps. Raises Http404 where it is gone.

    Name and type are those found when it was taken in.
    """
    try:
        name = attachments.name_of(attachment) or "file"
        content = _begun(attachments.open_file(attachment))
    except DomainError as error:
        raise Http404 from error
    return downloads.of_others(content, name=name, content_type=attachment.content_type, size=attachment.size)


def _begun(content: Iterator[bytes]) -> Iterator[bytes]:
    """The content with its first part already opened: an altered file is found before anything is answered."""
    first = next(content, b"")
    return chain([first], content)
