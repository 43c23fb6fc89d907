"""Addresses of the public log, as C2SP tlog-tiles lays them out."""

from django.urls import path, re_path

from consents.pages import log

_NUMBER = r"(?P<path>(?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?$"

urlpatterns = [
    path("", log.overview, name="log"),
    path("checkpoint", log.checkpoint, name="log-checkpoint"),
    re_path(rf"^tile/entries/{_NUMBER}", log.entries, name="log-entries"),
    re_path(rf"^tile/(?P<level>0|[1-9][0-9]?)/{_NUMBER}", log.tile, name="log-tile"),
]
