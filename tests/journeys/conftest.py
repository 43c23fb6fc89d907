"""The corpus in a folder of its own, registered, with its members, and the real processes around it."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
import requests
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core.management import call_command

from portal import demo_access
from portal.demo import browsing
from portal.models import User
from tests import corpus, stack
from tests.stack import Stack


@dataclass(frozen=True)
class Corpus:
    """The dataset that is worked on, and the untouched copy to compare it with."""

    untouched: Path
    dataset: Path
    members: Path

    def authors(self) -> list[tuple[str, int]]:
        """(author, number of posts) in the untouched copy, the busiest first."""
        found = duckdb.execute(
            "SELECT author_id, count(*) FROM read_parquet(?) GROUP BY 1 ORDER BY 2 DESC, 1",
            [self._glob(self.untouched)],
        )
        return found.fetchall()

    def authors_in(self, jurisdiction: str) -> set[str]:
        """Who lives in this jurisdiction or a part of it."""
        found = duckdb.execute(
            "SELECT author_id FROM read_csv(?) WHERE jurisdiction = ? OR starts_with(jurisdiction, ? || '-')",
            [str(self.members), jurisdiction, jurisdiction],
        )
        return {row[0] for row in found.fetchall()}

    def differences(self, *, without: set[str]) -> tuple[int, int]:
        """(rows missing that should be there, rows there that should not), read by DuckDB and counted with repeats."""
        gone = list(without)
        expected = (
            "SELECT filename, * EXCLUDE (filename) FROM wanted WHERE author_id NOT IN (SELECT unnest(?::VARCHAR[]))"
        )
        actual = "SELECT filename, * EXCLUDE (filename) FROM found"
        database = duckdb.connect()
        for name, folder in (("wanted", self.untouched), ("found", self.dataset)):
            database.execute(
                f"CREATE TABLE {name} AS SELECT parse_filename(filename) AS filename, * EXCLUDE (filename)"
                " FROM read_parquet(?, filename = true)",
                [self._glob(folder)],
            )
        missing = database.execute(f"SELECT count(*) FROM ({expected} EXCEPT ALL {actual})", [gone]).fetchone()
        surplus = database.execute(f"SELECT count(*) FROM ({actual} EXCEPT ALL {expected})", [gone]).fetchone()
        assert missing is not None
        assert surplus is not None
        return missing[0], surplus[0]

    @staticmethod
    def _glob(folder: Path) -> str:
        return f"{folder}/*.parquet"


@pytest.fixture
def copied(tmp_path: Path) -> Corpus:
    source = corpus.folder(tmp_path)
    untouched, dataset = tmp_path / "untouched", tmp_path / "posts"
    for target in (untouched, dataset):
        target.mkdir()
        for file in source.glob("*.parquet"):
            shutil.copy(file, target / file.name)
            (target / file.name).chmod(0o644)
    return Corpus(untouched=untouched, dataset=dataset, members=source / "members.csv")


@pytest.fixture
def registered(transactional_db: None, copied: Corpus) -> Corpus:
    """Rules, members and the dataset brought in by the commands that operators use."""
    call_command("set_up_roles", verbosity=0)
    call_command("load_rules", str(Path(__file__).parent / "open_world.toml"))
    call_command("import_members", str(copied.members))
    call_command(
        "register_dataset",
        "corpus",
        str(copied.dataset),
        key_column="author_id",
        purposes=["ai-training"],
        owner="linkwell",
    )
    return copied


@pytest.fixture
def house(registered: Corpus, tmp_path: Path) -> Iterator[Stack]:
    """Web, worker and beat, at work on the registered corpus."""
    folder = tmp_path / "heed"
    folder.mkdir()
    with stack.running(folder, redis_number=11) as running:
        yield running


def staff_browser(house: Stack, user: User) -> requests.Session:
    """Signed in with the mailed code and the second factor, as staff are."""
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    browser = browsing.sign_in(base=house.base, email=user.email, mail_dir=house.mail_dir)
    page = browser.get(f"{house.base}/account/2fa/authenticate/", timeout=30)
    code = demo_access.current_code(secret)
    answer = browsing.post(browser, f"{house.base}/account/2fa/authenticate/", page.text, code=code)
    assert answer.url.endswith("/admin/"), answer.url
    return browser
