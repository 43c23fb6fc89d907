"""Where datasets are: two of them share no place, whatever they call it."""

import pytest

from downstream import locations
from downstream.locations import LocationTaken
from tests.conftest import dataset_of, write_parquet

TAKEN = "postgresql://heed@db/app#public.posts"


@pytest.fixture
def taken(world: None, tmp_path: object) -> None:
    dataset = dataset_of(write_parquet(tmp_path / "posts", {"author": ["m_alice"]}))  # type: ignore[operator]
    dataset.location = TAKEN
    dataset.save()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "same",
    [
        TAKEN,
        "postgresql://db/app#public.posts",
        "postgresql://other@DB:5432/app#public.posts",
        "postgresql://db/app?connect_timeout=5#public.posts",
        "postgresql:///app?host=db&port=5432#public.posts",
    ],
)
def test_a_table_is_registered_once_whoever_signs_in(taken: None, same: str) -> None:
    with pytest.raises(LocationTaken):
        locations.check_free(same)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "other",
    [
        "postgresql://db/app#public.letters",
        "postgresql://db/other#public.posts",
        "postgresql://db:5433/app#public.posts",
        "postgresql:///app?host=/run/postgres#public.posts",
    ],
)
def test_another_table_is_free(taken: None, other: str) -> None:
    locations.check_free(other)
