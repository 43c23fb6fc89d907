"""The public log, for whoever wants to check it: no sign-in, files that may be kept, and one page that explains."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from consents import checkpoints, log_tiles, signed_notes
from consents.tree import WIDTH, TileId

_TEXT = "text/plain; charset=utf-8"
_BYTES = "application/octet-stream"
_YEAR = 365 * 24 * 3600
_FEW_SECONDS = 2
_HIGHEST_LEVEL = 63


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """What the log is, how large, and the keys that verify it."""
    last = checkpoints.latest()
    keys = signed_notes.verifier_keys()
    return render(request, "consents/log.html", {"origin": settings.LOG_ORIGIN, "last": last, "keys": keys})


@require_safe
def checkpoint(request: HttpRequest) -> HttpResponse:
    """The newest signed size and root."""
    last = checkpoints.latest()
    if last is None:
        return _absent()
    return _kept(HttpResponse(last.note, content_type=_TEXT), seconds=_FEW_SECONDS)


@require_safe
def tile(request: HttpRequest, level: str, path: str, width: str | None = None) -> HttpResponse:
    """Hashes of the tree, which never change once they are there."""
    number, wanted = log_tiles.number_of(path), _width(width)
    if number is None or wanted is None or int(level) > _HIGHEST_LEVEL:
        return _absent()
    return _file(log_tiles.hashes(TileId(int(level), number), width=wanted))


@require_safe
@gzip_page
def entries(request: HttpRequest, path: str, width: str | None = None) -> HttpResponse:
    """What the lowest hashes were made of: commitments, which tell nobody anything."""
    number, wanted = log_tiles.number_of(path), _width(width)
    if number is None or wanted is None:
        return _absent()
    return _file(log_tiles.entries(number, width=wanted))


def _width(text: str | None) -> int | None:
    """How many of the tile are asked for: all, or fewer; None for more than there can be."""
    if text is None:
        return WIDTH
    return int(text) if int(text) < WIDTH else None


def _file(content: bytes | None) -> HttpResponse:
    if content is None:
        return _absent()
    return _kept(HttpResponse(content, content_type=_BYTES), seconds=_YEAR, immutable=True)


def _absent() -> HttpResponse:
    """Not there yet, or never: not to be remembered, because it may be there in a second."""
    return _kept(HttpResponse("There is nothing here yet.\n", content_type=_TEXT, status=404), seconds=0)


def _kept(response: HttpResponse, *, seconds: int, immutable: bool = False) -> HttpResponse:
    patch_cache_control(response, public=True, max_age=seconds, **({"immutable": True} if immutable else {}))
    return response
