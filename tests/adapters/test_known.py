"""The device's memory on the card: what it keeps, and what can be read from it."""

import os
import random
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from nacl.public import PrivateKey, SealedBox

from scanner.core import privacy
from scanner.core.places import SEEN_BITS
from scanner.core.privacy import CAREFUL, DAY_S, HOSTILE, OPEN, QUARTER_DAYS
from scanner.core.wire import SEALED_BYTES, decode_record, encode_record
from scanner.errors import StoreError, UsageError
from scanner.records import Sighting
from scanner.replay.standins import MemoryStore
from scanner.reporting import Sealer
from scanner.sealing import seal
from scanner.storage import known as memory
from scanner.storage.known import FILE_NAME, HALF_BYTES, KEPT, Known
from scanner.storage.outbox import Outbox
from tests.core.test_privacy import NOON, sighting

CAMERA = sighting()
LAST = NOON // (QUARTER_DAYS * DAY_S) * QUARTER_DAYS * DAY_S + QUARTER_DAYS * DAY_S - 1


def knows(known: Known, camera: Sighting, utc_s: float = NOON) -> bool:
    return known.at(utc_s).has(camera.lat_deg, camera.lon_deg)


def remembered(folder: Path, policy: privacy.Policy = CAREFUL, utc_s: float = NOON) -> None:
    with closing(Known(folder, policy)) as known:
        known.at(utc_s)
        known.remember([CAMERA])
        known.count(KEPT, utc_s)
        known.save()


def test_what_was_reported_is_known_after_a_restart(tmp_path: Path) -> None:
    remembered(tmp_path)
    with closing(Known(tmp_path, CAREFUL)) as known:
        assert knows(known, CAMERA)
        assert sum(known.counts[bucket][KEPT] for bucket in known.counts) == 1


@pytest.mark.parametrize(
    ("policy", "still", "again"),
    [(CAREFUL, LAST, LAST + 1), (HOSTILE, LAST, LAST + 1), (OPEN, NOON, NOON + DAY_S)],
)
def test_a_new_period_forgets_all_and_takes_another_secret(
    tmp_path: Path, policy: privacy.Policy, still: float, again: float
) -> None:
    with closing(Known(tmp_path, policy)) as known:
        known.at(NOON)
        known.remember([CAMERA])
        before = known.at(NOON).secret
        assert knows(known, CAMERA, still)
        later = [sighting(lat_deg=55.7 + n * 0.001) for n in range(40)]
        assert sum(knows(known, camera, again) for camera in [CAMERA, *later]) < 10
        assert known.at(again).secret != before
        assert known.counts == {}


def test_a_clock_that_falls_back_brings_nothing_back(tmp_path: Path) -> None:
    remembered(tmp_path, utc_s=LAST + 1)
    with closing(Known(tmp_path, CAREFUL)) as known:
        assert knows(known, CAMERA, NOON)


def walked(folder: Path, utc_s: float) -> bytes:
    """One walk with a find; the secret of the memory it was compared with."""
    with closing(Known(folder, CAREFUL)) as known:
        secret = known.at(utc_s).secret
        known.remember([CAMERA])
        known.walk_over()
        known.save()
        return secret


TWENTY_YEARS_S = 20 * 365 * DAY_S


def test_a_walk_with_a_date_far_ahead_blocks_the_memory_for_two_walks_only(tmp_path: Path) -> None:
    ahead = walked(tmp_path, NOON + TWENTY_YEARS_S)
    assert walked(tmp_path, NOON) == ahead  # this one may be wrong as well
    anew = walked(tmp_path, NOON + DAY_S)
    assert anew != ahead
    assert walked(tmp_path, NOON + 2 * DAY_S) == anew
    assert walked(tmp_path, LAST + 1) != anew  # and periods go on as they should


def test_one_walk_with_a_date_far_back_between_others_changes_nothing(tmp_path: Path) -> None:
    first = walked(tmp_path, NOON)
    for _ in range(3):
        assert walked(tmp_path, NOON - TWENTY_YEARS_S) == first
        assert walked(tmp_path, NOON) == first


def test_two_walks_of_one_start_that_lie_far_back_count_as_two(tmp_path: Path) -> None:
    ahead = walked(tmp_path, NOON + TWENTY_YEARS_S)
    with closing(Known(tmp_path, CAREFUL)) as known:
        assert known.at(NOON).secret == ahead
        assert known.at(NOON + 60).secret == ahead  # the same walk
        known.walk_over()
        known.walk_over()  # one without finds says nothing
        assert known.at(NOON + 3600).secret != ahead


