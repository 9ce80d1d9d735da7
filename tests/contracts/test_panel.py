"""Promises of ports.Panel."""

import io

import pytest

from scanner.ports import Panel
from scanner.replay.standins import ConsolePanel


@pytest.fixture
def panel() -> Panel:
    return ConsolePanel(io.StringIO())


@pytest.mark.parametrize("state", ["no-fix", "scanning", "found", "trouble", "done"])
def test_every_state_can_be_shown(panel: Panel, state: str) -> None:
    panel.show(state)
    panel.show(state, "more")
    panel.close()
    panel.close()


def test_the_console_says_each_state_once_with_a_shape_of_its_own() -> None:
    stream = io.StringIO()
    panel = ConsolePanel(stream)
    for state in ("scanning", "scanning", "found", "scanning"):
        panel.show(state)
    assert stream.getvalue() == ". scanning\n+ found\n. scanning\n"
