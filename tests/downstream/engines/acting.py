"""One way of trying an engine on a file of bytes: without some people, and found faithful by the engine itself."""

from pathlib import Path
from typing import Any

import pytest

from downstream.engines import open_engine
from downstream.engines.base import DataFile, Engine
from downstream.engines.errors import ConnectorError
from downstream.engines.spans import WHOLE, Spans


def engine_of(format_: str, **options: Any) -> Engine:
    return open_engine("embedded", options, of=format_)


def put(folder: Path, data: bytes, name: str = "a") -> DataFile:
    (folder / name).write_bytes(data)
    return DataFile(name, str(folder / name))


def without(
    engine: Engine, file: DataFile, keys: set[str], *, key_column: str = "person", spans: Spans = WHOLE
) -> bytes:
    """The new version's bytes. Finding, counting, writing and comparing agree on how many rows go."""
    target = Path(file.path).with_name("new.tmp")
    engine.check_rewritable(file)
    located = engine.locate([file], key_column=key_column, keys=keys, spans=spans).get(file.name, 0)
    engine.rewrite(file, str(target), key_column=key_column, keys=keys, spans=spans)
    compared = engine.compare(file, str(target), key_column=key_column, keys=keys, spans=spans)
    assert compared.rows_before - compared.rows_after == located
    assert engine.inspect(file, key_column=key_column).rows == compared.rows_before
    assert bool(engine.count(file, key_column=key_column, keys=keys, spans=spans)) == bool(located)
    return target.read_bytes()


def refusal(engine: Engine, file: DataFile, keys: set[str] | None = None, *, key_column: str = "person") -> str:
    """The code with which looking into the file is refused; the message names the file and quotes nothing."""

    def look() -> None:
        engine.check_rewritable(file)
        engine.locate([file], key_column=key_column, keys=keys or {"m_go"})

    with pytest.raises(ConnectorError) as refused:
        look()
    assert file.name in refused.value.message
    assert "m_go" not in refused.value.message
    return refused.value.code


def difference(engine: Engine, source: DataFile, new: bytes, keys: set[str], *, key_column: str = "person") -> str:
    """Why `new` is not taken for the version of `source` without the keys."""
    target = Path(source.path).with_name("other.tmp")
    target.write_bytes(new)
    with pytest.raises(ConnectorError) as refused:
        engine.compare(source, str(target), key_column=key_column, keys=keys)
    assert refused.value.code == "verification_failed"
    return refused.value.message
