"""The log is there for everybody, laid out as C2SP tlog-tiles says, and checks with what is served alone."""

import base64
import hashlib
import re

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from consents import log_tiles, tree
from consents.checkpoints import LogBroken
from consents.tree import TileId
from tests.consents.sealing import behind_the_triggers, placed, sealed

pytestmark = pytest.mark.django_db(transaction=True)


def get(path: str, **headers: str) -> HttpResponse:
    return Client().get(f"/log/{path}", headers=headers)  # type: ignore[return-value]


def the_entries(content: bytes) -> list[bytes]:
    found = []
    while content:
        length = int.from_bytes(content[:2], "big")
        found.append(content[2 : 2 + length])
        content = content[2 + length :]
    return found


def test_before_anything_is_sealed_there_is_nothing() -> None:
    for path in ("checkpoint", "tile/0/000", "tile/0/000.p/1", "tile/entries/000"):
        response = get(path)
        assert (response.status_code, response["Cache-Control"]) == (404, "public, max-age=0")
    assert "none yet" in get("").content.decode()


def test_the_checkpoint_is_text_that_is_kept_for_seconds_only() -> None:
    last = sealed(3)
    response = get("checkpoint")
    assert response.content.decode() == last.note
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["Cache-Control"] == "public, max-age=2"


def test_tiles_hold_the_hashes_that_the_specification_says_and_may_be_kept() -> None:
    sealed(600)
    held = {path: get(path) for path in ("tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2")}
    assert {path: len(one.content) // 32 for path, one in held.items()} == {
        "tile/0/000": 256,
        "tile/0/001": 256,
        "tile/0/002.p/88": 88,
        "tile/1/000.p/2": 2,
    }
    for one in held.values():
        assert one["Content-Type"] == "application/octet-stream"
        assert one["Cache-Control"] == "public, max-age=31536000, immutable"
        assert not one.cookies
    assert held["tile/1/000.p/2"].content[:32] == tree.fold(held["tile/0/000"].content)


def test_a_tile_that_grew_still_serves_what_it_was_at_an_earlier_checkpoint() -> None:
    sealed(3)
    before = get("tile/0/000.p/3").content
    sealed(400)
    assert get("tile/0/000.p/3").content == before == get("tile/0/000").content[:96]


NOT_THERE = """
    tile/0/002 tile/0/002.p/89 tile/0/003.p/1 tile/2/000.p/1 tile/0/000.p/0 tile/0/000.p/256 tile/0/000.p/01
    tile/0/0 tile/0/00 tile/0/0000 tile/0/x000/000 tile/0/x000 tile/00/000 tile/64/000 tile/-1/000 tile/0/000/
    tile/0/x001/x234/067 tile/entries/002 tile/entries/002.p/89 tile/entries/x000/000 tile/entries/0
"""


def test_what_is_not_there_is_not_found() -> None:
    sealed(600)
    answers = {path: get(path).status_code for path in NOT_THERE.split()}
    assert answers == dict.fromkeys(answers, 404)


def test_nothing_but_reading_is_allowed() -> None:
    for path in ("", "checkpoint", "tile/0/000", "tile/entries/000"):
        assert Client().post(f"/log/{path}").status_code == 405


def test_each_entry_hashes_to_its_leaf() -> None:
    sealed(300)
    for bundle, tile, width in (("000", "000", 256), ("001.p/44", "001.p/44", 44)):
        entries = the_entries(get(f"tile/entries/{bundle}").content)
        hashes = b"".join(tree.leaf_hash(entry) for entry in entries)
        assert (len(entries), hashes) == (width, get(f"tile/0/{tile}").content)
        assert all(re.fullmatch(rb"heed-event-v1 amendment [0-9a-f]{64}", entry) for entry in entries)


def test_bundles_are_compressed_for_whoever_takes_that() -> None:
    sealed(300)
    assert get("tile/entries/000", **{"accept-encoding": "gzip"})["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in get("tile/entries/000").headers


def test_a_bundle_with_a_hole_is_not_served() -> None:
    sealed(3)
    behind_the_triggers("DELETE FROM consents_ledgerevent WHERE id = %s", [placed(2).pk])
    with pytest.raises(LogBroken):
        log_tiles.entries(0, width=3)


def test_reading_costs_few_queries() -> None:
    sealed(300)
    for path, most in (("checkpoint", 1), ("tile/0/000", 1), ("tile/entries/000", 2), ("", 1)):
        with CaptureQueriesContext(connection) as queries:
            get(path)
        assert len(queries) <= most


@pytest.mark.parametrize(
    ("number", "path"), [(0, "000"), (67, "067"), (1000, "x001/000"), (1234067, "x001/x234/067"), (999, "999")]
)
def test_numbers_are_spelled_in_groups_of_three(number: int, path: str) -> None:
    assert log_tiles.spelled(number) == path
    assert log_tiles.number_of(path) == number


@pytest.mark.parametrize(
    "path", ["", "0", "x000/001", "x001", "001/000", "٣٣٣", "x001/x234/67", "/".join(["x999"] * 9)]
)
def test_numbers_that_are_spelled_otherwise_are_none(path: str) -> None:
    assert log_tiles.number_of(path) is None


def test_an_outsider_rebuilds_the_root_from_what_is_served_and_checks_the_signature() -> None:
    sealed(600)
    page = get("").content.decode()
    name, key_id, encoded = re.findall(r"([^\s>]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)", page)[0]
    text, _, line = get("checkpoint").content.decode().rpartition("\n\n")
    signed = base64.b64decode(line.rpartition(" ")[2])
    assert (text.split("\n")[0], signed[:4].hex()) == (name, key_id)
    Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded)[1:]).verify(signed[4:], f"{text}\n".encode())
    size, root = int(text.split("\n")[1]), base64.b64decode(text.split("\n")[2])
    served = [get(f"tile/entries/{bundle}").content for bundle in ("000", "001", f"002.p/{size % 256}")]
    leaves = [hashlib.sha256(b"\0" + entry).digest() for bundle in served for entry in the_entries(bundle)]
    assert tree.fold(b"".join(leaves)) == root


def test_the_page_says_what_the_log_is_and_how_to_check_it(settings: object) -> None:
    sealed(1234)
    page = get("").content.decode()
    assert "1,234" in page
    assert "heed.local/log" in page
    assert 'href="/log/checkpoint"' in page


def test_a_tile_of_the_tree_by_its_id() -> None:
    sealed(300)
    assert log_tiles.hashes(TileId(0, 1), width=45) is None
    assert len(log_tiles.hashes(TileId(0, 1), width=44) or b"") == 44 * 32
