"""A panel of lamps, a buzzer and a button on the Pi's pins, through gpiozero.

The pin factory is lgpio's, named outright: gpiozero would otherwise try four and warn of each. What
the lamps do is decided in ``scanner.core.blink``, what the button means in ``scanner.core.button``;
here is only the thread that waits for the next change.
"""

import contextlib
import importlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from scanner.config_front import PanelSettings
from scanner.core.blink import Lamp, Levels, Showing, State
from scanner.core.button import Action, Contact, Gesture, Talk
from scanner.errors import DeviceError, from_checkout

CLOSE_S: Final = 5.0
LGPIO_PIPE: Final = ".lgd-nfy*"  # lgpio leaves a named pipe in the folder it is imported in

Act = Callable[[Action], None]


def lgpio_factory(folder: Path) -> Any:
    """The pin factory of the device; raises DeviceError.

    ``folder`` is one that this process may write: lgpio makes a pipe where it is imported, and
    keeps it open without needing its name.
    """
    try:
        with contextlib.chdir(folder):
            factory = importlib.import_module("gpiozero.pins.lgpio").LGPIOFactory()
    except ModuleNotFoundError as e:
        raise DeviceError(f"the panel needs {e.name}", hint=from_checkout("pi")) from e
    except Exception as e:  # lgpio raises errors of its own, of no common base
        raise DeviceError(
            f"the panel's pins cannot be driven: {e}",
            hint="is this user in the group gpio? or set the pins of [panel] to -1",
        ) from e
    finally:
        for pipe in folder.glob(LGPIO_PIPE):
            with contextlib.suppress(OSError):
                pipe.unlink()
    return factory


class GpioPanel:
    """Lamps, buzzer and button; each may be missing.

    ``act`` is called, on the panel's own thread, with what the person asks for. ``pins`` is a
    factory of gpiozero: ``lgpio_factory()`` on the device. Raises DeviceError for a pin that cannot
    be used.
    """

    def __init__(self, settings: PanelSettings, act: Act = lambda _: None, *, pins: Any) -> None:
        try:
            gpiozero = importlib.import_module("gpiozero")
        except ModuleNotFoundError as e:
            raise DeviceError("the panel needs gpiozero", hint=from_checkout("pi")) from e
        self._act = act
        self._clock = time.monotonic
        self._showing = Showing(invisible=settings.invisible)
        self._contact, self._talk = Contact(), Talk()
        self._was_dark = False
        self._actions: list[Action] = []
        self._changed = threading.Condition()
        self._closed = False
        self._pins = pins
        self._outputs: dict[Lamp | None, list[Any]] = {}
        self._parts: list[Any] = []
        try:
            self._open(gpiozero, settings)
        except gpiozero.GPIOZeroError as e:
            self._release()
            raise DeviceError(f"[panel]: {e}", hint="see the pins in scanner.toml") from e
        self._thread = threading.Thread(target=self._run, name="panel", daemon=True)
        self._thread.start()

    def _open(self, gpiozero: Any, settings: PanelSettings) -> None:
        for lamp, pin in (
            (Lamp.RED, settings.red),
            (Lamp.YELLOW, settings.yellow),
            (Lamp.GREEN, settings.green),
        ):
            if pin >= 0:
                self._outputs.setdefault(lamp, []).append(self._output(gpiozero, pin))
        if settings.lamp >= 0:
            single = self._output(gpiozero, settings.lamp)
            for lamp in Lamp:
                self._outputs.setdefault(lamp, []).append(single)
        if settings.buzzer >= 0:
            self._outputs[None] = [self._output(gpiozero, settings.buzzer)]
        if settings.button >= 0:
            button = gpiozero.DigitalInputDevice(
                settings.button, pull_up=True, pin_factory=self._pins
            )
            self._parts.append(button)
            button.when_activated = lambda: self._contact_changed(down=True)
            button.when_deactivated = lambda: self._contact_changed(down=False)

    def _output(self, gpiozero: Any, pin: int) -> Any:
        part = gpiozero.DigitalOutputDevice(pin, initial_value=False, pin_factory=self._pins)
        self._parts.append(part)
        return part

    def show(self, state: str, detail: str = "") -> None:  # noqa: ARG002 - lamps have no words
        """Show a state of ``scanner.core.blink.State``; others are passed over."""
        if state not in State.__members__.values():
            return
        with self._changed:
            self._showing.show(State(state), self._clock())
            self._changed.notify()

    def close(self) -> None:
        """Switch off; may be called twice."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join(CLOSE_S)
        self._release()

    def _release(self) -> None:
        while self._parts:
            with contextlib.suppress(Exception):  # as in `_light`
                self._parts.pop().close()

    def _contact_changed(self, *, down: bool) -> None:
        with self._changed:
            at_s = self._clock()
            self._hear(self._contact.change(at_s, down=down), at_s)
            self._changed.notify()

    def _hear(self, gestures: list[Gesture], at_s: float) -> None:
        """With the lock held: note what is wanted, for the thread to do."""
        for gesture in gestures:
            if gesture is Gesture.DOWN:
                self._was_dark = self._showing.wake(at_s)
            self._want(self._talk.hear(gesture, at_s, was_dark=self._was_dark), at_s)

    def _want(self, action: Action | None, at_s: float) -> None:
        if action is Action.ASK_WIPE:
            self._showing.show(State.ASK_WIPE, at_s)
        elif action is Action.KEEP:
            self._showing.answered()
        if action:
            self._actions.append(action)

    def _run(self) -> None:
        shown = Levels()
        while not self._closed:
            with self._changed:
                at_s = self._clock()
                self._hear(self._contact.tick(at_s), at_s)
                self._want(self._talk.tick(at_s), at_s)
                actions, self._actions = self._actions, []
                levels = self._showing.levels(at_s)
                if not actions and levels.lamps == shown.lamps and levels.buzzer == shown.buzzer:
                    self._changed.wait(self._wait_s(levels, at_s))
                    continue
            self._light(levels)
            shown = levels
            for action in actions:
                self._act(action)

    def _wait_s(self, levels: Levels, at_s: float) -> float | None:
        """Seconds until something changes by itself; None: nothing will."""
        times = [self._contact.next_s(), self._talk.next_s()]
        waits = [max(t - at_s, 0.0) for t in times if t is not None]
        if levels.change_in_s is not None:
            waits.append(levels.change_in_s)
        return min(waits) + 0.001 if waits else None

    def _light(self, levels: Levels) -> None:
        wanted: dict[int, tuple[Any, bool]] = {}
        for lamp, parts in self._outputs.items():
            on = levels.buzzer if lamp is None else lamp in levels.lamps
            for part in parts:
                # A single lamp stands for several: it is on if any of them is.
                wanted[id(part)] = (part, on or wanted.get(id(part), (part, False))[1])
        for part, on in wanted.values():
            # lgpio raises errors of its own, of no common base. A lamp that cannot be driven is
            # dark; the button, a wipe with it, is still heard.
            with contextlib.suppress(Exception):
                part.value = on
