"""A version as Croissant: what the specification requires is there, and how far people's choices are in it."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consents.models import Subject
from consents.vocabulary import Action
from downstream import arrivals, croissant, versions
from downstream.models import Dataset
from tests.conftest import dataset_of, write_parquet
from tests.downstream.acting import LATER, run_all, say

pytestmark = pytest.mark.django_db(transaction=True)

REQUIRED = ("@context", "@type", "conformsTo", "name", "description", "license", "url", "creator", "datePublished")
"""Of the specification's 1.1, "Dataset-level information: Required"."""
ATOMIC = {"sc:Text", "sc:Integer", "sc:Float", "sc:Boolean", "sc:Date", "sc:DateTime", "sc:Time"}


def exported(dataset: Dataset, number: int | None = None) -> Any:
    """As it leaves us: through JSON."""
    version = versions.get(dataset, number) if number else versions.newest(dataset)
    assert version is not None
    return json.loads(json.dumps(croissant.export(version)))


def ids(node: Any) -> list[str]:
    """The id of everything that is described: an object of nothing but an id is a reference."""
    if isinstance(node, list):
        return [one for part in node for one in ids(part)]
    if not isinstance(node, dict):
        return []
    own = [node["@id"]] if "@id" in node and len(node) > 1 else []
    return own + [one for name, part in node.items() if name != "@context" for one in ids(part)]


def references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [one for part in node for one in references(part)]
    if not isinstance(node, dict):
        return []
    if set(node) == {"@id"}:
        return [node["@id"]]
    return [one for name, part in node.items() if name != "@context" for one in references(part)]


def check_field(field: dict[str, Any], sources: set[str]) -> None:
    assert field["@type"] == "cr:Field"
    assert field["source"]["fileSet"]["@id"] in sources
    assert field["source"]["extract"]["column"]
    assert ("dataType" in field) != ("subField" in field)
    assert field.get("dataType", "sc:Text") in ATOMIC
    for inner in field.get("subField", ()):
        assert inner["@id"].startswith(field["@id"] + "/")
        check_field(inner, sources)


def check(said: dict[str, Any]) -> None:
    """Raises AssertionError where the specification's structure is not kept."""
    assert all(said.get(name) for name in REQUIRED)
    assert said["@type"] == "sc:Dataset"
    assert "http://mlcommons.org/croissant/1.1" in said["conformsTo"]
    prefixes = {"sc", "cr", "rai", "dct", "prov", "heed"}
    assert prefixes < set(said["@context"])
    unprefixed = {name for name in said if ":" not in name and not name.startswith("@")}
    assert unprefixed - set(said["@context"]) <= {
        *("name", "description", "license", "url", "creator", "publisher", "version", "distribution"),
        *("datePublished", "dateCreated", "dateModified"),
    }
    described = ids(said)
    assert len(described) == len(set(described))
    kinds = {one["@id"]: one["@type"] for one in said["distribution"]}
    assert set(kinds.values()) <= {"cr:FileObject", "cr:FileSet"}
    for one in said["distribution"]:
        assert one["encodingFormat"]
        assert one.get("containedIn", {"@id": "folder"})["@id"] in kinds
        if one["@type"] == "cr:FileObject":
            assert one["contentUrl"]
            assert len(one.get("sha256", "0" * 64)) == 64
        else:
            assert one["includes"]
    sets = {name for name, kind in kinds.items() if kind == "cr:FileSet"}
    for records in said["recordSet"]:
        assert records["@type"] == "cr:RecordSet"
        for field in records["field"]:
            check_field(field, sets)


def test_what_is_required_is_there(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY)
    run_all()
    said = exported(posts)
    check(said)
    assert (said["name"], said["version"], said["creator"]["name"]) == ("Posts", "2.0.0", "Linkwell")
    files = {one["name"]: one for one in said["distribution"] if one["@id"].startswith("file/")}
    assert files["part-0.parquet"]["sha256"]
    assert said["prov:wasDerivedFrom"]["@id"].endswith("/datasets/posts/versions/1")
    assert "sha256" not in exported(posts, 1)["distribution"][2]
    check(exported(posts, 1))


def test_the_columns_are_told_with_their_types_also_within_records(world: None, tmp_path: Path) -> None:
    person = pa.struct([("born", pa.date32()), ("tags", pa.list_(pa.string()))])
    schema = pa.schema(
        [
            ("author", pa.string()),
            ("likes", pa.int32()),
            ("score", pa.float32()),
            ("is_public", pa.bool_()),
            ("made", pa.timestamp("us", "UTC")),
            ("kind", pa.dictionary(pa.int8(), pa.string())),
            ("words", pa.list_(pa.string())),
            ("person", person),
            ("persons", pa.list_(person)),
            ("photo", pa.binary()),
            ("a b/c", pa.string()),
            ("a%20b/c", pa.string()),
        ]
    )
    (tmp_path / "posts").mkdir()
    pq.write_table(schema.empty_table(), tmp_path / "posts" / "a.parquet")
    said = exported(dataset_of(tmp_path / "posts"))
    check(said)
    fields = {one["name"]: one for one in said["recordSet"][0]["field"]}
    assert {name: one.get("dataType") for name, one in fields.items()} == {
        **{"author": "sc:Text", "likes": "sc:Integer", "score": "sc:Float", "is_public": "sc:Boolean"},
        **{"made": "sc:DateTime", "kind": "sc:Text", "words": "sc:Text", "photo": "sc:Text"},
        **{"person": None, "persons": None, "a b/c": "sc:Text", "a%20b/c": "sc:Text"},
    }
    assert [name for name, one in fields.items() if one.get("isArray")] == ["words", "persons"]
    assert [one["dataType"] for one in fields["person"]["subField"]] == ["sc:Date", "sc:Text"]
    assert unquote(fields["a b/c"]["@id"]) == "records/a b/c"


def test_the_state_of_choices_is_told(posts: Dataset, alice: Subject) -> None:
    head = say(alice, Action.DENY)
    run_all()
    state = exported(posts)["heed:consentState"]
    assert (state["heed:position"], state["heed:peopleTakenOut"]) == (head, 1)
    assert (state["heed:purpose"], state["heed:recipient"]) == (["ai-training"], "linkwell")
    assert state["heed:verifiedAt"] == LATER.isoformat()
    (suppressed,) = state["heed:suppressionList"]
    assert suppressed["@id"].endswith("/api/v1/suppression/ai-training?dataset=posts")


def test_a_version_that_nobody_has_looked_through_says_so(posts: Dataset, alice: Subject) -> None:
    write_parquet(Path(posts.location), {"author": ["m_alice"], "text": ["a"]}, name="part-1.parquet")
    arrivals.look_around(at=LATER)
    said = exported(posts)
    check(said)
    state = said["heed:consentState"]
    assert (state["heed:position"], state["heed:verifiedAt"]) == (0, None)
    assert state["heed:holdsWhatNobodyLookedThrough"] is True
    assert "nobody has looked through" in said["description"]


def test_of_very_many_files_the_set_alone_is_named(posts: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(croissant, "MOST_FILES", 0)
    said = exported(posts)
    check(said)
    assert [one["@id"] for one in said["distribution"]] == ["folder", "files"]
    assert references(said["recordSet"])[0] == "files"
