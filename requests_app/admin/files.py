"""Files of requests for staff: handed out one by one, each time into the audit trail; there is no list of them."""

import uuid

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import URLPattern, path

from portal import audit, clock
from portal.staff_pages import ReadOnlyAdmin, by, found
from requests_app.file_responses import serve
from requests_app.models import Attachment
from requests_app.states import EVIDENCE_OF_WHO

VIEW, CARRY_OUT = "requests_app.view_attachment", "requests_app.carry_out"


@admin.register(Attachment)
class AttachmentAdmin(ReadOnlyAdmin):
    """Hosts the download alone: `admin:requests_app_attachment_download`."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Attachment | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.download)
        return [path("<uuid:file_id>/download/", view, name="requests_app_attachment_download")]

    def download(self, request: HttpRequest, file_id: uuid.UUID) -> HttpResponseBase:
        """One file. Evidence of who somebody is, only for those who carry requests out."""
        if not request.user.has_perm(VIEW):
            raise PermissionDenied
        attachment = found(Attachment.objects.select_related("request__subject"), str(file_id))
        if attachment is None or attachment.deleted_at is not None:
            raise Http404
        if attachment.use in EVIDENCE_OF_WHO and not request.user.has_perm(CARRY_OUT):
            raise PermissionDenied
        answer = serve(attachment)
        details = {"file": str(attachment.pk), "use": attachment.use}
        of = ("request", attachment.request_id)
        audit.record(at=clock.now(), by=by(request), action="request.open_file", of=of, details=details)
        return answer
