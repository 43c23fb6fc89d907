"""Proofs for outsiders: whatever is answered convinces whoever checks it by RFC 9162, and nothing beyond the head."""

import base64
import json
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from consents import leaves, tree
from tests.consents.api.conftest import errors, problem
from tests.consents.sealing import placed, sealed

pytestmark = pytest.mark.django_db(transaction=True)


def get(what: str, client: Client | None = None, **query: Any) -> HttpResponse:
    return (client or Client()).get(f"/api/v1/log/{what}", query)  # type: ignore[return-value]


def answer(what: str, **query: Any) -> dict[str, Any]:
    response = get(what, **query)
    assert response.status_code == 200, response.content
    return dict(json.loads(response.content))


def hashes(texts: list[str]) -> list[bytes]:
    return [base64.b64decode(one) for one in texts]


def test_each_entry_is_proven_to_be_in_each_tree_that_has_it() -> None:
    sealed(3)
    head = sealed(5)
    for size in range(1, 9):
        for position in range(1, size + 1):
            found = answer("inclusion", position=position, size=size)
            leaf, root = hashes([found["leaf_hash"], found["root_hash"]])
            assert (found["leaf_index"], found["tree_size"]) == (position - 1, size)
            path = hashes(found["inclusion_path"])
            assert tree.includes(leaf=leaf, index=position - 1, size=size, proof=path, root=root)
    assert root == bytes(head.root)
    (entry,) = leaves.entries(after=7, until=8)
    assert leaf == tree.leaf_hash(entry)
    assert placed(8).kind == "amendment"


def test_without_a_size_it_is_in_the_newest_tree_that_is_signed() -> None:
    head = sealed(5)
    found = answer("inclusion", position=2)
    assert (found["tree_size"], hashes([found["root_hash"]])) == (5, [bytes(head.root)])


def test_each_tree_is_proven_to_begin_with_each_smaller_one() -> None:
    sealed(9)
    for new in range(1, 10):
        for old in range(1, new + 1):
            found = answer("consistency", **{"from": old, "to": new})
            assert (found["tree_size_1"], found["tree_size_2"]) == (old, new)
            old_root, new_root = hashes([found["root_hash_1"], found["root_hash_2"]])
            proof = hashes(found["consistency_path"])
            assert tree.extends(old=old, new=new, proof=proof, old_root=old_root, new_root=new_root)


def test_without_an_end_it_is_the_newest_tree_that_is_signed() -> None:
    kept = sealed(3)
    head = sealed(4)
    found = answer("consistency", **{"from": 3})
    assert (found["tree_size_2"], hashes([found["root_hash_1"]])) == (7, [bytes(kept.root)])
    assert hashes([found["root_hash_2"]]) == [bytes(head.root)]


@pytest.mark.parametrize(
    ("what", "query", "code"),
    [
        ("inclusion", {"position": 6}, "position_beyond_size"),
        ("inclusion", {"position": 4, "size": 3}, "position_beyond_size"),
        ("inclusion", {"position": 1, "size": 6}, "beyond_the_head"),
        ("inclusion", {"position": 10**40}, "position_beyond_size"),
        ("consistency", {"from": 1, "to": 6}, "beyond_the_head"),
        ("consistency", {"from": 6}, "sizes_out_of_order"),
        ("consistency", {"from": 3, "to": 2}, "sizes_out_of_order"),
    ],
)
def test_what_is_beyond_the_head_or_out_of_order_is_a_problem(what: str, query: dict[str, int], code: str) -> None:
    sealed(5)
    assert problem(get(what, **query)) == (400, code)


@pytest.mark.parametrize(
    ("what", "query", "field"),
    [
        ("inclusion", {}, "position"),
        ("inclusion", {"position": 0}, "position"),
        ("inclusion", {"position": "one"}, "position"),
        ("inclusion", {"position": 1, "leaf": 1}, "leaf"),
        ("consistency", {"to": 1}, "from"),
        ("consistency", {"from": -1}, "from"),
    ],
)
def test_what_cannot_be_meant_is_named_by_its_field(what: str, query: dict[str, Any], field: str) -> None:
    response = get(what, **query)
    assert response.status_code == 400
    assert [name for name, _ in errors(response)] == [field]


@pytest.mark.parametrize(("what", "query"), [("inclusion", {"position": 1}), ("consistency", {"from": 1})])
def test_before_anything_is_signed_nothing_is_proven(what: str, query: dict[str, int]) -> None:
    assert problem(get(what, **query)) == (400, "beyond_the_head")


@pytest.mark.parametrize("what", ["inclusion", "consistency"])
def test_only_looking_is_possible(what: str) -> None:
    assert Client().post(f"/api/v1/log/{what}").status_code == 405


def test_who_asks_too_often_is_asked_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed(2)
    monkeypatch.setattr("portal.api_access.AddressThrottle.rate", "2/min", raising=False)
    answers = [get("inclusion", position=1).status_code for _ in range(3)]
    assert answers == [200, 200, 429]
    assert get("consistency", Client(REMOTE_ADDR="192.0.2.7"), **{"from": 1}).status_code == 200
