"""The panel on mock pins with physics: levels that lamps would have, a button that is pressed."""

import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory, MockPin

from scanner.config_front import PanelSettings
from scanner.core.blink import PATTERNS, Lamp, State
from scanner.core.button import Action
from scanner.errors import DeviceError
from scanner.front import show_alone
from scanner.hardware.panel import GpioPanel, lgpio_factory
from tests.helpers.waiting import until

ROOT = Path(__file__).parents[2]
LAMP, RED, YELLOW, GREEN, BUZZER, BUTTON = 17, 22, 23, 24, 4, 3


class Unpowered(Exception):  # noqa: N818 - as lgpio's: of no common base
    """What the library of the pins raises."""


class LoosePin(MockPin):
    """An output that nothing can switch on."""

    def _set_state(self, value: int) -> None:
        if value:
            raise Unpowered("GPIO busy")
        super()._set_state(value)


class Bench:
    """A panel with pins that can be watched and a button that can be pressed."""

    def __init__(self, pin: type[MockPin] = MockPin, **settings: object) -> None:
        self.factory = MockFactory(pin_class=pin)
        self.asked: list[Action] = []
        pins = {"lamp": LAMP, "buzzer": BUZZER, "button": BUTTON} | settings
        self.panel = GpioPanel(PanelSettings(**pins), self.asked.append, pins=self.factory)

    def pin(self, number: int) -> MockPin:
        return self.factory.pin(number)

    def flashes(self, number: int) -> list[float]:
        """How long each light of a pin has lasted so far."""
        changes = self.pin(number).states
        return [after.timestamp for before, after in itertools.pairwise(changes) if before.state]

    def press(self, seconds: float = 0.06) -> None:
        """With the bouncing of a cheap contact."""
        for _ in range(2):
            self.pin(BUTTON).drive_low()
            time.sleep(0.002)
            self.pin(BUTTON).drive_high()
            time.sleep(0.002)
        self.pin(BUTTON).drive_low()
        time.sleep(seconds)
        self.pin(BUTTON).drive_high()


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.panel.close()


def dots_and_dashes(lights: list[float]) -> str:
    return "".join("." if s < 0.5 else "-" if s < 1.8 else "=" for s in lights)


@pytest.mark.parametrize("state", [State.SEARCHING, State.LENS, State.FOUND])
def test_a_lamp_flashes_the_shape_of_the_state(bench: Bench, state: State) -> None:
    pattern = PATTERNS[state]
    bench.panel.show(state)
    until(lambda: len(bench.flashes(LAMP)) >= len(pattern.flashes), 15)
    assert dots_and_dashes(bench.flashes(LAMP))[: len(pattern.flashes)] == pattern.flashes


def test_a_row_shows_the_colour_and_closing_puts_all_out() -> None:
    bench = Bench(lamp=-1, red=RED, yellow=YELLOW, green=GREEN)
    for state, lamp in ((State.NO_FIX, YELLOW), (State.FOUND, GREEN), (State.DISK_FULL, RED)):
        bench.panel.show(state)
        until(lambda lamp=lamp: bench.pin(lamp).state)
        assert [n for n in (RED, YELLOW, GREEN) if bench.pin(n).state] == [lamp]
    bench.panel.show(State.ASK_WIPE)
    until(lambda: all(bench.pin(n).state for n in (RED, YELLOW, GREEN)))
    pins = [bench.pin(n) for n in (RED, YELLOW, GREEN)]
    bench.panel.close()
    assert not any(pin.state for pin in pins if pin.function == "output")


def test_a_find_is_heard_as_well_as_seen(bench: Bench) -> None:
    bench.panel.show(State.FOUND)
    until(lambda: len(bench.flashes(BUZZER)) == 2)


@pytest.mark.parametrize("times", [1, 2])
def test_a_press_pauses_and_a_double_one_begins_a_new_walk(bench: Bench, times: int) -> None:
    for _ in range(times):
        bench.press()
        time.sleep(0.1)
    until(lambda: bench.asked)
    time.sleep(0.6)
    assert bench.asked == [Action.TOGGLE if times == 1 else Action.NEW_WALK]


