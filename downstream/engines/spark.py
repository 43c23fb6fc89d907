"""Apache Spark as the engine (extra `spark`): the same work on the same files, done where the cluster is.

Spark lists, retries and spreads; what is done to one file is what the embedded engine does, shipped to the executors:
SQL of Spark's own would lose which file a row was in, and change files that nobody is in. One task is one file.
Files and their new versions have to be reachable by the same path on every machine, such as on a mounted volume.

`HEED_SPARK` names the cluster: a master URL, or sc://host:port for Spark Connect. Keys go as a file, never as literals.
"""

import atexit
import hashlib
import os
import pickle
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa

from downstream.engines import scratch
from downstream.engines.base import Comparison, DataFile, Engine, Grouped, Shape, Tally
from downstream.engines.errors import ConnectorError, reading
from downstream.engines.spans import WHOLE, Spans

MASTER = "HEED_SPARK"
_DEFAULT_MASTER = "local[2]"
# what executors import: nothing of it knows Django
_SHIPPED = ("downstream/__init__.py", "downstream/engines", "portal/__init__.py", "portal/errors.py")
_ROOT = Path(__file__).resolve().parents[2]
_ANSWER = "place int, answer binary"


@dataclass(frozen=True)
class _Call:
    """One method of the embedded engine, on one file or several; `keys` stands for the file of keys."""

    method: str
    files: tuple[DataFile, ...]
    arguments: Mapping[str, Any]


class SparkEngine:
    """Implements `downstream.engines.base.Engine` for the files of one format."""

    def __init__(self, module: str, options: Mapping[str, Any]) -> None:
        self._module = module
        self._options = {name: value for name, value in options.items() if name in {"memory_mb", "threads"}}
        self._near: Engine = import_module(module).from_options(options)

    def inspect(self, file: DataFile, *, key_column: str, created_column: str = "") -> Shape:
        # headers alone are read: nothing to spread
        return self._near.inspect(file, key_column=key_column, created_column=created_column)

    def columns_by_group(
        self, file: DataFile, *, columns: Sequence[str], groups: Collection[int] | None = None
    ) -> Iterator[tuple[int, pa.Table]]:
        """The index is kept here, and reads one column of what has changed."""
        if not isinstance(self._near, Grouped):
            raise TypeError("this format tells no groups")
        return self._near.columns_by_group(file, columns=columns, groups=groups)

    def check_rewritable(self, file: DataFile) -> None:
        self._near.check_rewritable(file)

    def rows(
        self, file: DataFile, *, key_column: str, keys: Collection[str], groups: Collection[int] | None = None
    ) -> Iterator[dict[str, Any]]:
        """One person's rows are few beside all: they are read here, of the files that the cluster has found."""
        return self._near.rows(file, key_column=key_column, keys=keys, groups=groups)

    def check_statements(self, file: DataFile, *, columns: Sequence[str]) -> None:
        self._near.check_statements(file, columns=columns)

    def locate(
        self, files: Sequence[DataFile], *, key_column: str, keys: Collection[str], spans: Spans = WHOLE
    ) -> Mapping[str, int]:
        calls = [_Call("locate", (file,), {"key_column": key_column}) for file in files]
        found: dict[str, int] = {}
        for each in self._run(calls, keys, spans):
            found |= each
        return found

    def keys(self, file: DataFile, *, key_column: str) -> Iterator[list[str]]:
        return self._near.keys(file, key_column=key_column)

    def count(self, file: DataFile, *, key_column: str, keys: Collection[str], spans: Spans = WHOLE) -> dict[str, int]:
        (counts,) = self._run([_Call("count", (file,), {"key_column": key_column})], keys, spans)
        return dict(counts)

    def rewrite(
        self,
        source: DataFile,
        target: str,
        *,
        key_column: str,
        keys: Collection[str],
        spans: Spans = WHOLE,
        groups: Collection[int] | None = None,
    ) -> None:
        list(
            self._run(
                [_Call("rewrite", (source,), {"target": target, "key_column": key_column, "groups": groups})],
                keys,
                spans,
            )
        )

    def compare(
        self,
        source: DataFile,
        target: str,
        *,
        key_column: str,
        keys: Collection[str],
        spans: Spans = WHOLE,
        groups: Collection[int] | None = None,
    ) -> Comparison:
        call = _Call("compare", (source,), {"target": target, "key_column": key_column, "groups": groups})
        (compared,) = self._run([call], keys, spans)
        return Comparison(**compared.__dict__)

    def tally(
        self, files: Sequence[DataFile], *, columns: Sequence[str], key_column: str, keys: Collection[str]
    ) -> Iterator[Tally]:
        wanted = {"columns": tuple(columns), "key_column": key_column}
        for tallies in self._run([_Call("tally", (file,), wanted) for file in files], keys, WHOLE):
            yield from tallies

    def _run(self, calls: Sequence[_Call], keys: Collection[str], spans: Spans) -> Iterator[Any]:
        """The answers, in the order of the calls. Raises the first ConnectorError that a call ended in."""
        if not calls:
            return
        place = scratch.place("spark", shared=os.environ.get("HEED_SPARK_SHARED", ""))
        try:
            path, digest = _write_keys(place, keys, spans)
            table = pa.table(
                {"place": pa.array(range(len(calls)), pa.int32()), "call": [pickle.dumps(call) for call in calls]}
            )
            frame = session().createDataFrame(table).repartition(len(calls), "place")
            work = _Work(self._module, tuple(self._options.items()), str(path), digest)
            rows = sorted(frame.mapInArrow(work, _ANSWER).collect(), key=lambda row: row.place)
        except ConnectorError:
            raise
        except Exception as error:
            # of Spark itself: a lost executor or cluster; its text may quote what was in a call
            raise ConnectorError(
                "engine_failed",
                f"Spark did not finish ({type(error).__name__}); it will be tried again.",
                permanent=False,
            ) from None
        finally:
            shutil.rmtree(place, ignore_errors=True)
        for row in rows:
            answer = pickle.loads(bytes(row.answer))  # noqa: S301  (what our own function on the executor has pickled)
            if isinstance(answer, _Refused):
                raise ConnectorError(answer.code, answer.message, permanent=answer.permanent)
            yield answer


