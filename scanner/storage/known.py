"""What the device remembers so as not to repeat itself: no coordinate, no time finer than a bucket.

``known.bin`` holds the places reported in this period as a filter under a secret of its own, both
renewed with the period, and how many sites were kept and withheld for which reason. ``home.bin``
holds the home block. What either gives away to a finder: ``scanner.core.places``.

``known.bin`` never changes its size and is written in place, in two halves by turns: a power cut
leaves the half written before, a full card does not matter, and no file is made during a walk.
"""

import hashlib
import os
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from scanner.core.places import SECRET_BYTES, SEEN_BITS, Home, Seen, home_block, set_bit
from scanner.core.privacy import DAY_S, Policy
from scanner.errors import UNREADABLE, StoreError, UsageError
from scanner.records import Sighting

FILE_NAME: Final = "known.bin"
HOME_NAME: Final = "home.bin"
HALF_BYTES: Final = SEEN_BITS // 8 + 4096  # the filter and the counts of at most 13 buckets
SUM_BYTES: Final = 16
KEPT: Final = "kept"
SAME_STREET_S: Final = 180.0  # so long a camera's neighbours are told from it by their true places
SYSTEM: Final = secrets.SystemRandom()
FILLING_VARIES: Final = 0.25  # so that the number of set bits does not tell that of cameras

NEVER: Final = -1

Counts = dict[int, dict[str, int]]  # first day of the bucket, days since 1970 -> reason -> sites


class _State(msgspec.Struct, array_like=True):
    turn: int = 0
    once_days: int = 0
    period: int = NEVER
    secret: bytes = b""
    bits: bytes = b""
    counts: Counts = msgspec.field(default_factory=dict)
    behind: int = NEVER  # period of the last walk, where that lay well before ``period``


