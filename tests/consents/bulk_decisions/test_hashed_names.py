"""From names to rows: every name finds its own row, no other finds any."""

import numpy as np
import polars as pl
import pytest

from consents.bulk_decisions.hashed_names import Collision, hashed, seeds, table

SEEDS = seeds(b"salt")


def made(names: list[str]) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    series = pl.Series(names, dtype=pl.String)
    return hashed(series, SEEDS.name), hashed(series, SEEDS.tag)


@pytest.mark.parametrize("count", [0, 1, 2, 1000, 50_000])
def test_every_name_finds_its_row_and_no_other_any(count: int) -> None:
    hashes, tags = made([f"m_{number}" for number in range(count)])
    rows = np.arange(1, count + 1)
    found = table(hashes, tags, rows)
    assert (found.find(hashes, tags) == rows).all()
    assert not found.find(*made([f"x_{number}" for number in range(50_000)])).any()


def test_crowded_slots_run_over_and_are_found_all_the_same() -> None:
    # hashes that all want the same last slot
    hashes = np.arange(2**64 - 100, 2**64, dtype=np.uint64)
    tags = hashes << np.uint64(32)
    found = table(hashes, tags, np.arange(1, 101))
    assert (found.find(hashes[::-1].copy(), tags[::-1].copy()) == np.arange(100, 0, -1)).all()
    assert not found.find(hashes, tags ^ np.uint64(1 << 40)).any()
    assert not found.find(hashes - np.uint64(200), tags).any()


def test_two_names_of_one_hash_ask_for_another_salt() -> None:
    same = np.array([7, 7], dtype=np.uint64)
    with pytest.raises(Collision):
        table(same, same, np.array([1, 2]))


def test_another_salt_or_key_hashes_otherwise() -> None:
    other = seeds(b"other")
    assert len({SEEDS.name, SEEDS.tag, SEEDS.person, other.name, other.tag, other.person}) == 6
    names = pl.Series(["m_1"])
    assert hashed(names, SEEDS.name)[0] != hashed(names, other.name)[0]
