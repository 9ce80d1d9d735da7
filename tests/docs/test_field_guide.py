"""The field guide shows what the panel does."""

import re
from pathlib import Path

from scanner import config
from scanner.core.blink import PATTERNS, State
from tests.helpers.panel_drawing import ROWS, drawing

DOCS = Path(__file__).parents[2] / "docs"


def test_the_drawing_is_what_the_panel_does() -> None:
    """Else: python -m tests.helpers.panel_drawing > docs/pictures/panel.svg"""
    assert (DOCS / "pictures" / "panel.svg").read_text() == drawing()


def test_every_state_with_a_light_is_drawn() -> None:
    drawn = {state for state, _ in ROWS}
    assert drawn == set(PATTERNS) - {State.DONE, State.VOLTAGE}


def test_its_settings_are_settings() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (DOCS / "field-guide.md").read_text(), re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        config.parse(block, "field-guide.md")
