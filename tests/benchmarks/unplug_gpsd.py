"""gpsd killed, stopped or hung at random instants under a running `scanner watch`.

    python -m tests.benchmarks.unplug_gpsd [--times 100] [--seed 1]

All but lens and receiver is real: gpsd and its socket, `watch` behind its wall, network, outbox. A
stand-in lens is carried along a street at a known speed (tests/helpers/passing_lens.py), past a
camera every 22 m, so at every instant it is known where the wearer is and where each camera hangs.
Asked are: whether looking ever stops; how long a position is still used when gpsd has gone; how
soon one is used again; how far positions and located cameras are from the truth; whether each loss
is shown, and a long one told; whether a camera passed with gpsd there is missing. The exit code
says whether the bars hold.
"""

import itertools
import json
import math
import random
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import av
import numpy as np
from nacl.public import PrivateKey

from scanner.core.blink import State
from scanner.core.fixes import MAX_AHEAD_S
from scanner.core.geometry import Origin, distance_m
from scanner.core.wire import CameraEntry
from scanner.hardware.gpsd import GpsdPositions
from scanner.hardware.live import boot_ns
from scanner.phone.ear import listen
from scanner.phone.lines import decode
from scanner.sealing import key_to_text, unseal
from scanner.storage.outbox import Outbox
from tests.benchmarks.pulls import ALIVE, BAR_S, arguments, longest, middle, progress, waited
from tests.helpers import passing_lens
from tests.helpers.gpsd import Gpsd
from tests.helpers.live import ROOT, Watch
from tests.helpers.receiver import DEGREE_M, LAT, LON, Port, Receiver

SPEED_MPS: Final = 3.0  # a jog: what is stale is soon far off
HOWS: Final = ("kill", "stop", "hang")
LONG_S: Final = 27.0  # a silence of 20 s is told
LONG_EVERY: Final = 10
SHOWN_S: Final = MAX_AHEAD_S + 2.5  # no position may be used any longer; a turn and a line more
STILL_S: Final = 5.0  # between two looks, on a machine that does other things too
OFF_M: Final = 3.0  # of a position: a second
SIGMAS: Final = 3.0  # of a camera: with a fix of some seconds ago it would be more
ALL_OF_IT_M: Final = (22.0, 6.0)  # a camera so far ahead, until it leaves the frame
LEAST_SHARE: Final = 0.75  # of the looks that its own rate leaves for a camera in passing
CAMERAS: Final = 2000  # of the street: hours of jogging
CONFIG: Final = """
[position]
source = "{source}"
[privacy]
profile = "open"
hub_key = "{key}"
[detector]
inferences_per_s = 20
"""
MODULE: Final = """
from pathlib import Path
from passing_lens import Street
from scanner.replay.lens import Board
Picamera2 = Board("pi4")
Picamera2.picture = Street(Path({settings!r}), Picamera2)
"""
SPRITE_FRAME: Final = 105  # of the demo's walk: a dome, near
STANDING: Final = (State.NO_FIX, State.SEARCHING, State.SCANNING)


@dataclass
class Tally:
    """What was seen of one way to be lost."""

    times: int = 0
    used_s: list[float] = field(default_factory=list)  # with a position, from the loss on
    back_s: list[float] = field(default_factory=list)  # without one, from the return on
    long: int = 0
    unshown: int = 0
    untold: int = 0


class Scene:
    """A running watch, whoever listens to it, and the receiver that it hears through gpsd."""

    def __init__(self, watch: Watch, page: Path, beside: GpsdPositions, receiver: Receiver) -> None:
        self._watch, self._beside, self._receiver = watch, beside, receiver
        self._ear = listen(page)
        self._ear.setblocking(False)
        self._link: socket.socket | None = None
        self._rest = b""
        self.states: list[tuple[float, str]] = []  # that stand, and when they began
        self.troubles: list[str] = []
        self.off_m = 0.0  # the farthest that a position of now was from the truth

    def step(self) -> bool:
        """Hear what there is to be heard; to be asked often."""
        self._watch.heard("")
        position = self._beside.position_at(boot_ns())
        if position:
            self.off_m = max(self.off_m, self._receiver.off_m(position))
        try:
            if self._link is None:
                self._link, _ = self._ear.accept()
                self._link.setblocking(False)
            data = self._link.recv(65_536)
        except BlockingIOError:
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in filter(None, map(decode, lines)):
            if line.state in STANDING and line.state != self.state:
                self.states.append((time.monotonic(), line.state))
            elif line.state == State.GNSS:
                self.troubles.append(line.detail)
        return True

    @property
    def state(self) -> str:
        """What was shown last."""
        return self.states[-1][1] if self.states else ""

    def until(self, true: Callable[[], bool], limit_s: float) -> float | None:
        """Seconds until it is true, None if that takes too long."""
        return waited(lambda: bool(self.step() or True) and true(), limit_s)

    def pause(self, seconds: float) -> None:
        """Let it run."""
        self.until(lambda: False, seconds)

    def shown(self, from_s: float, to_s: float) -> set[str]:
        """The states that stood at some time between."""
        ends = [at_s for at_s, _ in self.states[1:]] + [float("inf")]
        spans = zip(self.states, ends, strict=True)
        return {s for (begun_s, s), end_s in spans if begun_s < to_s and end_s > from_s}


