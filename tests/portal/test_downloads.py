"""The header that names a download, whatever the name holds."""

from email.message import Message
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from portal.downloads import disposition
from requests_app import file_names


@given(st.text(max_size=120))
def test_any_name_makes_a_header_that_is_read_back(name: str) -> None:
    kept = file_names.clean(name, extension="pdf")
    header = disposition(kept)
    assert header.isascii()
    assert "\r" not in header
    assert "\n" not in header
    whole = unquote(header.partition("filename*=UTF-8''")[2])
    assert whole == kept
    parsed = Message()
    parsed["Content-Disposition"] = header.partition("; filename*=")[0]
    assert parsed.get_content_disposition() == "attachment"
    assert len(str(parsed.get_filename())) == len(kept)
