"""The device in the hand: lens, receiver and accelerator put together, and looked after.

What is lost is told and waited for; what is left goes on. The service's watchdog is fed here, after
a new frame and a finished inference.
"""

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any, Final

from nacl.public import PublicKey

from scanner import sealing
from scanner.app import (
    FAINT_ODDS,
    FIRST_ODDS,
    REPLAY_RATE,
    at_odds,
    finder_of,
    open_detector,
    sealer_over,
)
from scanner.config import Config
from scanner.core.blink import State
from scanner.core.pace import Pace
from scanner.enrolment import outlived
from scanner.frame import Frame
from scanner.front import Front, fix_fact
from scanner.hardware.board import Board, Service
from scanner.hardware.edgetpu import EdgeTpu
from scanner.hardware.live import LivePositions
from scanner.hardware.picamera import PicameraFrames, picamera2
from scanner.hardware.positions import open_positions
from scanner.hardware.tflite import TfliteDetector
from scanner.looking import Watcher
from scanner.pipeline import Counts, watch_walks
from scanner.ports import FrameSource, Panel
from scanner.storage.outbox import Outbox

COARSE_EVERY: Final = 5  # turns that are no candidate's bring a coarse tile, from the small stream
TELL_S: Final = 5.0  # between two looks at what may be wrong; a panel forgets it after 16 s
GRACE_S: Final = 15.0  # a receiver that has just been started is not silent yet


class Care:
    """Tells the panel what is wrong while it lasts, and systemd that we live.

    ``tick`` is cheap and may be called often.
    """

    def __init__(
        self,
        panel: Panel,
        service: Service,
        *,
        lens: PicameraFrames,
        detector: TfliteDetector,
        positions: LivePositions,
        board: Board,
        epochs: Iterable[str] = (),
    ) -> None:
        self._panel, self._service = panel, service
        self._lens, self._detector, self._positions = lens, detector, positions
        self._board, self._epochs = board, list(epochs)
        self._began_s = time.monotonic()
        self._told_s = -TELL_S
        self._last: dict[str, str] = {}
        self._inferences = detector.inferences

    def tick(self) -> None:
        """Tell what is wrong: at once when it is new, then every few seconds."""
        if time.monotonic() - self._told_s < TELL_S and self._lens.seeing == (
            State.LENS not in self._last
        ):
            return
        self._told_s = time.monotonic()
        self._last = self.troubles()
        for state, text in self._last.items():
            self._panel.show(state, text)
        self._service.status("; ".join(f"{k}: {v}" for k, v in self._last.items()) or "looking")

    def troubles(self) -> dict[str, str]:
        """State of the panel -> what is wrong."""
        reading = self._board.read()
        early = time.monotonic() - self._began_s < GRACE_S
        silent = "" if self._positions.heard or early else self._positions.state
        found = {
            State.LENS: "" if self._lens.seeing else self._lens.state.removeprefix("lens: "),
            State.ACCELERATOR: self._detector.trouble,
            State.GNSS: silent,
            State.VOLTAGE: reading.trouble if reading.under_voltage else "",
            State.HEAT: "" if reading.under_voltage else reading.trouble,
            State.TROUBLE: outlived(self._epochs, dt.datetime.now(dt.UTC).date()),
        }
        return {state.value: text for state, text in found.items() if text}

    def looked(self) -> None:
        """A frame has been looked at: if the network ran for it, we live."""
        if self._detector.inferences > self._inferences:
            self._inferences = self._detector.inferences
            self._service.alive()
        self.tick()


class _Tended:
    """Frames of the lens; after each, its care."""

    def __init__(self, lens: FrameSource, looked: Callable[[], None]) -> None:
        self._lens, self._looked = lens, looked

    def frames(self) -> Iterator[Frame]:
        """The frames of the lens."""
        for frame in self._lens.frames():
            yield frame
            self._looked()

    def close(self) -> None:
        """Close the lens."""
        self._lens.close()


def watch_live(
    config: Config,
    store: Outbox,
    key: PublicKey | sealing.HubKeys,
    front: Front,
    *,
    service: Service,
    tpu: EdgeTpu | None = None,
    close_door: Callable[[], None] = lambda: None,
    told_to_stop: Callable[[], bool] = lambda: False,
    open_camera: Callable[[int], Any] = picamera2,
) -> Counts:
    """Look through the lens until told to stop; what was found is then on the card.

    ``close_door`` is called when all but the lens is open: that may be lost, and is opened from
    behind the door. ``tpu`` is closed by the caller. Raises what ``pipeline.watch_walks`` raises.
    """
    with ExitStack() as stack:
        sealer = stack.enter_context(sealer_over(config, store, key))
        where = config.position
        positions = open_positions(where.source, where.sigma_m, walled=True)
        stack.callback(positions.close)
        detector = open_detector(config, odds=FIRST_ODDS, tpu=tpu)
        source = _tended(
            *(config, front, service),
            detector=detector,
            positions=positions,
            told_to_stop=told_to_stop,
            open_camera=open_camera,
        )
        stack.callback(source.close)
        watcher = _paced(config, front, detector)
        finder = finder_of(config, watcher, positions, attention=front.attention)
        close_door()
        service.ready()
        walks = front.steering.walks(source)
        counts = watch_walks(walks, finder, sealer, front.panel, walk_over=store.settle)
        service.stopping()
        return counts


def _paced(config: Config, front: Front, detector: TfliteDetector) -> Watcher:
    """Looks no more often than there is time for; the page may say so."""
    budget = config.detector.inferences_per_s / REPLAY_RATE
    pace = Pace(budget, 1 / REPLAY_RATE)
    front.facts["accelerator"] = lambda: at_work(detector.summary, pace)
    least = at_odds(config.detector.threshold, FAINT_ODDS)
    return Watcher(detector, budget, coarse_every=COARSE_EVERY, least=least, pace=pace)


def _tended(
    config: Config,
    front: Front,
    service: Service,
    *,
    detector: TfliteDetector,
    positions: LivePositions,
    told_to_stop: Callable[[], bool],
    open_camera: Callable[[int], Any],
) -> FrameSource:
    """The lens, with care for all parts before, between and after its frames."""
    board = Board()

    def waiting() -> bool:
        if not front.steering.tend():
            care.tick()
        return told_to_stop()

    lens = PicameraFrames(
        config.lens.width_px,
        config.lens.height_px,
        rate=REPLAY_RATE,
        waiting=waiting,
        open_camera=open_camera,
    )
    epochs = () if config.privacy.hub_key else config.privacy.hub_keys
    care = Care(
        front.panel,
        service,
        lens=lens,
        detector=detector,
        positions=positions,
        board=board,
        epochs=epochs,
    )

    _tell_facts(front, positions, board)
    return _Tended(lens, care.looked)


def at_work(summary: str, pace: Pace) -> str:
    """What infers, and how fast where that is slower than asked for."""
    if not pace.held_back:
        return summary
    return f"{summary}, {pace.budget * REPLAY_RATE:.1f} looks a second"


def _tell_facts(front: Front, positions: LivePositions, board: Board) -> None:
    """What a page may show; none of it names a place."""

    def temperature() -> str:
        celsius = board.read().temperature_c
        return "unknown" if celsius is None else f"{celsius:.0f} degrees"

    front.facts["fix"] = lambda: fix_fact(positions)
    front.facts["temperature"] = temperature
