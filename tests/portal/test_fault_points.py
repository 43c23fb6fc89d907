"""The list of fault points is the code's, and at each of them some test kills."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from portal import fault_points

ROOT = Path(settings.BASE_DIR)
CODE = ("portal", "consents", "downstream", "requests_app")


def trees(*folders: str) -> Iterator[ast.AST]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield ast.parse(path.read_text())


def reached_in(tree: ast.AST) -> Iterator[ast.expr]:
    """What each call of `reach` is given."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "reach":
            yield from node.args


def test_every_place_in_the_code_is_listed_by_its_name() -> None:
    reached = [argument for tree in trees(*CODE) for argument in reached_in(tree)]
    assert all(isinstance(argument, ast.Constant) for argument in reached)
    assert {argument.value for argument in reached if isinstance(argument, ast.Constant)} == set(fault_points.POINTS)


def test_at_every_place_some_test_kills() -> None:
    """Such a test names the place, and the signal that ended the process."""
    killed: set[str] = set()
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text()
        if path == Path(__file__) or "SIGKILL" not in text:
            continue
        texts = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
        killed |= {str(one).partition(":")[0] for one in texts}
    assert set(fault_points.POINTS) - killed == set()


def test_a_place_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEED_FAULTS_ALLOWED", "1")
    monkeypatch.setenv("HEED_FAULT_POINT", "commit.in_the_middle")
    with pytest.raises(ValueError, match="no fault point"):
        fault_points.reach("commit.before_rename")
