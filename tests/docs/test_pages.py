"""The pages are true: their commands exist, their links lead somewhere, their guide is right."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

import scanner
from scanner.cli import build_parser

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    p
    for pattern in ("*.md", "docs/**/*.md", "models/*.md", "systemd/*.md", "firmware/*.md")
    for p in ROOT.glob(pattern)
)
MAKEFILE = (ROOT / "Makefile").read_text()


def shell_lines(page: Path) -> list[str]:
    """Commands of the page's ``sh`` blocks, continued lines joined, comments removed."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    joined = "\n".join(blocks).replace("\\\n", " ")
    return [line.split("  #")[0].strip() for line in joined.splitlines() if line.strip()]


def test_the_pages_are_found() -> None:
    assert {p.name for p in PAGES} >= {"README.md", "threat-model.md", "CARD.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_scanner_command_is_one(page: Path) -> None:
    for line in (line.removeprefix("sudo ") for line in shell_lines(page)):
        if line.startswith("scanner "):
            build_parser().parse_args(shlex.split(line, comments=True)[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_make_target_is_one(page: Path) -> None:
    targets = re.findall(r"(?:`|^)make ([a-z0-9-]+)", page.read_text(), re.MULTILINE)
    assert all(re.search(rf"^{target}:", MAKEFILE, re.MULTILINE) for target in targets), targets


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_python_module_named_in_a_command_exists(page: Path) -> None:
    for module in re.findall(r"python3? -m ([a-z_.]+)", page.read_text()):
        if module.split(".")[0] in ("models", "scanner", "tests"):
            path = ROOT / module.replace(".", "/")
            assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_pages_speak_of_the_project_alone(page: Path) -> None:
    assert not re.search(r"/work/|/root/|\.\./shared|/tmp/", page.read_text())


def test_the_reading_guide_is_true() -> None:
    """Each file exists, and makes what the guide says it makes."""
    guide = re.findall(r"``(\S+?\.py)``\s+makes an? (\w+)", scanner.__doc__ or "")
    assert len(guide) >= 6
    for name, made in guide:
        text = (ROOT / "scanner" / name).read_text()
        assert re.search(rf"\b{made}\(", text), (name, made)


def test_the_units_are_valid() -> None:
    analyze = shutil.which("systemd-analyze")
    units = [str(p) for p in ROOT.glob("systemd/*.service")]
    assert units
    assert analyze, "systemd-analyze is missing: sudo apt-get install systemd"
    result = subprocess.run(
        [analyze, "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    problems = [
        line
        for line in result.stderr.splitlines()
        if any(Path(unit).name in line for unit in units) and "is not executable" not in line
    ]
    assert problems == []
