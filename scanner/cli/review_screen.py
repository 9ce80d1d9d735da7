"""The review queue in a terminal: one camera at a time, one key per decision.

Plain lines and no cursor tricks, so that it works over a bad line and with a screen reader.
"""

import contextlib
import os
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from scanner.core.geometry import distance_m
from scanner.core.wire import CameraFeature
from scanner.errors import UsageError
from scanner.hub.review import ReviewDesk, Wanted
from scanner.hub.review_queue import Item

AHEAD: Final = 50  # items fetched at once
SHOWN_NEAR: Final = 9
WORDS: Final = {"c": "confirm", "r": "reject", "g": "gone", "w": "withdraw", "s": "split"}
KEYS: Final = (
    "c confirm  r reject  g gone  1-9 same as that one  s split  t tags  v move\n"
    "u undo  n, j next  p, k previous  ? keys  q quit"
)
NEXT: Final = "nj "
PREVIOUS: Final = "pk"  # as on the page: j and k
END: Final = ("q", "\x04", "")


def run(desk: ReviewDesk, reviewer: str) -> int:
    """Until the reviewer quits or the terminal goes away."""
    screen = _Screen(desk, reviewer)
    with _keys():
        print(KEYS)
        screen.load()
        while (key := _key()) not in END:
            try:
                screen.press(key)
            except UsageError as e:
                print(f"not done: {e}", flush=True)
    print(f"{screen.decided} decided")
    return 0


class _Screen:
    def __init__(self, desk: ReviewDesk, reviewer: str) -> None:
        self._desk = desk
        self._reviewer = reviewer
        self._items: list[Item] = []
        self._at = 0
        self._done: list[int] = []
        self.decided = 0

    def load(self) -> None:
        """Ask for the queue and show the first that was not passed over."""
        self._items = self._desk.queue(AHEAD)
        self._at = min(self._at, max(0, len(self._items) - 1))
        self._show()

    def press(self, key: str) -> None:
        """What a key does; raises UsageError if it cannot be done."""
        if key == "u":
            self._undo()
        elif key == "?":
            print(KEYS, flush=True)
        elif not self._items:
            print("Nothing waits.", flush=True)
        elif key in NEXT + PREVIOUS:
            self._at = (self._at + (1 if key in NEXT else -1)) % len(self._items)
            self._show()
        elif key in WORDS:
            self._decide(WORDS[key])
        elif key == "t":
            self._decide("tag", tags=tags_of(_line("KEY=VALUE ...: ").split(" ")))
        elif key == "v":
            self._decide("move", **_place(_line("LAT LON: ")))
        elif key.isdecimal() and 0 < int(key) <= len(self._item.near):
            self._decide("merge", **{"with": self._item.near[int(key) - 1]})

    @property
    def _item(self) -> Item:
        return self._items[self._at]

    def _decide(self, verb: str, **more: object) -> None:
        wanted = msgspec.convert({"verb": verb, "camera_id": self._item.id, **more}, Wanted)
        number = self._desk.act(self._reviewer, wanted)
        self._done.append(number)
        self.decided += 1
        print(f"{verb}: line {number}")
        self.load()

    def _undo(self) -> None:
        if not self._done:
            raise UsageError("nothing was decided here", hint="`scanner hub review undo NUMBER`")
        number = self._desk.undo(self._reviewer, self._done.pop())
        self.decided -= 1
        print(f"undo: line {number}")
        self.load()

    def _show(self) -> None:
        if not self._items:
            print("Nothing waits.", flush=True)
            return
        feature = msgspec.json.decode(self._item.feature, type=CameraFeature)
        shown = feature.properties
        lon_deg, lat_deg = feature.geometry.coordinates
        more = "+" if len(self._items) == AHEAD else ""
        print(f"\n{self._at + 1} of {len(self._items)}{more}  {feature.id}")
        print(
            f"  {shown.kind}, {shown.status}, {lat_deg:.6f}, {lon_deg:.6f} "
            f"±{shown.sigma_m:g} m, reports {shown.confirmations}, "
            f"seen {shown.first_seen} to {shown.last_seen}"
        )
        for reason in self._item.reasons:
            print(f"  - {reason}")
        for i, camera_id in enumerate(self._item.near[:SHOWN_NEAR], 1):
            print(f"  {i} {self._beside(feature, camera_id)}")
        sys.stdout.flush()

    def _beside(self, feature: CameraFeature, camera_id: str) -> str:
        other = msgspec.json.decode(self._desk.item(camera_id).feature, type=CameraFeature)
        (lon_a, lat_a), (lon_b, lat_b) = feature.geometry.coordinates, other.geometry.coordinates
        shown = other.properties
        apart_m = distance_m(lat_a, lon_a, lat_b, lon_b)
        return f"{shown.kind}, {shown.status}, {apart_m:.1f} m away, {camera_id}"


def tags_of(texts: Sequence[str]) -> dict[str, str]:
    """``KEY=VALUE`` each; raises UsageError."""
    found: dict[str, str] = {}
    for text in filter(None, texts):
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"{text}: KEY=VALUE is wanted", hint="as in camera:mount=pole")
        found[key] = value
    return found


def _place(text: str) -> dict[str, float]:
    try:
        lat, lon = (float(part) for part in text.replace(",", " ").split())
    except ValueError as e:
        raise UsageError(f"{text}: latitude and longitude are wanted") from e
    return {"lat": lat, "lon": lon}


@contextlib.contextmanager
def _keys() -> Iterator[None]:
    """The terminal gives every key at once while the block lasts."""
    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)
    try:
        tty.setcbreak(handle, termios.TCSADRAIN)  # what was typed before stays typed
        yield
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)


def _key() -> str:
    try:
        return os.read(sys.stdin.fileno(), 1).decode("ascii", "replace")
    except OSError:
        return ""  # the terminal has gone


def _line(prompt: str) -> str:
    """A line of text, seen as it is typed."""
    handle = sys.stdin.fileno()
    keys = termios.tcgetattr(handle)
    shown = termios.tcgetattr(handle)
    shown[3] |= termios.ICANON | termios.ECHO
    print(prompt, end="", flush=True)
    try:
        termios.tcsetattr(handle, termios.TCSADRAIN, shown)
        return os.read(handle, 4096).decode("utf-8", "replace").strip()
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, keys)