@dataclass(frozen=True)
class _Refused:
    """A ConnectorError on its way home."""

    code: str
    message: str
    permanent: bool


@dataclass(frozen=True)
class _Work:
    """What an executor does with its calls; it is pickled, and holds no key."""

    module: str
    options: tuple[tuple[str, Any], ...]
    keys_path: str
    digest: str

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        engine = import_module(self.module).from_options(dict(self.options))
        for batch in batches:
            calls = [pickle.loads(one or b"") for one in batch["call"].to_pylist()]  # noqa: S301  (our own)
            answers = [pickle.dumps(self._answer(engine, call)) for call in calls]
            yield pa.record_batch([batch["place"], pa.array(answers, pa.binary())], names=["place", "answer"])

    def _answer(self, engine: Engine, call: _Call) -> Any:
        try:
            keys, spans = _read_keys(self.keys_path, self.digest)
            return _carry_out(engine, call, keys, spans)
        except ConnectorError as error:
            return _Refused(error.code, error.message, error.permanent)


def _carry_out(engine: Engine, call: _Call, keys: frozenset[str], spans: Spans) -> Any:
    wanted = {**call.arguments, "keys": keys}
    if call.method == "locate":
        return dict(engine.locate(call.files, spans=spans, **wanted))
    if call.method == "tally":
        return list(engine.tally(call.files, **wanted))
    return getattr(engine, call.method)(call.files[0], spans=spans, **wanted)


def _write_keys(place: Path, keys: Collection[str], spans: Spans) -> tuple[Path, str]:
    content = pickle.dumps((frozenset(keys), spans))
    path = place / "keys"
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as stream:
        stream.write(content)
    return path, hashlib.sha256(content).hexdigest()


def _read_keys(path: str, digest: str) -> tuple[frozenset[str], Spans]:
    with reading("the file of keys"):
        content = Path(path).read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        # of another batch: nothing is removed by it
        raise ConnectorError("stale_batch", "The file of keys is not the one of this run.", permanent=False)
    keys, spans = pickle.loads(content)  # noqa: S301  (the digest says that it is what we wrote)
    return keys, spans


def session() -> Any:
    """The process's one session, made on first use. Raises ConnectorError."""
    try:
        from pyspark.sql import SparkSession
    except ModuleNotFoundError as error:
        raise ConnectorError(
            "extra_missing", "The engine spark needs the extra spark: pip install 'heed[spark]'.", permanent=True
        ) from error
    running = SparkSession.getActiveSession()
    if running is not None:
        return running
    master = os.environ.get(MASTER, _DEFAULT_MASTER)
    builder = SparkSession.builder.appName("heed").config("spark.ui.showConsoleProgress", "false")
    builder = builder.remote(master) if master.startswith("sc://") else _configured(builder.master(master), master)
    try:
        made = builder.getOrCreate()
        if not master.startswith("local"):
            made.addArtifacts(str(_shipment()), pyfile=True)
    except Exception as error:
        raise ConnectorError(
            "engine_unreachable",
            f"Spark at {master} cannot be reached or started ({type(error).__name__}); "
            f"it needs Java 17 or newer here, or a cluster that {MASTER} names.",
            permanent=False,
        ) from None
    return made


def _configured(builder: Any, master: str) -> Any:
    if not master.startswith("local"):
        return builder
    # which Python the workers are is read from the environment alone
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    here = {
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.shuffle.partitions": "2",
        "spark.executorEnv.PYTHONPATH": str(_ROOT),
    }
    for name, value in here.items():
        builder = builder.config(name, value)
    return builder


@cache
def _shipment() -> Path:
    """Our own code for the executors, as a zip file that lives as long as this process: executors come later too."""
    place = tempfile.mkdtemp(prefix="heed-shipment-")
    atexit.register(shutil.rmtree, place, True)
    shipment = Path(place, "heed_engines.zip")
    with zipfile.ZipFile(shipment, "w") as archive:
        for name in _SHIPPED:
            source = _ROOT / name
            for path in sorted(source.glob("*.py")) if source.is_dir() else [source]:
                archive.write(path, path.relative_to(_ROOT).as_posix())
    return shipment


def from_options(module: str, options: Mapping[str, Any]) -> SparkEngine:
    """The engine for a format; `module` makes the embedded one that is shipped. Raises ConnectorError."""
    return SparkEngine(module, options)
