"""The embedded engines, for real: every user here is a process of its own, in a data folder of its own."""

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import environ
import kombu
import psycopg
import pytest
import redis

from portal import embedded
from portal.embedded import EngineError, failures, places

CHECKOUT = Path(__file__).resolve().parents[2]
STOPPED = {"Watcher": None, "PostgreSQL": None, "Redis": None}

# A user that asks for both engines, says where they are, and stays until its input ends.
USER = """
import os, sys
sys.path.append(sys.argv[1])  # the package on its own, as the watcher has it: no Django to wait for
from pathlib import Path
import embedded
data = Path(sys.argv[2])
print(embedded.database_url(data=data), embedded.redis_url(data=data), flush=True)
"""
STAY = "sys.stdin.read()\n"


class User:
    """A process that uses the engines of a data folder."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        assert process.stdout is not None
        self.database_url, self.redis_url = process.stdout.readline().split()

    def leave(self) -> None:
        """Ends as a command does that has done its work."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(30) == 0

    def run(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


def start(data: Path, *, then: str = STAY, account: pwd.struct_passwd | None = None) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        (sys.executable, "-W", "error", "-P", "-c", USER + then, str(CHECKOUT / "portal"), str(data)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
    )


@contextmanager
def using(data: Path, *, then: str = STAY, account: pwd.struct_passwd | None = None) -> Iterator[User]:
    with start(data, then=then, account=account) as process:
        try:
            yield User(process)
        finally:
            process.kill()


def await_stopped(data: Path) -> None:
    end = time.monotonic() + 20
    while embedded.status(data=data) != STOPPED:
        assert time.monotonic() < end, embedded.status(data=data)
        time.sleep(0.05)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path, of which sockets are fond."""
    made = Path(tempfile.mkdtemp(prefix="heed-test-"))
    yield made
    for data in made.iterdir():
        embedded.stop(data=data)
    shutil.rmtree(made)


@pytest.fixture
def data(folder: Path) -> Path:
    return folder / "data"


def test_first_use_starts_a_real_postgresql_and_a_real_redis(data: Path) -> None:
    with using(data) as user:
        settings = "SELECT name, setting FROM pg_settings WHERE name = ANY (ARRAY['fsync', 'server_encoding',"
        assert dict(user.run(f"{settings} 'max_connections', 'listen_addresses', 'TimeZone'])")) == {
            "fsync": "on",
            "server_encoding": "UTF8",
            "max_connections": "100",
            "listen_addresses": "",
            "TimeZone": "UTC",
        }
        with redis.Redis.from_url(user.redis_url) as client:
            assert client.ping()


def test_settings_and_broker_understand_the_addresses(data: Path) -> None:
    with using(data) as user:
        parsed = environ.Env.db_url_config(user.database_url)
        assert parsed["ENGINE"] == "django.db.backends.postgresql"
        assert (parsed["NAME"], parsed["OPTIONS"]["host"]) == ("heed", str(data / "run"))
        broker = user.redis_url.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
        with kombu.Connection(broker) as connection:
            connection.ensure_connection(max_retries=1)


def test_a_later_command_finds_them_running(data: Path) -> None:
    with using(data) as first:
        running = embedded.status(data=data)
        with using(data) as second:
            assert (second.database_url, second.redis_url) == (first.database_url, first.redis_url)
            assert embedded.status(data=data) == running
            assert None not in running.values()


def test_commands_that_start_at_once_share_one_server(data: Path) -> None:
    with ExitStack() as stack:
        processes = [stack.enter_context(start(data)) for _ in range(4)]
        users = [User(process) for process in processes]
        starts = {user.run("SELECT pg_postmaster_start_time()")[0] for user in users}
        assert len(starts) == 1
        for user in users:
            user.leave()
    assert embedded.status(data=data) == STOPPED


def test_the_last_user_stops_them_before_it_returns(data: Path) -> None:
    with using(data) as first, using(data) as last:
        first.leave()
        assert last.run("SELECT 1") == [(1,)]
        last.leave()
        assert embedded.status(data=data) == STOPPED


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_they_end_with_their_last_user_however_it_ends(data: Path, how: signal.Signals) -> None:
    # Python tells of a Ctrl-C on its error output, which is as it should be.
    # A run in the background ignores it, and its children would too.
    heard = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    quiet = heard + "sys.stderr = open(os.devnull, 'w')\n"
    with using(data, then=quiet + STAY) as user:
        user.process.send_signal(how)
        user.process.wait(30)
    await_stopped(data)


def test_a_killed_user_does_not_keep_them_alive_beyond_the_others(data: Path) -> None:
    with using(data) as killed, using(data) as last:
        killed.process.kill()
        killed.process.wait()
        last.leave()
        assert embedded.status(data=data) == STOPPED


def test_they_end_even_when_the_watcher_was_killed(data: Path) -> None:
    with using(data) as user:
        watcher = embedded.status(data=data)["Watcher"]
        assert watcher
        os.kill(watcher, signal.SIGKILL)
        user.leave()
        assert embedded.status(data=data) == STOPPED


@pytest.mark.parametrize("ending", ["sys.exit()", "os._exit(0)"])
def test_a_forked_child_that_ends_does_not_stop_them(data: Path, ending: str) -> None:
    fork = f"pid = os.fork()\nif not pid:\n    {ending}\nos.waitpid(pid, 0)\n"
    with using(data, then=f"{fork}print('child is gone', flush=True)\n{STAY}") as user:
        assert user.process.stdout is not None
        assert user.process.stdout.readline() == "child is gone\n"
        time.sleep(1)  # the watcher has looked
        assert user.run("SELECT 1") == [(1,)]


def test_a_forked_child_counts_when_its_parent_has_ended(data: Path) -> None:
    fork = "if os.fork():\n    os._exit(0)\nsys.stdin.read()\n"
    with using(data, then=fork) as user:
        user.process.wait(30)
        time.sleep(1)
        assert user.run("SELECT 1") == [(1,)]
        assert user.process.stdin is not None
        user.process.stdin.close()
        await_stopped(data)


def test_they_come_back_after_a_crash_with_what_was_committed(data: Path) -> None:
    with using(data) as user:
        user.run("CREATE TABLE choice (answer text)")
        user.run("INSERT INTO choice VALUES ('no')")
        crash(data)
    # The system has since given their process ids away, to a process that must not be mistaken for them.
    for name in ("postgres/postmaster.pid", "run/redis.pid", "run/watcher.pid", "run/.s.PGSQL.5432.lock"):
        stale = data / name
        stale.write_text("\n".join([str(os.getpid()), *stale.read_text().splitlines()[1:]]) + "\n")
    with using(data) as user:
        assert user.run("SELECT answer FROM choice") == [("no",)]
        assert os.getpid() not in embedded.status(data=data).values()


def crash(data: Path) -> None:
    """Ends every process at once, as when the power fails, except the one that uses them."""
    running = embedded.status(data=data)
    pids = [running[name] for name in ("Watcher", "PostgreSQL", "Redis")]
    for pid in filter(None, pids):
        os.kill(pid, signal.SIGKILL)
    await_stopped(data)


def test_a_server_that_died_is_started_again_for_the_next_command(data: Path) -> None:
    with using(data):
        postgres = embedded.status(data=data)["PostgreSQL"]
        assert postgres
        os.kill(postgres, signal.SIGKILL)
        with using(data) as second:
            assert second.run("SELECT 1") == [(1,)]


def test_a_socket_that_was_swept_away_is_made_again(data: Path) -> None:
    with using(data):
        for listening in (data / "run" / "redis.sock", data / "run" / ".s.PGSQL.5432"):
            listening.unlink()
        with using(data) as second, redis.Redis.from_url(second.redis_url) as client:
            assert client.ping()
            assert second.run("SELECT 1") == [(1,)]


@pytest.mark.parametrize("name", ["a folder, it's here", "l" * 120])
def test_a_folder_with_spaces_or_a_long_path_will_do(folder: Path, name: str) -> None:
    data = folder / name / ".heed"
    with using(data) as user:
        assert user.run("SELECT 1") == [(1,)]
        with redis.Redis.from_url(user.redis_url) as client:
            assert client.ping()
        sockets = places.find(data).sockets
        assert sockets != data / "run"
        assert sockets.stat().st_mode & 0o777 == 0o700
        user.leave()
    assert not sockets.exists()
    shutil.rmtree(folder / name)


def test_nobody_else_gets_at_the_sockets(data: Path) -> None:
    with using(data):
        assert (data / "run").stat().st_mode & 0o777 == 0o700
        for name in ("redis.sock", ".s.PGSQL.5432"):
            assert (data / "run" / name).stat().st_mode & 0o777 == 0o700


@pytest.fixture
def ordinary_user(folder: Path) -> Iterator[pwd.struct_passwd | None]:
    """Somebody who is not root, owns the folder, and can reach Python and the checkout; ourselves if we can."""
    if os.geteuid() != 0:
        yield None
        return
    account = pwd.getpwnam("nobody")
    os.chown(folder, account.pw_uid, account.pw_gid)
    needed = (Path(sys.executable), Path(sys.executable).resolve(), Path(embedded.__file__))
    modes = {above: above.stat().st_mode & 0o7777 for path in needed for above in path.parents}
    for path in needed:
        places.let_pass(path, account=account)
    yield account
    for above, mode in modes.items():
        above.chmod(mode)


def test_an_ordinary_user_can_start_them(data: Path, ordinary_user: pwd.struct_passwd | None) -> None:
    with using(data, account=ordinary_user) as user:
        assert user.run("SELECT 1") == [(1,)]
        owner = data.stat().st_uid
        assert owner == (ordinary_user.pw_uid if ordinary_user else os.geteuid())
        # Root (or the same user again) joins as a guest and leaves everything in the owner's hands.
        with using(data) as guest:
            assert guest.database_url == user.database_url
        user.leave()
    assert {path.stat().st_uid for path in data.rglob("*")} == {owner}


def test_a_client_that_hangs_does_not_delay_the_end(data: Path) -> None:
    hang = "import psycopg, sys; c = psycopg.connect(sys.argv[1]); c.execute('SELECT 1'); print(flush=True); input()"
    with using(data) as user:
        client = (sys.executable, "-c", hang, user.database_url)
        with subprocess.Popen(client, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as hanging:
            assert hanging.stdout is not None
            hanging.stdout.readline()
            hanging.send_signal(signal.SIGSTOP)
            user.leave()
            assert embedded.status(data=data) == STOPPED
            hanging.kill()


def test_a_data_folder_that_is_deleted_takes_them_along(data: Path) -> None:
    with using(data) as user:
        running = embedded.status(data=data)
        # Open files outlive their names: these tell when the last process of each has ended.
        locks = [os.open(data / "locks" / name.lower(), os.O_RDWR) for name in running]
        time.sleep(1)  # the watcher has looked
        shutil.rmtree(data)
        user.process.kill()
    end = time.monotonic() + 20
    for lock in locks:
        while is_held(lock):
            assert time.monotonic() < end
            time.sleep(0.05)
        os.close(lock)


def is_held(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def test_a_folder_that_cannot_be_made_is_refused_with_the_remedy(folder: Path) -> None:
    (folder / "file").touch()
    with pytest.raises(EngineError, match="HEED_DATA"):
        embedded.database_url(data=folder / "file" / "data")
    (folder / "file").unlink()


def test_a_server_that_will_not_start_is_reported_in_its_own_words(data: Path) -> None:
    with using(data) as user:
        user.leave()
    (data / "postgres" / "PG_VERSION").write_text("9\n")
    with start(data) as refused:
        assert refused.stdin is not None
        output, _ = refused.communicate()
        assert output == ""
        assert refused.returncode != 0
    assert "9" in (data / "run" / "postgresql.log").read_text()


def test_a_full_disk_is_named_with_its_remedy() -> None:
    error = failures.explain("PostgreSQL", "FATAL: could not write lock file: No space left on device")
    assert "free some space" in str(error)
    assert "DATABASE_URL" in str(error)


def test_importing_it_brings_no_django_along() -> None:
    code = "import sys; sys.path.append(sys.argv[1]); import embedded; sys.exit('django' in sys.modules)"
    subprocess.run((sys.executable, "-P", "-c", code, str(CHECKOUT / "portal")), check=True)


def test_the_command_tells_what_runs_and_ends_it(data: Path) -> None:
    def ask(word: str) -> "subprocess.CompletedProcess[str]":
        command = (sys.executable, "-m", "portal.embedded", word, "--data", str(data))
        return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)

    assert ask("status").returncode == 1
    with using(data):
        assert "PostgreSQL: process " in ask("status").stdout
        assert ask("stop").stdout == "Watcher: not running\nPostgreSQL: not running\nRedis: not running\n"
    assert embedded.status(data=data) == STOPPED


def test_heed_data_names_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEED_DATA", "/somewhere/else")
    assert embedded.data_folder() == Path("/somewhere/else")
    monkeypatch.delenv("HEED_DATA")
    assert embedded.data_folder() == CHECKOUT / ".heed"
