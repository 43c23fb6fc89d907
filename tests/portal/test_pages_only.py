"""What pages need and calls of the API do not is left out for calls, wherever the site is mounted."""

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from consents.pages.gpc import RecordsSignal


@pytest.mark.parametrize("path", ["/api/v1/changes", "/drp/v1/agent/a", "/opendsr/v2/discovery", "/opendsr/callbacks"])
def test_a_browsers_signal_is_not_looked_at_in_a_call(path: str) -> None:
    call = RequestFactory().get(path, SCRIPT_NAME="/heed", headers={"sec-gpc": "1"})
    assert call.path == f"/heed{path}"
    # nobody is signed in in a call, not even as nobody
    assert RecordsSignal(lambda request: HttpResponse("reached"))(call).content == b"reached"  # type: ignore[attr-defined]
