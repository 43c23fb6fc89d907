"""What controllers instruct us over OpenDSR, and what they have to be told of it."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from requests_app.models.notices import StatusNotice
from requests_app.models.protocols import ProtocolRequest, became_a_request_or_was_settled
from requests_app.models.requests import Request


class ControllerRequest(ProtocolRequest):
    """One instruction of a controller: the request that came of it, or how it was settled.

    Whom it names is in no field: of that there is a keyed digest, by which the same sent again is known.
    """

    partner = models.SlugField(_("controller"))
    subject_request_id = models.UUIDField(_("controller's own id"))
    subject_request_type = models.CharField(_("asks for"), max_length=20)
    regulation = models.CharField(_("under"), max_length=10)
    body_digest = models.CharField(max_length=64, help_text=_("Keyed fingerprint of the whole message."))
    request = models.OneToOneField(
        Request, null=True, blank=True, on_delete=models.PROTECT, related_name="controller_request"
    )
    expected_at = models.DateTimeField(_("expected"), help_text=_("What was said when it was received."))

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"subject_request_id", "body_digest"})

    class Meta(ProtocolRequest.Meta):
        verbose_name = _("controller's request")
        verbose_name_plural = _("controllers' requests")
        constraints = [
            models.UniqueConstraint(fields=["partner", "subject_request_id"], name="one_request_per_controllers_id"),
            became_a_request_or_was_settled("instructs_a_request_or_was_settled"),
        ]

    def __str__(self) -> str:
        return f"{self.subject_request_type} of {self.received_at:%Y-%m-%d}"


class ControllerCallback(models.Model):
    """Where a controller wants to be told of every change, and what it was told there last."""

    id = models.BigAutoField(primary_key=True)
    controller_request = models.ForeignKey(ControllerRequest, on_delete=models.PROTECT, related_name="callbacks")
    url = models.CharField(_("told at"), max_length=1000)
    told_status = models.CharField(_("told last"), max_length=20)

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"url"})

    class Meta:
        verbose_name = _("controller's callback")
        verbose_name_plural = _("controllers' callbacks")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["controller_request", "url"], name="one_callback_per_address"),
        ]

    def __str__(self) -> str:
        return self.told_status


class ControllerNotice(StatusNotice):
    """A change of status that a controller has to be told of, at one of its addresses.

    Written by the trigger `tells_the_controller` of Request, in the transaction of the change.
    """

    callback = models.ForeignKey(ControllerCallback, on_delete=models.PROTECT, related_name="notices")

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(StatusNotice.Meta):
        verbose_name = _("notice to a controller")
        verbose_name_plural = _("notices to controllers")
        indexes = [
            models.Index(fields=["callback", "id"], name="controller_notice_due", condition=Q(state="pending")),
        ]
