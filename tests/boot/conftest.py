"""The package under test, built once for all tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.boot.tree import PYTHON, Tree, in_memory, system
from tests.helpers.deb import builder


@pytest.fixture(scope="session")
def debs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The package, and the same as a later version."""
    build = builder()
    out = tmp_path_factory.mktemp("debs")
    with in_memory(tmp_path_factory.mktemp("stage") / "memory") as folder:
        tree = folder / "tree"
        build.stage_system(tree, PYTHON)
        build.stage_program(tree, PYTHON, "amd64")
        first = build.pack(tree, out, python=PYTHON, arch="amd64")
        later = build.pack(tree, out, python=PYTHON, arch="amd64", number="999")
    return first, later


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    with system(tmp_path) as fresh:
        yield fresh