class Known:
    """The memory of one device under one policy. Raises StoreError when it cannot be read or kept.

    Without a folder it lasts as long as the program. ``uniform`` draws from [0, 1) and
    ``random_bytes`` gives as many as asked for; both must be fit for secrets.
    """

    def __init__(
        self,
        folder: Path | None,
        policy: Policy,
        *,
        uniform: Callable[[], float] = SYSTEM.random,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._policy = policy
        self._uniform, self._random_bytes = uniform, random_bytes
        self._path = folder / FILE_NAME if folder else None
        self._file: int | None = None
        self.home = read_home(folder) if folder and policy.home else None
        self._state = self._open() if self._path else _State()
        self._seen = Seen(self._state.secret, self._state.bits)
        self._renewed = self._changed = False
        self._behind = self._state.behind  # as this walk will have it
        self._now_s = 0.0

    def at(self, utc_s: float) -> Seen:
        """The places reported in the period of this time; a new period begins with none.

        A clock that falls back does not bring an old period back. But where two walks, one after
        the other, lie more than a period back, it was the period on the card that lay ahead.
        """
        state, once_days = self._state, self._policy.once_days
        period = int(utc_s // DAY_S) // once_days
        ahead = self._lies_ahead(period)
        if period > state.period or once_days != state.once_days or ahead:
            bits = bytearray(SEEN_BITS // 8)
            varied = 1 + FILLING_VARIES * (2 * self._uniform() - 1)
            for _ in range(round(self._policy.filling * varied * SEEN_BITS)):
                set_bit(bits, int(self._uniform() * SEEN_BITS))
            self._state = _State(state.turn, once_days, period, self._random_bytes(SECRET_BYTES))
            self._seen = Seen(self._state.secret, bytes(bits))
            self._renewed = self._changed = True
            self._behind = NEVER
        self._now_s = utc_s
        self._seen.settle(utc_s - SAME_STREET_S)
        return self._seen

    def _lies_ahead(self, period: int) -> bool:
        """Whether this walk and the one before it both say that the period kept is not yet."""
        before = self._state.behind
        self._behind = period if period < self._state.period - 1 else NEVER
        return NEVER < before <= self._behind

    def remember(self, sightings: Iterable[Sighting]) -> None:
        """These cameras count as reported; a place that is recognised is not added again."""
        seen = self._seen
        new = [s for s in sightings if not seen.has(s.lat_deg, s.lon_deg)]
        for sighting in new:
            seen.add(sighting.lat_deg, sighting.lon_deg, self._now_s)
            self._changed = True

    def walk_over(self) -> None:
        """Forget where this walk's cameras are; their cells stay."""
        self._seen.settle()
        if self._behind != self._state.behind:
            self._state.behind = self._behind
            self._changed = True

    def count(self, what: str, utc_s: float) -> None:
        """One more site kept, or withheld for a reason, in the bucket of this time."""
        days = self._policy.bucket_days
        bucket = int(utc_s // DAY_S) // days * days
        counts = self._state.counts.setdefault(bucket, {})
        counts[what] = counts.get(what, 0) + 1
        self._changed = True

    @property
    def counts(self) -> Counts:
        """Sites kept and withheld in this period, by bucket and reason."""
        return self._state.counts

    def save(self) -> None:
        """Put what has changed on the card; on return it survives a power cut."""
        if self._file is None or not self._changed:
            return
        # The half written before still holds the last period, secret and all.
        for _ in range(2 if self._renewed else 1):
            self._write(self._file)
        self._renewed = self._changed = False

    def _write(self, file: int) -> None:
        state = self._state
        state.turn += 1
        state.bits = self._seen.bits
        body = msgspec.msgpack.encode(state)
        half = len(body).to_bytes(4, "big") + body
        half += bytes(HALF_BYTES - SUM_BYTES - len(half))
        try:
            os.pwrite(file, _sum(half) + half, state.turn % 2 * HALF_BYTES)
            os.fsync(file)
        except OSError as e:
            raise StoreError(f"{self._path}: cannot be written: {e.strerror}") from e

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> _State:
        """The newer half that is whole; a state without a period if there is none yet."""
        assert self._path is not None  # noqa: S101 - for the type checker
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            content = os.pread(self._file, 2 * HALF_BYTES, 0)
            if len(content) < 2 * HALF_BYTES:
                # Its place on the card is taken now, while there is one.
                content = content.ljust(2 * HALF_BYTES, b"\0")
                os.pwrite(self._file, content, 0)
                os.fsync(self._file)
        except OSError as e:
            raise StoreError(f"{self._path}: cannot be used: {e.strerror}") from e
        return _newest(content)


def _newest(content: bytes) -> _State:
    best = _State()
    for start in (0, HALF_BYTES):
        half = content[start : start + HALF_BYTES]
        if half[:SUM_BYTES] != _sum(half[SUM_BYTES:]):
            continue
        size = int.from_bytes(half[SUM_BYTES : SUM_BYTES + 4], "big")
        body = half[SUM_BYTES + 4 : SUM_BYTES + 4 + size]
        with suppress(*UNREADABLE):  # of another version: begun anew
            state = msgspec.msgpack.decode(body, type=_State)
            best = max(best, state, key=lambda s: s.turn)
    return best


def _sum(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=SUM_BYTES).digest()


def read_counts(folder: Path) -> Counts:
    """Sites kept and withheld in the period that was last walked in, by bucket and reason."""
    try:
        return _newest((folder / FILE_NAME).read_bytes()).counts
    except FileNotFoundError:
        return {}
    except OSError as e:
        raise StoreError(f"{folder / FILE_NAME}: cannot be read: {e.strerror}") from e


def read_home(folder: Path) -> Home | None:
    """The home block, if one was set. Raises StoreError: a home that cannot be read is no home."""
    path = folder / HOME_NAME
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=Home)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, *UNREADABLE) as e:
        raise StoreError(
            f"{path}: cannot be read: {e}", hint="`scanner home clear`, then `scanner home set`"
        ) from e


def write_home(folder: Path, lat_deg: float, lon_deg: float) -> None:
    """Choose the home block by chance and keep its digest. Raises UsageError if one is set."""
    path = folder / HOME_NAME
    home = home_block(
        lat_deg,
        lon_deg,
        salt=secrets.token_bytes(SECRET_BYTES),
        uniform=SYSTEM.random(),
    )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as out:
            out.write(msgspec.msgpack.encode(home))
            out.flush()
            os.fsync(out.fileno())
    except FileExistsError as e:
        raise UsageError(
            "a home is set",
            hint="`scanner home clear` first, but only for another home: a second block around the"
            " same one tells more than it hides",
        ) from e
    except OSError as e:
        raise StoreError(f"{path}: cannot be written: {e.strerror}") from e
