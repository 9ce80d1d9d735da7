"""The side of ``watch`` that its person meets: console, panel, page, and what they ask for."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from scanner.config import Config
from scanner.config_front import NO_PIN, PanelSettings
from scanner.core.blink import LIGHT_S, State
from scanner.core.hints import Signature
from scanner.errors import DeviceError
from scanner.hardware.beacons import Beacons
from scanner.hardware.live import LivePositions, boot_ns
from scanner.hardware.panel import GpioPanel, lgpio_factory
from scanner.hinting import Hinting
from scanner.phone.link import PageLink
from scanner.pipeline import Attention
from scanner.ports import Panel, RecordStore
from scanner.records import Position
from scanner.replay.standins import ConsolePanel, SeveralPanels
from scanner.steering import Steering
from scanner.storage.outbox import Outbox
from scanner.wiping import EXIT_WIPED, markable, wipe_now

Facts = dict[str, Callable[[], str]]
ALONE_S: Final = 10.0  # long enough to count the flashes twice
WAYS: Final = {
    "open": "at once",
    "careful": "one by one, within two weeks",
    "hostile": "one by one, in two weeks to two months, through Tor",
}


class Front:
    """Panel, steering, attention, and the facts that a page may show.

    ``facts``: name -> a line of text, asked for anew every few seconds on another thread. They name
    no place; ``fix``, ``accelerator``, ``temperature``, ``outbox`` and ``hints`` are those meant.
    ``attention``: for ``Finder``.
    """

    def __init__(
        self, panel: Panel, steering: Steering, facts: Facts, attention: Attention
    ) -> None:
        self.panel, self.steering, self.facts = panel, steering, facts
        self.attention = attention


@contextmanager
def open_front(
    config: Config,
    data: Path,
    config_file: Path,
    *,
    page_socket: Path | None = None,
    signatures: Sequence[Signature] = (),
    told_to_stop: Callable[[], bool] = lambda: False,
    alive: Callable[[], None] = lambda: None,
    console: Panel | None = None,
) -> Iterator[Front]:
    """Open what is configured; after the fence, as it starts threads, and before the door closes.

    Raises DeviceError for a panel that cannot be driven, StoreError for a folder that cannot be
    used. A wipe ends the process with ``EXIT_WIPED``.
    """
    panels: list[Panel] = [console or ConsolePanel()]
    shown = SeveralPanels(panels)

    def wipe() -> None:
        wipe_now(data, config_file)
        shown.show(State.WIPED)
        time.sleep(LIGHT_S)
        shown.close()
        os._exit(EXIT_WIPED)  # nothing that is still open may write again

    steering = Steering(wipe=wipe, told_to_stop=told_to_stop, alive=alive)
    facts: Facts = {"leaves": lambda: leaves(config)}
    with ExitStack() as stack:
        stack.enter_context(markable(data))
        stack.callback(shown.close)
        if config.panel.used:
            pins = stack.enter_context(closing(lgpio_factory(data)))
            panels.append(GpioPanel(config.panel, steering.ask, pins=pins))
        if page_socket:
            # By a connection of its own: what the page's thread reads would be in the way of
            # ``settle`` on that of the loop.
            counted = stack.enter_context(closing(Outbox(data)))
            facts["outbox"] = lambda: outbox_fact(counted)
        link = PageLink(page_socket, steering.ask, facts) if page_socket else None
        panels += [link] if link else []
        shown = SeveralPanels(panels)
        stack.callback(shown.close)
        hinting = None
        if signatures:
            beacons = stack.enter_context(closing(Beacons(signatures)))
            facts["hints"] = lambda: beacons.state.partition(": ")[2]
            hinting = Hinting(beacons.take)

        def new_walk() -> None:
            for part in (link.new_walk if link else None, hinting.forget if hinting else None):
                if part:
                    part()

        steering.attach(shown, new_walk)
        yield Front(shown, steering, facts, hinting.attention if hinting else no_attention)


def show_alone(
    settings: PanelSettings,
    state: State,
    data: Path,
    *,
    stop: threading.Event,
    pins: Callable[[Path], Any] = lgpio_factory,
) -> None:
    """Show a state for ``ALONE_S`` or until ``stop``, of a program that cannot go on.

    The button does nothing. A panel that cannot be driven stays dark.
    """
    shown = msgspec.structs.replace(settings, button=NO_PIN)
    if not shown.used:
        return
    with (
        suppress(DeviceError),
        closing(pins(data)) as factory,
        closing(GpioPanel(shown, pins=factory)) as panel,
    ):
        panel.show(state)
        stop.wait(ALONE_S)


def no_attention(_: int, __: Position | None) -> float:
    """Every frame is worth the same."""
    return 1.0


def fix_fact(positions: LivePositions) -> str:
    """How good the position is, without saying which."""
    position = positions.position_at(boot_ns())
    if position:
        moving = "" if position.course_deg is not None else ", standing"
        return f"good to {position.sigma_m:.0f} m{moving}"
    return "none yet" if positions.heard else positions.state


def outbox_fact(store: RecordStore) -> str:
    """How much waits to be sent."""
    waiting = store.count()
    return f"{waiting} record{'' if waiting == 1 else 's'} wait{'s' if waiting == 1 else ''}"


def leaves(config: Config) -> str:
    """What a record tells and when it leaves, in a sentence of at most 160 characters."""
    profile = config.privacy.profile
    when = {"open": "the day", "careful": "the week", "hostile": "the month"}[profile]
    if not config.mqtt.host:
        return f"Nothing: no broker is set. Sealed records wait ({profile})."
    return (
        f"Sealed records {WAYS[profile]}: each camera's kind and place, {when}. "
        "No picture, no track, no name."
    )