def test_a_memory_without_word_of_walks_far_back_is_read(tmp_path: Path) -> None:
    """As versions wrote it that did not look for them."""
    remembered(tmp_path)
    path = tmp_path / FILE_NAME
    halves = b""
    for start in (0, HALF_BYTES):
        body = path.read_bytes()[start + memory.SUM_BYTES :][: HALF_BYTES - memory.SUM_BYTES]
        state = msgspec.msgpack.decode(body[4 : 4 + int.from_bytes(body[:4], "big")])
        old = msgspec.msgpack.encode(state[:-1])
        half = (len(old).to_bytes(4, "big") + old).ljust(len(body), b"\0")
        halves += memory._sum(half) + half
    path.write_bytes(halves)
    with closing(Known(tmp_path, CAREFUL)) as known:
        assert knows(known, CAMERA)


def test_the_old_secret_is_not_left_in_the_file(tmp_path: Path) -> None:
    with closing(Known(tmp_path, CAREFUL)) as known:
        known.at(NOON)
        known.remember([CAMERA])
        for _ in range(2):
            known.count(KEPT, NOON)
            known.save()
        secret = known.at(NOON).secret
        assert secret in (tmp_path / FILE_NAME).read_bytes()
        known.at(LAST + 1)
        known.save()
        assert secret not in (tmp_path / FILE_NAME).read_bytes()


def test_the_file_never_changes_its_size_and_is_the_owners_alone(tmp_path: Path) -> None:
    with closing(Known(tmp_path, CAREFUL)) as known:
        path = tmp_path / FILE_NAME
        assert path.stat().st_size == 2 * HALF_BYTES
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for n in range(60):
            known.at(NOON)
            known.remember([sighting(lat_deg=55.7 + n * 0.001)])
            for reason in (*privacy.REASONS, KEPT):
                known.count(reason, NOON + n % 13 * 7 * DAY_S)
            known.save()
        assert path.stat().st_size == 2 * HALF_BYTES


def test_how_full_the_filter_is_does_not_tell_how_many_cameras(tmp_path: Path) -> None:
    def filled(folder: Path) -> int:
        with closing(Known(folder, CAREFUL)) as known:
            return int.from_bytes(known.at(NOON).bits, "big").bit_count()

    counts = [filled(tmp_path / str(n)) for n in range(12)]
    assert min(counts) > 0.7 * 0.006 * SEEN_BITS
    assert max(counts) - min(counts) > 100


def test_open_is_not_filled(tmp_path: Path) -> None:
    with closing(Known(tmp_path, OPEN)) as known:
        assert not any(known.at(NOON).bits)


@pytest.mark.parametrize("torn", [0, 1])
def test_a_torn_write_leaves_the_state_before_it(tmp_path: Path, torn: int) -> None:
    remembered(tmp_path)
    with closing(Known(tmp_path, CAREFUL)) as known:
        known.count(KEPT, NOON)
        known.save()
    path = tmp_path / FILE_NAME
    content = bytearray(path.read_bytes())
    content[torn * HALF_BYTES + 5000] ^= 0xFF
    path.write_bytes(content)
    with closing(Known(tmp_path, CAREFUL)) as known:
        assert knows(known, CAMERA)


KILLED = """
import sys
from pathlib import Path
from scanner.core.privacy import CAREFUL
from scanner.storage.known import KEPT, Known
known = Known(Path(sys.argv[1]), CAREFUL)
known.at(1_780_000_000.0)
while True:
    known.count(KEPT, 1_780_000_000.0)
    known.save()
    print(flush=True)
"""


def test_kill_9_leaves_a_state_that_is_whole(tmp_path: Path) -> None:
    for n in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.02 * n)
        writer.kill()
        lines = 1 + writer.stdout.read().count(b"\n")
        writer.wait()
        writer.stdout.close()
        (counts,) = memory.read_counts(tmp_path).values()
        assert counts[KEPT] >= lines


def test_a_folder_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        Known(tmp_path / "file" / "data", CAREFUL)


# --- home ---------------------------------------------------------------------------------------


def test_the_home_is_kept_without_a_coordinate(tmp_path: Path) -> None:
    memory.write_home(tmp_path, 55.7520123, 37.6175321)
    home = memory.read_home(tmp_path)
    assert home is not None
    assert home.covers(55.7520123, 37.6175321)
    assert home.code < 64
    assert (tmp_path / memory.HOME_NAME).stat().st_size < 40
    with closing(Known(tmp_path, CAREFUL)) as known:
        assert known.home == home
    with closing(Known(tmp_path, OPEN)) as known:
        assert known.home is None


