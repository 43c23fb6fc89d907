"""A dataset is found by its slug or by where it lies, in whichever spelling."""

from pathlib import Path

import pytest

from consents.models import Subject
from downstream import places
from downstream.models import Dataset
from downstream.openlineage import Name
from tests.conftest import AT


@pytest.mark.parametrize(
    ("namespace", "name", "place"),
    [
        ("file", "/data/posts", "/data/posts"),
        ("file://", "data/posts/", "/data/posts"),
        ("file:///", "/data//posts/part-0.parquet", "/data/posts/part-0.parquet"),
        ("s3://bucket", "posts", "s3://bucket/posts"),
        ("s3a://bucket", "/posts/", "s3://bucket/posts"),
        ("gcs://bucket", "posts", "gs://bucket/posts"),
        ("hdfs://nn:8020", "/posts", "hdfs://nn:8020/posts"),
    ],
)
def test_a_place_has_one_spelling(namespace: str, name: str, place: str) -> None:
    assert places.of_name(Name(namespace, name)) == place


@pytest.mark.parametrize(
    ("location", "place"),
    [("/data/posts", "/data/posts"), ("file:///data/my%20posts", "/data/my posts"), ("s3n://b/x/", "s3://b/x")],
)
def test_a_datasets_own_place_too(location: str, place: str) -> None:
    assert places.of_location(location) == place


@pytest.mark.parametrize(
    ("name", "model"),
    [
        (Name("heed", "model/writer"), "writer"),
        (Name("x", "heed:model/writer"), "writer"),
        (Name("heed", "posts"), None),
        (Name("mlflow", "model/writer"), None),
    ],
)
def test_a_model_is_named_where_a_slug_would_stand(name: Name, model: str | None) -> None:
    assert places.model_in(name) == model


@pytest.fixture
def lake(world: None, alice: Subject) -> dict[str, Dataset]:
    def registered(slug: str, location: str) -> Dataset:
        return Dataset.objects.create(
            slug=slug, name=slug, owner_id="linkwell", purposes=["ai-training"], location=location, registered_at=AT
        )

    return {"all": registered("all", "s3://lake"), "posts": registered("posts", "s3://lake/posts")}


def test_the_nearest_of_nested_places_is_meant(lake: dict[str, Dataset], tmp_path: Path) -> None:
    register = places.Register()
    assert register.find([Name("s3://lake", "posts/2026/part.parquet")]) == lake["posts"].pk
    assert register.find([Name("s3://lake", "posts")]) == lake["posts"].pk
    assert register.find([Name("s3://lake", "posts-2")]) == lake["all"].pk
    assert register.find([Name("s3://other", "posts")]) is None
    assert register.find([Name("hive", "db.t"), Name("s3a://lake", "posts")]) == lake["posts"].pk
    assert register.find([Name("heed", "posts")]) == lake["posts"].pk
    assert register.find([Name("heed", "none")]) is None
