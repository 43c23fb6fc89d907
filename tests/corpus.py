"""The corpus of the journeys: real short posts where they lie beside the checkout, else a stand-in of the same shape.

`HEED_CORPUS` names the folder (Parquet files and members.csv); the default is `../shared/data/corpus`.
The test run's header says which one is used.
"""

import csv
import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

PLACE = Path(os.environ.get("HEED_CORPUS") or Path(__file__).parents[2] / "shared" / "data" / "corpus")
_COUNTRIES = ("US", "GB", "DE", "US-CA", "FR", "IN", "BR", "CH", "IE", "NO")


def is_real() -> bool:
    return (PLACE / "members.csv").exists()


def folder(scratch: Path) -> Path:
    """A folder with the corpus: the real one, or one made up below `scratch`."""
    if is_real():
        return PLACE
    if "HEED_CORPUS" in os.environ:
        raise FileNotFoundError(f"HEED_CORPUS names {PLACE}, where there is no members.csv.")
    return _made_up(scratch / "made-up-corpus")


def _made_up(place: Path) -> Path:
    """1,500 authors with long-tailed numbers of posts in 16 files of 1,024-row groups."""
    place.mkdir(parents=True)
    chance = random.Random(3212)
    authors = [f"m_{chance.randrange(16**12):012x}" for _ in range(1_500)]
    with (place / "members.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["author_id", "email", "jurisdiction"])
        lines.writerows([one, f"{one}@example.org", chance.choice(_COUNTRIES)] for one in authors)
    rows = [
        {
            "post_id": f"{chance.randrange(16**12):012x}",
            "author_id": author,
            "created_at": datetime(2012, 1, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(5_000_000)),
            "source": chance.choice(["blog", "list", "tracker"]),
            "text": " ".join(chance.choices(["fix", "the", "tests", "and", "docs", "of", "a", "release"], k=9)),
        }
        for rank, author in enumerate(authors)
        for _ in range(max(1, 1_400 // (rank + 1)))
    ]
    chance.shuffle(rows)
    table = pa.Table.from_pylist(rows)
    size = -(-len(rows) // 16)
    for number in range(16):
        part = table.slice(number * size, size)
        pq.write_table(part, place / f"posts-{number:05d}.parquet", compression="zstd", row_group_size=1_024)
    return place