def lose(scene: Scene, gpsd: Gpsd, how: str, *, away_s: float, tally: Tally) -> None:
    """Take gpsd away in one way, and give it back."""
    told = len(scene.troubles)
    lost_s = time.monotonic()
    {"kill": gpsd.kill, "stop": gpsd.stop, "hang": gpsd.hang}[how]()
    taken = scene.until(lambda: scene.state != State.SCANNING, away_s)
    scene.pause(away_s - (time.monotonic() - lost_s))
    if away_s > SHOWN_S:
        tally.unshown += taken is None
        tally.used_s += [taken] if taken is not None else []
    if away_s >= LONG_S:
        tally.long += 1
        tally.untold += len(scene.troubles) == told
    back = time.monotonic()
    if how == "hang":
        gpsd.go_on()
    else:
        gpsd.start()
    took = scene.until(lambda: scene.state == State.SCANNING, 3 * BAR_S)
    tally.times += 1
    tally.back_s.append(float("inf") if took is None else time.monotonic() - back)


def lose_all(scene: Scene, gpsd: Gpsd, times: int, seed: int) -> dict[str, Tally]:
    """So many losses at random instants, one in ten of them long."""
    rng = random.Random(seed)
    tallies = {how: Tally() for how in HOWS}
    for number in range(1, times + 1):
        scene.pause(rng.uniform(0.3, 9.0))
        away_s = rng.uniform(0.1, 8.0) if number % LONG_EVERY else LONG_S
        how = HOWS[(number + number // LONG_EVERY) % len(HOWS)]
        lose(scene, gpsd, how, away_s=away_s, tally=tallies[how])
        progress(number, times)
    scene.pause(2.0)
    return tallies


def sprite(path: Path) -> None:
    """A camera of the demo's walk, cut out."""
    with av.open(str(ROOT / "scanner/demo/walk.mp4")) as video:
        frame = next(f for n, f in enumerate(video.decode(video=0)) if n == SPRITE_FRAME)
    np.save(path, frame.to_ndarray(format="rgb24")[167:215, 1056:1104])


def passing(folder: Path, receiver: Receiver) -> tuple[str, Path]:
    """The text of a picamera2.py that shows the street, and the folder of what it needs."""
    own = folder / "street" / "site-packages"
    own.mkdir(parents=True)
    shutil.copy(str(passing_lens.__file__), own)
    sprite(own / "sprite.npy")
    told = {
        "start_ns": receiver.start_ns,
        "speed_mps": SPEED_MPS,
        "sprite": str(own / "sprite.npy"),
    }
    (own / "street.json").write_text(json.dumps(told))
    return MODULE.format(settings=str(own / "street.json")), own


def truth(number: int) -> tuple[float, float]:
    """Latitude and longitude of a camera."""
    east_m, north_m = passing_lens.mounted(number)
    lat_deg = LAT + north_m / DEGREE_M
    return lat_deg, Origin(lat_deg, LON).geodetic_from_enu(east_m, 0.0)[1]


@dataclass(frozen=True)
class Located:
    """One camera of a record."""

    number: int  # of the true camera that is nearest
    off_m: float
    sigma_m: float  # what the record says of the error, north and east together

    @classmethod
    def read(cls, camera: CameraEntry, common_m: float) -> Self:
        """Of a record whose cameras share an error of ``common_m`` in north and in east."""
        place = camera.lat_e7 / 1e7, camera.lon_e7 / 1e7
        off_m, number = min((distance_m(*truth(n), *place), n) for n in range(CAMERAS))
        own_m = math.sqrt(camera.ee_cm2 + camera.nn_cm2) / 100
        return cls(number, off_m, math.hypot(own_m, common_m * math.sqrt(2)))


def located(data: Path, key: PrivateKey) -> list[Located]:
    """All cameras on the card."""
    with closing(Outbox(data)) as store:
        records = [unseal(w.payload, key) for w in store.waiting()]
    return [Located.read(c, r.common_sigma_cm / 100) for r in records for c in r.cameras]


def passed_well(
    scene: Scene, receiver: Receiver, looked: list[float], end_s: float
) -> tuple[list[int], int]:
    """Cameras passed while a position was used all the time.

    And how many others there were that a busy machine looked at in too few frames.
    """
    boot_s = boot_ns() / 1e9 - time.monotonic()
    usual_s = middle([b - a for a, b in itertools.pairwise(looked)])
    least = LEAST_SHARE * (ALL_OF_IT_M[0] - ALL_OF_IT_M[1]) / SPEED_MPS / usual_s
    begun_s = receiver.start_ns / 1e9 - boot_s
    first_s = scene.states[0][0]
    good, unseen = [], 0
    for number in range(CAMERAS):
        north_m = passing_lens.mounted(number)[1]
        from_s, to_s = (begun_s + (north_m - ahead_m) / SPEED_MPS for ahead_m in ALL_OF_IT_M)
        if to_s > end_s:
            break
        if from_s > first_s and scene.shown(from_s, to_s) == {State.SCANNING}:
            if sum(from_s < at_s < to_s for at_s in looked) < least:
                unseen += 1
            else:
                good.append(number)
    return good, unseen


def main() -> int:
    """Take it away, wait, give it back, again and again."""
    args = arguments(__doc__)
    key = PrivateKey.generate()
    with tempfile.TemporaryDirectory() as name, Port(Path(name) / "gnss") as port:
        folder = Path(name)
        gpsd = Gpsd(port.path, folder, unix=True)
        config = CONFIG.format(source=gpsd.source, key=key_to_text(key.public_key))
        with Receiver(port.write, speed_mps=SPEED_MPS) as receiver, gpsd:
            module, own = passing(folder, receiver)
            page = folder / "page.sock"
            beside = GpsdPositions(str(gpsd.json))
            asked = "--page-socket", str(page)
            with (
                closing(beside),
                Watch(folder, *asked, config=config, module=module, packages=[own]) as watch,
            ):
                scene = Scene(watch, page, beside, receiver)
                if scene.until(lambda: scene.state == State.SCANNING, 90) is None:
                    raise SystemExit(f"watch does not begin to look\n{watch.log.read_text()}")
                began_s = time.monotonic()
                tallies = lose_all(scene, gpsd, args.times, args.seed)
                end_s = time.monotonic()
                counts = json.loads(watch.end())
            found = located(folder / "data", key)
            looked = [t for t, w in zip(watch.heard_s, watch.words, strict=True) if ALIVE in w]
            well, unseen = passed_well(scene, receiver, looked, end_s)
    gaps = [b - a for a, b in itertools.pairwise(looked) if began_s < b < end_s]
    missing = set(well) - {one.number for one in found}
    seen = Seen(gaps, scene.off_m, found, missing, len(well))
    print_losses(tallies)
    print(
        f"longest between two looks {longest(gaps):.2f} s; positions at most {seen.off_m:.2f} m"
        f" off\n{len(found)} cameras located,"
        f" {middle([one.off_m for one in found]):.2f} m off (median),"
        f" {seen.worst_sigmas:.2f} of its own sigma at most; of {len(well)} passed with gpsd there"
        f" {len(missing)} missing: {sorted(missing)}"
        f" ({unseen} more in too few frames, as this machine was busy)\n{counts}"
    )
    good = within(tallies, seen)
    print("ok" if good else "NOT WITHIN THE BARS")
    return 0 if good else 1


@dataclass(frozen=True)
class Seen:
    """What a whole run showed."""

    gaps_s: list[float]  # between two looks
    off_m: float  # of positions
    found: list[Located]
    missing: set[int]
    passed: int  # with gpsd there all the time

    @property
    def worst_sigmas(self) -> float:
        """How far off a camera is at most, in what its record says of the error."""
        return longest([one.off_m / one.sigma_m for one in self.found])


def print_losses(tallies: dict[str, Tally]) -> None:
    """A line for each way to be lost."""
    print("how   times  used on after s (median, longest)  used again after s  unshown  untold")
    for how, t in tallies.items():
        print(
            f"{how:<5} {t.times:>5}  {middle(t.used_s):>17.2f} {longest(t.used_s):>15.2f}"
            f"  {middle(t.back_s):>8.2f} {longest(t.back_s):>9.2f}  {t.unshown:>7}"
            f"  {t.untold:>3}/{t.long}"
        )


def within(tallies: dict[str, Tally], seen: Seen) -> bool:
    """Whether all bars hold."""
    every = tallies.values()
    return (
        all(longest(t.back_s) < BAR_S for t in every if t.times)
        and all(s < SHOWN_S for t in every for s in t.used_s)
        and not any(t.unshown or t.untold for t in every)
        and longest(seen.gaps_s) < STILL_S
        and seen.off_m < OFF_M
        and seen.worst_sigmas < SIGMAS
        and not seen.missing
        and seen.passed > 0
    )


if __name__ == "__main__":
    sys.exit(main())
