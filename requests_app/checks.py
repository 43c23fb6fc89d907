"""System checks of requests: what others see of us has to hold."""

from typing import Any

from django.conf import settings
from django.core.checks import Error, Tags, register
from django.core.checks import Warning as CheckWarning
from django.http.request import validate_host

from portal import clock
from requests_app import opendsr_keys
from requests_app.opendsr_keys import KeyTrouble


@register(Tags.security, deploy=True)
def processor_can_be_believed(**_: Any) -> list[Any]:
    """heed.E014, heed.W015, heed.E016: controllers reach us, and believe what a certificate that they trust signed."""
    if not settings.OPENDSR_DOMAIN:
        return []
    return [*_reached(), *_believed()]


def _reached() -> list[Any]:
    if validate_host(settings.OPENDSR_DOMAIN, settings.ALLOWED_HOSTS):
        return []
    return [
        Error(
            "HEED_OPENDSR_DOMAIN is not in HEED_HOSTS: controllers' calls to it are refused.",
            hint="Add it to HEED_HOSTS.",
            id="heed.E016",
        )
    ]


def _believed() -> list[Any]:
    if opendsr_keys.is_self_signed():
        return [
            CheckWarning(
                "OpenDSR is spoken with a certificate that we signed ourselves, which controllers are not to trust.",
                hint="Set HEED_OPENDSR_CERTIFICATE and HEED_OPENDSR_KEY, or leave HEED_OPENDSR_DOMAIN empty.",
                id="heed.W015",
            )
        ]
    try:
        opendsr_keys.check(at=clock.now())
    except KeyTrouble as trouble:
        return [Error(trouble.message, hint="See docs/answer-opendsr.md.", id="heed.E014")]
    return []
