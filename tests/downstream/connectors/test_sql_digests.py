"""Digests of tables see every byte, also of text that is none."""

from pathlib import Path

from downstream.connectors.base import ReadsRows
from tests.downstream.connectors.contract import ALICE, BOB, CHARLIE, POSTS, remove, stage_first
from tests.downstream.connectors.databases import SqliteGround


def test_text_of_sqlite_that_is_no_utf_8_is_told_as_bytes_and_stops_no_removal(tmp_path: Path) -> None:
    ground = SqliteGround(tmp_path / "posts.db")
    ground.put("a", POSTS)
    ground.run("UPDATE a SET text = CAST(x'ff41' AS TEXT) WHERE person IN (?, ?)", ALICE, BOB)
    connector = ground.connector()
    assert isinstance(connector, ReadsRows)
    assert {row.values["text"] for row in connector.rows({ALICE})} == {b"\xffA"}
    (staged,) = remove(connector, {ALICE})
    assert staged.rows_removed == 2
    assert ground.run("SELECT count(*), count(*) FILTER (WHERE hex(text) = 'FF41') FROM a") == [(3, 1)]
    # a change of such bytes is seen, and text is told from bytes
    digests = set()
    for value in ("CAST(x'ff42' AS TEXT)", "x'ff42'", "CAST('t' || hex(x'ff42') AS TEXT)"):
        ground.run(f"UPDATE a SET text = {value} WHERE person = ?", BOB)
        digests.add(stage_first(ground.connector(), {CHARLIE}).before)
    assert len(digests) == 3
