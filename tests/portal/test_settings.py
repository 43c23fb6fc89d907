"""Settings fail at start, and say what to do."""

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

KEYS = "one:" + base64.b64encode(bytes(32)).decode()
COMPLETE = {
    "HEED_ENV": "production",
    "HEED_SECRET_KEY": "x" * 60,
    "HEED_FIELD_KEYS": KEYS,
    "HEED_INDEX_KEYS": KEYS,
    "HEED_SIGNING_KEYS": KEYS,
    "HEED_LOG_ORIGIN": "privacy.example.com/log",
    "DATABASE_URL": "postgresql://heed@db.example/heed",
    "REDIS_URL": "redis://redis.example/0",
    "HEED_HOSTS": "privacy.example",
}


def started(folder: Path, *, shows: str = "LOCAL", **environment: str) -> subprocess.CompletedProcess[str]:
    """A fresh process that does nothing but read the settings."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-c", f"from portal.settings import *; print({shows})"],
        env=inherited | {"HEED_DATA": str(folder)} | environment,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=60,
        check=False,
    )


def test_production_starts_when_everything_is_given(tmp_path: Path) -> None:
    run = started(tmp_path, **COMPLETE)
    assert (run.returncode, run.stdout.strip()) == (0, "False"), run.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("given", "counted"), [({}, 1), ({"HEED_PROXIES": "0"}, 0), ({"HEED_PROXIES": "2"}, 2)])
def test_sign_in_and_the_api_believe_as_many_proxies(tmp_path: Path, given: dict[str, str], counted: int) -> None:
    shown = "ALLAUTH_TRUSTED_PROXY_COUNT, REST_FRAMEWORK['NUM_PROXIES']"
    run = started(tmp_path, shows=shown, **COMPLETE, **given)
    assert run.stdout.strip() == f"{counted} {counted}", run.stderr


def test_a_try_out_stands_behind_no_proxy() -> None:
    assert (settings.ALLAUTH_TRUSTED_PROXY_COUNT, settings.REST_FRAMEWORK["NUM_PROXIES"]) == (0, 0)


@pytest.mark.parametrize(
    "missing",
    [
        "HEED_SECRET_KEY",
        "HEED_FIELD_KEYS",
        "HEED_INDEX_KEYS",
        "HEED_SIGNING_KEYS",
        "HEED_LOG_ORIGIN",
        "DATABASE_URL",
        "REDIS_URL",
    ],
)
def test_production_names_the_setting_that_is_missing(tmp_path: Path, missing: str) -> None:
    run = started(tmp_path, **{name: value for name, value in COMPLETE.items() if name != missing})
    assert run.returncode != 0
    last = run.stderr.strip().splitlines()[-1]
    assert "ImproperlyConfigured" in last
    assert missing in last


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HEED_ENV", "staging", "local or production"),
        ("DATABASE_URL", "sqlite:///heed.db", "PostgreSQL"),
        ("DATABASE_URL", "mysql://db.example/heed", "PostgreSQL"),
        ("HEED_FIELD_KEYS", "one:short", "HEED_FIELD_KEYS"),
        ("HEED_INDEX_KEYS", "one", "HEED_INDEX_KEYS"),
        ("HEED_SIGNING_KEYS", "one:short", "HEED_SIGNING_KEYS"),
        ("HEED_RETIRED_SIGNING_KEYS", KEYS, "keep one"),
        ("HEED_CLAMAV", "/run/clamd.ctl", "HEED_CLAMAV"),
        ("HEED_CLAMAV", "tcp://scanner", "HEED_CLAMAV"),
        ("HEED_OPENDSR_KEY", "/etc/heed/opendsr.key", "give both, or none"),
    ],
)
def test_what_cannot_be_is_refused_with_the_remedy(tmp_path: Path, name: str, value: str, said: str) -> None:
    run = started(tmp_path, **{**COMPLETE, name: value})
    assert run.returncode != 0
    assert said in run.stderr.strip().splitlines()[-1]


def test_a_try_out_makes_its_own_secrets_once(tmp_path: Path) -> None:
    engines = {"DATABASE_URL": COMPLETE["DATABASE_URL"], "REDIS_URL": COMPLETE["REDIS_URL"]}
    assert started(tmp_path, **engines).returncode == 0
    first = (tmp_path / "secrets.env").read_text()
    assert (tmp_path / "secrets.env").stat().st_mode & 0o077 == 0
    assert started(tmp_path, **engines).returncode == 0
    assert (tmp_path / "secrets.env").read_text() == first


def test_secrets_of_an_older_version_stay_and_what_they_lack_is_added(tmp_path: Path) -> None:
    (tmp_path / "secrets.env").write_text(f"HEED_SECRET_KEY=kept\nHEED_FIELD_KEYS={KEYS}\n")
    engines = {"DATABASE_URL": COMPLETE["DATABASE_URL"], "REDIS_URL": COMPLETE["REDIS_URL"]}
    assert started(tmp_path, **engines).returncode == 0
    held = (tmp_path / "secrets.env").read_text()
    assert "HEED_SECRET_KEY=kept" in held
    assert f"HEED_FIELD_KEYS={KEYS}" in held
    assert "HEED_SIGNING_KEYS=" in held


def test_a_try_out_refuses_another_database_too(tmp_path: Path) -> None:
    run = started(tmp_path, DATABASE_URL="sqlite:///x.db", REDIS_URL=COMPLETE["REDIS_URL"])
    assert "PostgreSQL" in run.stderr


def test_a_policy_for_mining_is_an_https_address_or_none(tmp_path: Path) -> None:
    run = started(tmp_path, **COMPLETE, HEED_TDM_POLICY="ftp://example.org/policy")
    assert run.returncode != 0
    assert "HEED_TDM_POLICY" in run.stderr.strip().splitlines()[-1]
