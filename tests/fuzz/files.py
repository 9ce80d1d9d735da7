"""Readers of files on the card: first boot, the lens, updates, and databases that were damaged."""

import argparse
import contextlib
import functools
import io
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec
import segno
from PIL import Image

from scanner import config, enrolment, signing
from scanner.cli import firstboot
from scanner.core.lens import lenses
from scanner.core.places import SECRET_BYTES, SEEN_BITS, home_block
from scanner.core.privacy import CAREFUL
from scanner.core.wire import SEALED_BYTES
from scanner.errors import BrokerError, StoreError
from scanner.storage import known
from scanner.storage.outbox import FILE_NAME, Outbox
from scanner.updating import Refused, Source
from tests.firmware.cards import Makers
from tests.fuzz import hub_web
from tests.fuzz.records import _ENROLMENT, _KEY
from tests.fuzz.target import Target

NOW_S: Final = 1_790_000_000.0
ROLES: Final = ("timestamp.json", "2.snapshot.json", "2.targets.json", "2.root.json")
NAMES: Final = (
    "scanner.toml", "enrolment.json", "enrolment.txt", "fingerprint.txt", "enrolment.png",
    "enrolment.jpg", "network-config", "user-data", "firstrun.sh", "custom.toml",
)  # fmt: skip


def _lens(data: bytes) -> None:
    """A file of ``scanner calibrate``."""
    calibration = lenses.decode(data.decode())
    assert lenses.decode(lenses.encode(calibration)) is not None
    lens = calibration.lens()
    assert 0 < lens.focal_px < float("inf")


def _card(data: bytes) -> None:
    """Files on the boot partition, of which the first byte names one: never a traceback."""
    with (
        tempfile.TemporaryDirectory(dir=hub_web.memory()) as folder,
        contextlib.ExitStack() as silent,
    ):
        silent.enter_context(contextlib.redirect_stdout(io.StringIO()))
        silent.enter_context(contextlib.redirect_stderr(io.StringIO()))
        boot = Path(folder) / "boot"
        boot.mkdir()
        (boot / NAMES[(data[0] if data else 0) % len(NAMES)]).write_bytes(data[1:])
        target = Path(folder) / "scanner.toml"
        args = argparse.Namespace(boot=boot, leds=boot / "leds", blink_s=0.0, config=target)
        assert firstboot.run(args) == 0
        if target.exists():
            config.parse(target.read_text(), "scanner.toml")


def _known(data: bytes) -> None:
    """What the device remembers, with the sum that belongs to it."""
    with tempfile.TemporaryDirectory(dir=hub_web.memory()) as name:
        folder = Path(name)
        half = len(data).to_bytes(4, "big") + data
        half = half[: known.HALF_BYTES - known.SUM_BYTES].ljust(
            known.HALF_BYTES - known.SUM_BYTES, b"\0"
        )
        (folder / known.FILE_NAME).write_bytes(
            (known._sum(half) + half).ljust(2 * known.HALF_BYTES)
        )
        known.read_counts(folder)
        memory = known.Known(folder, CAREFUL)
        try:
            seen = memory.at(NOW_S)
            assert seen.has(52.0, 4.0) in (True, False)
            memory.count(known.KEPT, NOW_S)
            memory.save()
        finally:
            memory.close()


def _home(data: bytes) -> None:
    with tempfile.TemporaryDirectory(dir=hub_web.memory()) as name:
        (Path(name) / known.HOME_NAME).write_bytes(data)
        home = known.read_home(Path(name))
    assert home is not None
    assert home.covers(52.0, 4.0) in (True, False)


def outbox_with(change: str = "SELECT 1") -> bytes:
    """An outbox of a few records, then changed from outside; ``loose`` takes values of any type."""
    with tempfile.TemporaryDirectory(dir=hub_web.memory()) as name:
        store = Outbox(Path(name))
        for number in range(4):
            store.add(bytes([number]) * SEALED_BYTES, due_s=number)
        store.settle()
        store.close()
        path = Path(name) / FILE_NAME
        with contextlib.closing(sqlite3.connect(path)) as db:
            if "loose" in change:
                db.execute("CREATE TABLE loose (id, payload, due_s)")
            db.execute(change)
            if "loose" in change:
                db.execute("DROP TABLE record")
                db.execute("ALTER TABLE loose RENAME TO record")
            db.commit()
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return path.read_bytes()


def _outbox(data: bytes) -> None:
    """An outbox as it may lie on a worn card: opened, read, sent from, added to."""
    with tempfile.TemporaryDirectory(dir=hub_web.memory()) as name:
        (Path(name) / FILE_NAME).write_bytes(data)
        store = Outbox(Path(name))
        try:
            for waiting in [*store.due(time.time(), 50), *store.waiting()]:
                assert isinstance(waiting.record_id, str)
                assert isinstance(waiting.payload, bytes)
                assert isinstance(waiting.due_s, int)
                store.remove(waiting.record_id)
            store.add(bytes(SEALED_BYTES))
            store.settle()
        finally:
            store.close()


@functools.cache
def _makers() -> tuple[Makers, Path]:
    folder = Path(tempfile.mkdtemp(dir=hub_web.memory()))
    makers = Makers(folder)
    assert makers.offer(101)
    return makers, folder


