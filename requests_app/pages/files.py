"""Files of a person's own requests, as downloads."""

import uuid

from django.http import Http404, HttpRequest, HttpResponseBase
from django.views.decorators.http import require_GET

from consents.models import Subject
from consents.pages.access import for_subject
from portal import actors
from requests_app.file_responses import serve
from requests_app.models import Attachment
from requests_app.pages import own
from requests_app.states import ANSWERED, FileUse


@require_GET
@for_subject
def download(request: HttpRequest, subject: Subject, reference: str, file_id: uuid.UUID) -> HttpResponseBase:
    """A file of the reader's own request: what came with messages, what is part of the answer, what they sent."""
    theirs = Attachment.objects.filter(request=own.id_of(reference), request__subject=subject, deleted_at__isnull=True)
    attachment = theirs.select_related("request__subject").filter(pk=file_id).first()
    if attachment is None or not is_theirs(attachment, subject):
        raise Http404
    return serve(attachment)


def is_theirs(attachment: Attachment, subject: Subject) -> bool:
    """Whether a person may see this file of their request.

    Staff's evidence of work done is not for them, and parts of the answer not before it is given.
    """
    if attachment.use == FileUse.ANSWER:
        return attachment.request.status in ANSWERED
    return attachment.use == FileUse.MESSAGE or attachment.uploaded_by == actors.subject(subject.pk)
