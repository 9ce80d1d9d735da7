"""Walks for the tiles benchmark: recorded ones with remembered answers, simulated ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from scanner.app import (
    FAINT_ODDS,
    FIRST_ODDS,
    REPLAY_RATE,
    TRACK_ODDS,
    at_odds,
    lens_model,
    model_version,
    open_detector,
)
from scanner.cli.demo import read_truth
from scanner.config import Config
from scanner.core.geometry import LensModel
from scanner.core.tiles import Tile, grid
from scanner.looking import look_at, look_mirrored, textures
from scanner.ports import PositionSource
from scanner.records import Detection
from scanner.replay.frames import VideoFrames
from scanner.replay.standins import ScriptedPositions
from scanner.replay.tracks import RecordedTrack
from tests.benchmarks.street import LENS, Street

WIDTH_PX, HEIGHT_PX, TILE_PX = 1280, 720, 320
Place = tuple[float, float]
See = Callable[[int, Tile], list[Detection]]


@dataclass(frozen=True)
class Walk:
    """Frames without pixels, answers, positions and truth."""

    rate: float
    times_ns: Sequence[int]
    see: See
    textures: Callable[[int], Sequence[float]]
    positions: PositionSource
    truth: Sequence[Place]
    lens: LensModel
    min_score: float = 0.0
    see_mirrored: See | None = None  # for second looks; without, none is taken
    least: float = 0.0  # what both looks together must come to


class Memory:
    """Answers of the detector to tiles of a video, kept in a file."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._answers: dict[str, list[Detection]] = {}
        self._new = 0
        if path and path.is_file():
            self._answers = msgspec.msgpack.decode(
                path.read_bytes(), type=dict[str, list[Detection]]
            )

    def answer(self, key: str, ask: Callable[[], list[Detection]]) -> list[Detection]:
        """What is known, or what ``ask`` says."""
        if key not in self._answers:
            self._answers[key] = ask()
            self._new += 1
        return self._answers[key]

    def save(self) -> None:
        """Write the file, if there is anything new."""
        if self._path and self._new:
            self._path.write_bytes(msgspec.msgpack.encode(self._answers))
            self._new = 0


def recorded(folder: Path, memory: Memory) -> Walk:
    """A walk from its files."""
    config = Config()
    video = folder / "walk.mp4"
    detector = open_detector(config, odds=FIRST_ODDS)
    name = f"{model_version(config)}:{FIRST_ODDS}:{video.resolve()}:{video.stat().st_size}"
    source = VideoFrames(video, rate=REPLAY_RATE)
    frames = list(source.frames())
    source.close()
    native = grid(WIDTH_PX, HEIGHT_PX, TILE_PX)
    known = [textures(frame.pixels, native) for frame in frames]

    def see(number: int, tile: Tile) -> list[Detection]:
        return memory.answer(
            f"{name}:{number}:{tile.x}:{tile.y}:{tile.side}",
            lambda: look_at(detector, frames[number].pixels, [tile]),
        )

    def see_mirrored(number: int, tile: Tile) -> list[Detection]:
        return memory.answer(
            f"{name}:{number}:{tile.x}:{tile.y}:{tile.side}:mirrored",
            lambda: look_mirrored(detector, frames[number].pixels, tile),
        )

    track = next(p for p in (folder / "walk.nmea", folder / "walk.gpx") if p.is_file())
    times = [frame.at_ns for frame in frames]
    return Walk(
        rate=(len(times) - 1) / (times[-1] - times[0]) * 1e9,
        times_ns=times,
        see=see,
        textures=lambda number: known[number],
        positions=RecordedTrack(track, sigma_m=config.position.sigma_m),
        truth=[(t.lat_deg, t.lon_deg) for t in read_truth(folder / "truth.geojson")],
        lens=lens_model(config.lens),
        min_score=at_odds(config.detector.threshold, TRACK_ODDS),
        see_mirrored=see_mirrored,
        least=at_odds(config.detector.threshold, FAINT_ODDS),
    )


def simulated(seed: int) -> Walk:
    """A walk down a simulated street, where every tile looks alike."""
    street = Street(seed, REPLAY_RATE)
    return Walk(
        rate=street.rate,
        times_ns=[int(i / street.rate * 1e9) for i in range(street.frames)],
        see=street.see,
        textures=lambda _: (),
        positions=ScriptedPositions(street.position_at),
        truth=street.truth,
        lens=LENS,
    )