def _update(data: bytes) -> None:
    """A repository of which one file, by the first byte, is this; of nothing, as it is."""
    makers, folder = _makers()
    name = ROLES[(data[0] if data else 0) % len(ROLES)]
    path = makers.repo / "metadata" / name
    good = path.read_bytes() if path.exists() else None
    if data:
        path.write_bytes(data[1:])
    try:
        with tempfile.TemporaryDirectory(dir=folder) as state:
            Source(makers.repo.as_uri(), root=makers.root, state=Path(state)).release()
    finally:
        path.write_bytes(good) if good else path.unlink(missing_ok=True)


@functools.cache
def _pictures() -> tuple[bytes, ...]:
    """A small QR code as PNG and as JPEG."""
    rows = segno.make("cctv", micro=False)
    packed = io.BytesIO()
    rows.save(packed, kind="png", scale=4)
    jpeg = io.BytesIO()
    Image.open(io.BytesIO(packed.getvalue())).convert("L").save(jpeg, "JPEG")
    return packed.getvalue(), jpeg.getvalue()


_LENS: Final = lenses.encode(
    lenses.Calibration(
        width_px=1280, height_px=720, fx_px=985.0, fy_px=985.0, cx_px=640.0, cy_px=360.0, k1=0.1
    )
).encode()
_STATE: Final = known._State(
    1, 91, int(NOW_S // 86_400) // 91, bytes(32), bytes(SEEN_BITS // 8), {20_700: {"kept": 1}}
)
_NETPLAN: Final = (
    b'network:\n  version: 2\n  wifis:\n    wlan0:\n      regulatory-domain: "NL"\n'
    b'      access-points:\n        "home":\n          password: "12345678"\n'
)
_HELPER: Final = b"/usr/lib/raspberrypi-sys-mods/imager_custom "
_SCRIPT: Final = b"#!/bin/bash\n" + _HELPER + b"set_wlan 'a b' '12345678' 'NL'\n"
_METADATA: Final = (
    b'{"signatures":[{"keyid":"a","sig":"b"}],"signed":{"_type":"timestamp","version":1,'
    b'"spec_version":"1.0.31","expires":"2030-01-01T00:00:00Z","meta":{"snapshot.json":'
    b'{"version":1,"length":9,"hashes":{"sha256":"ab"}}}}}'
)
_WORDS: Final = (
    b'"signatures":[', b'"signed":{', b'"_type":"root"', b'"version":', b'"keys":{', b'"roles":{',
    b'"keyids":[', b'"threshold":', b'"delegations":{', b'"spec_version":"1.0.31"', b'"expires":"',
)  # fmt: skip

TARGETS: Final[dict[str, Target]] = {
    "lens": Target(
        read=_lens,
        allowed=(ValueError,),
        seeds=(_LENS,),
        words=(b"k1 = ", b"k2 = ", b"fx_px = ", b"1e5", b"nan", b"inf", b"-5.0", b"width_px = 64"),
        largest=2 * lenses.LONGEST,
    ),
    "card": Target(
        read=_card,
        seeds=(
            b"\x00" + config.example().encode(),
            b"\x01" + _ENROLMENT,
            b"\x02" + signing.sign(enrolment.decode(_ENROLMENT), _KEY).encode(),
            b"\x03aaaa bbbb",
            *(b"\x04" + picture for picture in _pictures()),
            b"\x06" + _NETPLAN,
            b"\x07#cloud-config\nhostname: a\nssh_pwauth: true\nruncmd:\n- [ rfkill ]\n",
            b"\x08" + _SCRIPT,
            b'\x09config_version = 1\n[wlan]\nssid = "a"\npassword = "12345678"\n[ssh]\n',
        ),
        words=(_HELPER, b"set_wlan -h ", b"access-points:", b"password: ",
               b"ed25519 ", b"IHDR", b"IDAT", b"\xff\xc0", b"\xff\xd9", b"[page]", b"\xef\xbb\xbf"),
    ),
    "known": Target(
        read=_known,
        allowed=(StoreError,),
        seeds=(msgspec.msgpack.encode(_STATE), msgspec.msgpack.encode(known._State())),
        words=(b"kept", b"\xc4\x20" + bytes(32), b"\x96\x01"),
        largest=2 * known.HALF_BYTES,
    ),
    "home": Target(
        read=_home,
        allowed=(StoreError,),
        seeds=(msgspec.msgpack.encode(home_block(52, 4, salt=bytes(SECRET_BYTES), uniform=0.5)),),
        words=(b"\xc4\x20" + bytes(32), b"\xcb\x7f\xf0" + bytes(6)),
    ),
    "outbox": Target(
        read=_outbox,
        allowed=(StoreError,),
        seeds=(outbox_with(),),
        words=(b"CREATE TABLE record", b"BLOB NOT NULL", b"INTEGER", b"WITHOUT ROWID", b"\x0a\x00"),
    ),
    "update": Target(
        read=_update,
        allowed=(Refused, BrokerError),
        seeds=(b"", b"\x00" + _METADATA, b"\x02" + _METADATA.replace(b"timestamp", b"targets")),
        words=_WORDS,
    ),
}  # fmt: skip
