"""What pages need and calls of the API do not is left out for calls, wherever the site is mounted."""

from django.http import HttpResponse
from django.test import RequestFactory

from consents.pages.gpc import RecordsSignal


def test_a_browsers_signal_is_not_looked_at_in_a_call() -> None:
    call = RequestFactory().get("/api/v1/changes", SCRIPT_NAME="/heed", headers={"sec-gpc": "1"})
    assert call.path == "/heed/api/v1/changes"
    # nobody is signed in in a call, not even as nobody
    assert RecordsSignal(lambda request: HttpResponse("reached"))(call).content == b"reached"  # type: ignore[attr-defined]
