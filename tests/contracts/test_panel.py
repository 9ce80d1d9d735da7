"""Promises of ports.Panel, over all of them."""

import io
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from scanner.config_front import PanelSettings
from scanner.core.blink import State
from scanner.hardware.panel import GpioPanel
from scanner.phone.link import PageLink
from scanner.ports import Panel
from scanner.replay.standins import ConsolePanel, SeveralPanels


def console(_: Path) -> Panel:
    return ConsolePanel(io.StringIO())


def gpio(_: Path) -> Panel:
    return GpioPanel(PanelSettings(lamp=17, buzzer=4, button=3), pins=MockFactory())


def page(folder: Path) -> Panel:
    return PageLink(folder / "nobody-listens")


def several(folder: Path) -> Panel:
    return SeveralPanels([console(folder), gpio(folder)])


@pytest.fixture(params=[console, gpio, page, several])
def panel(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Panel]:
    make: Callable[[Path], Panel] = request.param
    made = make(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("state", [*State, "a state of tomorrow"])
def test_every_state_can_be_shown(panel: Panel, state: str) -> None:
    panel.show(state)
    panel.show(state, "more")
    panel.close()
    panel.close()


def test_any_thread_may_tell_even_while_it_is_switched_off(panel: Panel) -> None:
    errors: list[Exception] = []

    def tell() -> None:
        try:
            for number in range(200):
                panel.show(list(State)[number % len(State)], str(number))
        except Exception as e:  # noqa: BLE001 - whatever it is, it is wrong
            errors.append(e)

    tellers = [threading.Thread(target=tell) for _ in range(3)]
    for teller in tellers:
        teller.start()
    panel.close()
    for teller in tellers:
        teller.join(20)
    panel.show("scanning")
    assert errors == []


def test_a_console_whose_reader_has_gone_is_silent() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        panel = ConsolePanel(stream)
        panel.show("scanning")
        os.close(reading)
        panel.show("found")
        panel.show("scanning", "more")
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)  # for what is still in the buffer


def test_the_console_says_each_state_once_with_a_shape_of_its_own() -> None:
    stream = io.StringIO()
    panel = ConsolePanel(stream)
    for state in ("scanning", "scanning", "found", "scanning", "lens", "asleep"):
        panel.show(state)
    assert stream.getvalue() == ". scanning\n+ found\n. scanning\n! lens\n_ asleep\n"
