"""The pages are true: their commands exist, their links lead somewhere, their guide is right."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import scanner
from tests.helpers.pages import PAGES, ROOT, text_of


def test_the_pages_are_found() -> None:
    assert {"README.md", "CONTRIBUTING.md", "docs/threat-model.md", "models/CARD.md"} <= set(PAGES)


def anchors(page: Path) -> set[str]:
    """What a link may name in a page: its headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", text_of(page)):
        if target.startswith("http"):
            continue
        path = (ROOT / page).parent / target if target else ROOT / page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), anchor


@pytest.mark.parametrize("page", PAGES)
def test_pages_speak_of_the_project_alone(page: str) -> None:
    assert not re.search(r"/work/|/root/|\.\./shared|/tmp/", text_of(page))


@pytest.mark.parametrize("page", PAGES)
def test_no_page_asks_an_index_for_the_program(page: str) -> None:
    """It is on none: whoever registered its name there would be trusted."""
    assert not re.search(r"pip install \S*cctv-scanner", text_of(page))


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
