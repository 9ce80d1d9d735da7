"""`scanner watch` with a lens, a real process behind its wall."""

import json
import shutil
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from scanner.demo import __path__ as demo
from scanner.hardware.modelfile import shipped_model
from scanner.storage.outbox import Outbox
from tests.helpers.gpsd import Gpsd
from tests.helpers.live import CONFIG as WAITING
from tests.helpers.live import ROOT, Watch
from tests.helpers.receiver import Port
from tests.helpers.waiting import until

WALK_S = 44  # a machine that is slow or busy sees each camera in few frames, but some in enough


def test_watch_looks_through_the_lens_tells_systemd_and_survives_a_pulled_cable(
    tmp_path: Path,
) -> None:
    with Watch(tmp_path) as watch:
        until(lambda: watch.heard("WATCHDOG=1"), timeout_s=60)
        assert watch.words.index("READY=1") < watch.words.index("WATCHDOG=1")
        status = Path(f"/proc/{watch.process.pid}/status").read_text()
        assert "Seccomp:\t2" in status  # what it sees through is opened behind the closed door
        watch.pull()
        until(lambda: watch.heard("STATUS=lens: lost"), timeout_s=30)
        silent = len(watch.words)
        watch.pause(1.5)
        assert not watch.heard("WATCHDOG=1", since=silent)  # nothing was seen, so nothing is fed
        watch.plug()
        until(lambda: watch.heard("WATCHDOG=1", since=silent), timeout_s=20)
        counts = json.loads(watch.end())
    assert counts["frames"] >= 3
    assert counts["without_fix"] == counts["frames"]
    log = watch.log.read_text()
    assert "! lens: lost: no frame for 3 s" in log
    assert "Traceback" not in log


def test_watch_waits_for_a_lens_that_comes_late(tmp_path: Path) -> None:
    (tmp_path / "pulled").touch()
    with Watch(tmp_path) as watch:
        until(lambda: watch.heard("STATUS=lens: lost: No camera"), timeout_s=60)
        assert watch.heard("READY=1")
        watch.plug()
        until(lambda: watch.heard("WATCHDOG=1"), timeout_s=30)
        assert json.loads(watch.end())["frames"] > 0


def test_a_machine_without_picamera2_is_told_what_to_install(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scanner", "watch", "--data", tmp_path / "data"]
    settings = tmp_path / "scanner.toml"
    settings.write_text('[position]\nsource = "gpsd:///nowhere/json.sock"\n')
    result = subprocess.run(
        [*command, "--config", settings], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert result.returncode == 69, result.stderr
    assert "apt install python3-picamera2" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--track", "t.gpx"], "--track needs --source"),
        (["--source", "v.mp4"], "--source needs --track"),
    ],
)
def test_half_a_recording_is_no_recording(options: list[str], words: str) -> None:
    command = [sys.executable, "-m", "scanner", "watch", *options]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert result.returncode == 2
    assert words in result.stderr


def test_the_nursery_of_an_accelerator_waits_behind_a_wall_and_ends_with_watch(
    tmp_path: Path,
) -> None:
    """The compiled file is there and no Edge TPU: one may be plugged in at any time."""
    model = tmp_path / "detector.tflite"
    shutil.copy(shipped_model(), model)
    shutil.copy(shipped_model(), tmp_path / "detector_edgetpu.tflite")
    with Watch(tmp_path, config=f'{WAITING}model = "{model}"\n') as watch:
        until(lambda: watch.heard("WATCHDOG=1"), timeout_s=60)
        pid = watch.process.pid
        (nursery,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        assert b"edgetpu_worker" in Path(f"/proc/{nursery}/cmdline").read_bytes()
        assert "Seccomp:\t2" in Path(f"/proc/{nursery}/status").read_text()
        watch.end()
    until(lambda: not Path(f"/proc/{nursery}").exists())


CONFIG = """
[position]
source = "{source}"
[privacy]
profile = "open"
[detector]
inferences_per_s = 20
"""


def test_a_walk_in_front_of_the_lens_with_gpsd_beside_it_becomes_records(tmp_path: Path) -> None:
    """Lens, gpsd by its socket, wall, detector, outbox: all but the lens itself is real."""
    lines = (Path(next(iter(demo))) / "walk.nmea").read_bytes().split(b"$GNRMC")[1:]
    port = Port(tmp_path / "tty")
    gpsd = Gpsd(port.path, tmp_path, unix=True)
    over = threading.Event()

    def receive() -> None:
        for epoch in lines:
            port.write(b"$GNRMC" + epoch)
            if over.wait(1.0):
                return

    def kept() -> int:
        with closing(Outbox(watch.data)) as outbox:
            return outbox.count()

    with (
        port,
        gpsd,
        Watch(tmp_path, config=CONFIG.format(source=gpsd.source), walks=True) as watch,
    ):
        until(lambda: watch.heard("WATCHDOG=1"), timeout_s=60)
        receiver = threading.Thread(target=receive)
        watch.begin()
        receiver.start()
        walk_over_s = time.monotonic() + WALK_S
        while time.monotonic() < walk_over_s and not kept():
            watch.pause(1.0)
        over.set()
        receiver.join()
        counts = json.loads(watch.end())
    log = watch.log.read_text()
    assert counts["without_fix"] < counts["frames"], log
    assert counts["records"] >= 1, (counts, log)
