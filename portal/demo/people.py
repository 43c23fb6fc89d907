"""The people of the sample network, made up anew the same way each time."""

import random
from dataclasses import dataclass

COUNTRIES = {"GB": 40, "IE": 12, "DE": 30, "FR": 24, "CH": 12, "US": 60, "US-CA": 30, "BR": 16, "IN": 16}
MEMBER = "alice@linkwell.example"
_SEED = 2024
_FIRST = [
    "Ada",
    "Ben",
    "Cleo",
    "Dan",
    "Eva",
    "Finn",
    "Gia",
    "Hugo",
    "Ida",
    "Jon",
    "Kaya",
    "Leo",
    "Mia",
    "Nils",
    "Ola",
    "Pia",
    "Raj",
    "Sam",
    "Tess",
    "Uma",
]


@dataclass(frozen=True)
class Person:
    """One member of the sample network."""

    account: str
    email: str
    jurisdiction: str
    first_name: str


def everyone() -> list[Person]:
    """Some 240 members; the first is the one whose sign-in the demo prints, in the US."""
    chance = random.Random(_SEED)  # noqa: S311 -- sample data
    people = [Person("m_alice", MEMBER, "US", "Alice")]
    for country, count in COUNTRIES.items():
        for number in range(count):
            first = chance.choice(_FIRST)
            account = f"m_{country.lower().replace('-', '')}{number:03d}"
            people.append(Person(account, f"{account}@linkwell.example", country, first))
    return people