def test_a_lamp_that_cannot_be_driven_does_not_take_the_button_with_it() -> None:
    bench = Bench(LoosePin)
    bench.panel.show(State.FOUND)
    time.sleep(0.3)
    for number in (1, 2):
        bench.press()
        until(lambda number=number: bench.asked == [Action.TOGGLE] * number, 5)
    bench.panel.close()


def test_wiping_takes_five_seconds_and_a_second_press(bench: Bench) -> None:
    bench.press(5.2)
    until(lambda: bench.asked == [Action.ASK_WIPE])
    until(lambda: len([s for s in bench.flashes(LAMP) if s < 0.3]) >= 2)
    bench.press()
    until(lambda: bench.asked == [Action.ASK_WIPE, Action.WIPE])


def test_an_invisible_panel_is_dark_until_it_is_pressed() -> None:
    bench = Bench(invisible=True)
    for state in (State.FOUND, State.LENS, State.NO_FIX):
        bench.panel.show(state)
    time.sleep(0.5)
    assert not bench.flashes(LAMP)
    assert not bench.flashes(BUZZER)
    assert not bench.pin(LAMP).state
    bench.press()
    until(lambda: bench.pin(LAMP).state or bench.flashes(LAMP))
    time.sleep(0.6)
    assert bench.asked == []  # that press was for the light
    bench.press()
    until(lambda: bench.asked == [Action.TOGGLE])
    bench.panel.close()


def test_waiting_for_the_next_flash_costs_almost_no_processor_time(bench: Bench) -> None:
    bench.panel.show(State.SCANNING)
    before = time.process_time()
    time.sleep(3)
    assert time.process_time() - before < 0.1


def test_one_pin_for_two_parts_is_refused_with_its_name() -> None:
    with pytest.raises(DeviceError, match=r"\[panel\].*17"):
        GpioPanel(PanelSettings(lamp=LAMP, buzzer=LAMP), pins=MockFactory())


BEHIND_THE_FENCE = """
import sys
from pathlib import Path
from scanner import wall
from scanner.errors import DeviceError
data = Path(sys.argv[1])
wall.fence_watch(data, [])
from scanner.hardware.panel import lgpio_factory
try:
    lgpio_factory(data).close()
except DeviceError as e:
    print(e.message)
import lgpio
print(lgpio.__name__, sorted(p.name for p in data.iterdir()))
"""


def test_the_real_pin_library_loads_behind_the_fence_and_leaves_nothing(tmp_path: Path) -> None:
    """There are no pins here, or not ours to drive; the library still makes its pipe and thread."""
    elsewhere = tmp_path / "elsewhere"
    data = tmp_path / "data"
    for folder in (elsewhere, data):
        folder.mkdir()
    result = subprocess.run(
        [sys.executable, "-c", BEHIND_THE_FENCE, data],
        capture_output=True, text=True, check=False, timeout=60, cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    *trouble, last = result.stdout.splitlines()
    assert last == "lgpio []"
    assert all("pins cannot be driven" in line for line in trouble)
    assert list(elsewhere.iterdir()) == []


def test_without_pins_the_device_says_what_to_do(tmp_path: Path) -> None:
    model = Path("/proc/device-tree/model")
    if model.is_file() and b"Raspberry" in model.read_bytes():
        lgpio_factory(tmp_path).close()
        return
    with pytest.raises(DeviceError, match="group gpio"):
        lgpio_factory(tmp_path)


def test_lamps_are_told_apart_by_name() -> None:
    assert {lamp for pattern in PATTERNS.values() for lamp in pattern.lamps} == set(Lamp)


def test_a_program_that_cannot_begin_shows_why_on_a_panel_of_its_own(tmp_path: Path) -> None:
    factory, stop = MockFactory(), threading.Event()
    settings = PanelSettings(red=RED, button=BUTTON)
    showing = threading.Thread(
        target=show_alone,
        args=(settings, State.DISK_FULL, tmp_path),
        kwargs={"stop": stop, "pins": lambda _: factory},
    )
    showing.start()
    lamp = factory.pin(RED)
    until(lambda: len(lamp.states) > 6, 15)
    stop.set()
    showing.join(5)
    assert not showing.is_alive()
    assert factory.pin(RED).state == 0