def test_a_second_block_is_refused_while_there_is_one(tmp_path: Path) -> None:
    memory.write_home(tmp_path, 55.75, 37.6)
    with pytest.raises(UsageError, match="tells more than it hides"):
        memory.write_home(tmp_path, 55.75, 37.6)
    (tmp_path / memory.HOME_NAME).unlink()
    memory.write_home(tmp_path, 55.75, 37.6)


def test_a_damaged_home_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / memory.HOME_NAME).write_bytes(b"\xff")
    with pytest.raises(StoreError, match="scanner home clear"):
        Known(tmp_path, CAREFUL)


# --- sealer, memory and outbox together ---------------------------------------------------------


def sealer_over(folder: Path, policy: privacy.Policy, store: Outbox, known: Known) -> Sealer:
    assert folder.is_dir()
    key = PrivateKey.generate().public_key
    return Sealer(
        store, lambda r: seal(r, key), policy, model="t", uniform=lambda: 0.9, known=known
    )


def moved(n: int, at_s: float = 0.0) -> Sighting:
    return sighting(lat_deg=55.75 + n * 0.001, at_ns=int(at_s * 1e9))


def test_a_camera_passed_twice_is_sent_once(tmp_path: Path) -> None:
    with closing(Outbox(tmp_path)) as store, closing(Known(tmp_path, OPEN)) as known:
        sealer = sealer_over(tmp_path, OPEN, store, known)
        assert sealer.let_go([moved(1)], NOON) is None
        assert sealer.keep() == 1
        again = sealer.let_go([moved(1)], NOON)
        assert again is not None
        assert again.reason == privacy.REPORTED
        sealer.keep()
        assert memory.read_counts(tmp_path) == {int(NOON // DAY_S): {KEPT: 1, privacy.REPORTED: 1}}


def test_the_day_of_a_site_is_that_of_its_last_view(tmp_path: Path) -> None:
    """It is complete, and its record made, some time later: here on the next day."""
    midnight = NOON // DAY_S * DAY_S + DAY_S
    store = MemoryStore()
    with closing(Known(tmp_path, OPEN)) as known:
        sealer = Sealer(
            store, encode_record, OPEN, model="t", uniform=lambda: 0.9, known=known
        )  # fmt: skip
        sealer.take([[moved(1, 100.0)]], midnight + 10, int(120e9))
        sealer.keep()
    (waiting,) = store.waiting()
    assert decode_record(waiting.payload).bucket == midnight // DAY_S - 1


def test_hostile_keeps_the_last_ten_minutes_in_memory_and_drops_them(tmp_path: Path) -> None:
    policy = privacy.Policy(
        bucket_days=28, delay=HOSTILE.delay, once_days=91, quiet_s=HOSTILE.quiet_s
    )
    with closing(Outbox(tmp_path)) as store, closing(Known(tmp_path, policy)) as known:
        sealer = sealer_over(tmp_path, policy, store, known)
        at = [0, 300, 700, 1500, 2100, 2390]  # seconds into a walk of 2,400
        reasons = []
        for now_s in range(0, 2401, 10):
            found = [[moved(n, s)] for n, s in enumerate(at) if now_s - 20 == s // 10 * 10]
            reasons += sealer.take(found, NOON + now_s, int(now_s * 1e9))
        assert [w.reason for w in reasons] == [privacy.FIRST_MINUTES] * 2
        assert [w.reason for w in sealer.end()] == [privacy.LAST_MINUTES]
        assert sealer.keep() == 2  # at 700 and 1500
        assert sealer.end() == []


def test_storing_a_record_takes_no_longer_than_sealing_fifty() -> None:
    """As a ratio: one and the same machine, fast or slow, does both."""
    box = SealedBox(PrivateKey.generate().public_key)
    folder = Path("/dev/shm") / f"scanner-{os.getpid()}-{random.random()}"  # noqa: S108 - tmpfs
    folder.mkdir()
    try:
        with closing(Outbox(folder)) as store, closing(Known(folder, CAREFUL)) as known:
            sealer = sealer_over(folder, CAREFUL, store, known)
            taken_s, sealing_s = [], []
            for n in range(60):
                site = [moved(n), *(moved(n + k * 200) for k in range(1, 8))]
                start = time.perf_counter()
                sealer.let_go(site, NOON)
                sealer.keep()
                stored = time.perf_counter()
                box.encrypt(bytes(SEALED_BYTES))
                taken_s.append(stored - start)
                sealing_s.append(time.perf_counter() - stored)
        # Other programs on the machine only ever add to it.
        taken, sealing = (sorted(some)[len(some) // 4] for some in (taken_s, sealing_s))
        assert taken <= 50 * sealing
    finally:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
