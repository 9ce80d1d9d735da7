"""A style that is not measured drifts."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULE_LINES, FUNCTION_LINES = 320, 60
SOURCES = sorted([*ROOT.glob("scanner/**/*.py"), *ROOT.glob("models/**/*.py")])
TESTS = sorted(ROOT.glob("tests/**/*.py"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_there_is_something_to_measure() -> None:
    assert len(SOURCES) > 40
    assert len(TESTS) > 20


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_and_functions_are_short(path: Path) -> None:
    assert path.read_text().count("\n") <= MODULE_LINES
    long = {
        f.name: length
        for f in functions(path)
        if (length := (f.end_lineno or f.lineno) - f.lineno + 1) > FUNCTION_LINES
    }
    assert not long


def test_no_test_uses_mocks() -> None:
    mocks = re.compile(r"unittest[.]mock|\bMagicMock\b|\bMock[(]|mocker[.]|monkeypatch[.]setattr")
    guilty = [p.name for p in TESTS if p != Path(__file__) and mocks.search(p.read_text())]
    assert guilty == []


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    skips = re.compile(r"pytest[.](skip|importorskip|xfail)|mark[.](skip|skipif|xfail)")
    guilty = [
        str(p.relative_to(ROOT))
        for p in TESTS
        if p != Path(__file__) and "device" not in p.parts and skips.search(p.read_text())
    ]
    assert guilty == []
