"""The three training datasets of the sample network, written as Parquet."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from downstream.registry import Registration
from portal.demo.people import Person

_SEED = 918
_START = datetime(2023, 1, 1, tzinfo=UTC)
_SUBJECTS = (
    "our new release",
    "hiring",
    "a talk I gave",
    "remote work",
    "databases",
    "a book",
    "my first week",
    "AI",
)
_OPINIONS = (
    "Proud of",
    "Some notes on",
    "Unpopular opinion about",
    "What I learned from",
    "Thank you all for",
)
_ROLES = ("engineer", "designer", "nurse", "teacher", "analyst", "founder", "lawyer", "welder")


def registrations(folder: Path) -> list[Registration]:
    """What the demo registers: posts, profiles, and what an affiliate received."""
    return [
        Registration(
            slug="posts-2024",
            name="Posts for the writing assistant",
            public_name="Posts that train our writing assistant",
            owner="linkwell",
            purposes=("ai-training",),
            location=str(folder / "posts-2024"),
            key_column="author",
            key_scheme="account",
            category="posts",
        ),
        Registration(
            slug="profiles-2024",
            name="Profiles for job suggestions",
            public_name="Profiles that train our job suggestions",
            owner="linkwell",
            purposes=("ai-training",),
            location=str(folder / "profiles-2024"),
            key_column="member",
            key_scheme="account",
            category="profile",
        ),
        Registration(
            slug="northlight-2024",
            name="Conversations at Northlight",
            public_name="Posts that our affiliate Northlight trains with",
            owner="northlight",
            purposes=("ai-training/affiliates",),
            location=str(folder / "northlight-2024"),
            key_column="contact",
            key_scheme="email",
            category="posts",
            deadline_hours=72,
        ),
    ]


def write(folder: Path, people: list[Person]) -> None:
    """Write the files that are not there yet; what earlier runs changed stays changed."""
    chance = random.Random(_SEED)  # noqa: S311 -- sample data
    _write(folder / "posts-2024", _posts(people, chance, per_person=12), key="author", files=4)
    _write(folder / "profiles-2024", _profiles(people, chance), key="member", files=1)
    _write(folder / "northlight-2024", _conversations(people, chance), key="contact", files=2)


def _posts(people: list[Person], chance: random.Random, per_person: int) -> list[dict[str, Any]]:
    rows = [
        {
            "post": f"p{number:06d}",
            "author": person.account,
            "written": _START + timedelta(minutes=chance.randrange(900_000)),
            "text": f"{chance.choice(_OPINIONS)} {chance.choice(_SUBJECTS)}. – {person.first_name}",
        }
        for number, person in enumerate(person for person in people for _ in range(chance.randint(1, per_person)))
    ]
    chance.shuffle(rows)
    return rows


def _profiles(people: list[Person], chance: random.Random) -> list[dict[str, Any]]:
    return [
        {
            "member": one.account,
            "headline": f"{one.first_name}, {chance.choice(_ROLES)}",
            "country": one.jurisdiction,
        }
        for one in people
    ]


def _conversations(people: list[Person], chance: random.Random) -> list[dict[str, Any]]:
    return [
        {
            "contact": one.email,
            "turns": [{"by": "member", "text": f"How do I write about {chance.choice(_SUBJECTS)}?"}],
        }
        for one in people
        if chance.random() < 0.7
    ]


def _write(folder: Path, rows: list[dict[str, Any]], *, key: str, files: int) -> None:
    if folder.exists():
        return
    folder.mkdir(parents=True)
    table = pa.Table.from_pylist(rows).replace_schema_metadata({"about": "sample data of the Linkwell demonstration"})
    size = -(-len(rows) // files)
    for number in range(files):
        part = table.slice(number * size, size)
        pq.write_table(
            part,
            folder / f"part-{number:03d}.parquet",
            compression="zstd",
            row_group_size=256,
            # the stubs know only bool; columns' names are taken too
            use_dictionary=[key],  # type: ignore[arg-type]
        )
