"""An accelerator that fails, hangs, crashes, goes and comes: a real delegate in real processes."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from scanner.errors import DeviceError
from scanner.hardware.edgetpu import FIRST_REST_S, HUNG_S, PROVEN, EdgeTpu, is_there
from scanner.hardware.tflite import TfliteDetector, shipped_model
from scanner.records import Detection
from tests.helpers.loose import LooseTpu
from tests.helpers.waiting import until

TILE = np.random.default_rng(1).integers(0, 256, (320, 320, 3), dtype=np.uint8)
RECOVERY_S = 10.0
HOWS = ["fail", "hang", "crash"]


@pytest.fixture(scope="module")
def expected() -> list[Detection]:
    """What the processor alone finds."""
    found = TfliteDetector(shipped_model(), threshold=0.02).infer(TILE)
    assert found
    return found


@pytest.fixture
def loose(tmp_path: Path) -> LooseTpu:
    return LooseTpu(tmp_path)


@pytest.fixture
def tpu(loose: LooseTpu) -> Iterator[EdgeTpu]:
    with_processes = loose.open()
    yield with_processes
    with_processes.close()


def children(pid: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def nursery_and_worker() -> tuple[int, list[int]]:
    """The nursery among our children, and its own."""
    for child in children(os.getpid()):
        if b"edgetpu_worker" in Path(f"/proc/{child}/cmdline").read_bytes():
            return child, children(child)
    raise AssertionError("no nursery runs")


@pytest.mark.parametrize(
    ("files", "there"),
    [
        ({}, False),
        ({"sys/bus/usb/devices/1-1/": ("18d1", "9302")}, True),
        ({"sys/bus/usb/devices/2-1.4/": ("1a6e", "089a")}, True),  # before its firmware is loaded
        ({"sys/bus/usb/devices/1-1/": ("18d1", "4ee7")}, False),  # a telephone
        ({"dev/apex_0": ()}, True),
    ],
)
def test_an_edge_tpu_is_known_by_what_the_kernel_lists(
    tmp_path: Path,
    files: dict[str, tuple[str, ...]],
    there: bool,  # noqa: FBT001 - a column of the table
) -> None:
    for name, ids in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not ids:
            path.touch()
            continue
        path.mkdir()
        for key, value in zip(("idVendor", "idProduct"), ids, strict=True):
            (path / key).write_text(f"{value}\n")
    assert is_there(tmp_path) == there


def test_the_accelerator_is_used_where_it_is(
    loose: LooseTpu, tpu: EdgeTpu, expected: list[Detection]
) -> None:
    detector = loose.detector(tpu)
    assert detector.on_edgetpu
    assert (detector.state, detector.trouble) == ("Edge TPU", "")
    assert detector.infer(TILE) == expected
    assert detector.invoke_s > 0


def test_without_an_accelerator_nothing_is_tried_and_nothing_is_wrong(
    loose: LooseTpu, tpu: EdgeTpu, expected: list[Detection]
) -> None:
    loose.unplug("absent")
    detector = loose.detector(tpu)
    assert (detector.on_edgetpu, detector.trouble) == (False, "")
    assert detector.infer(TILE) == expected
    assert nursery_and_worker()[1] == []


@pytest.mark.parametrize("how", HOWS)
def test_a_lost_accelerator_loses_no_tile_and_is_found_again(
    loose: LooseTpu, tpu: EdgeTpu, expected: list[Detection], how: str
) -> None:
    detector = loose.detector(tpu)
    assert detector.on_edgetpu
    loose.unplug(how)
    start = time.monotonic()
    assert detector.infer(TILE) == expected
    assert time.monotonic() - start < RECOVERY_S
    assert not detector.on_edgetpu
    assert "lost" in detector.trouble
    until(lambda: bool(detector.infer(TILE)) and "pulled out" in detector.trouble, timeout_s=20)
    assert nursery_and_worker()[1] == []  # also the one that hung has ended
    loose.plug()
    start = time.monotonic()
    until(lambda: detector.infer(TILE) == expected and detector.on_edgetpu, timeout_s=30)
    assert time.monotonic() - start < RECOVERY_S + HUNG_S
    assert detector.trouble == ""


def until_it_works(tpu: EdgeTpu) -> float:
    """How long that took."""
    start = time.monotonic()
    until(lambda: tpu.working, timeout_s=30)
    return time.monotonic() - start


def test_one_that_starts_well_and_hangs_at_work_is_tried_less_and_less(
    loose: LooseTpu, tpu: EdgeTpu
) -> None:
    """Until it has worked for a while, or was pulled out."""
    assert tpu.wait()
    loose.act("tired")
    rests_s = []
    for _ in range(3):
        with pytest.raises(DeviceError, match="no answer"):
            tpu.invoke()
        rests_s.append(until_it_works(tpu))
    assert rests_s[1] > 2 * FIRST_REST_S
    assert rests_s[2] > 4 * FIRST_REST_S
    loose.act("ok")
    for _ in range(PROVEN):
        tpu.invoke()
    os.kill(nursery_and_worker()[1][0], signal.SIGKILL)
    with pytest.raises(DeviceError):
        tpu.invoke()
    assert until_it_works(tpu) < 4 * FIRST_REST_S


def test_a_nursery_that_stands_still_holds_nobody_up_and_is_used_again(tpu: EdgeTpu) -> None:
    assert tpu.wait()
    nursery, (worker,) = nursery_and_worker()
    os.kill(nursery, signal.SIGSTOP)
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(DeviceError):
        tpu.invoke()
    longest_s = 0.0
    while "did not start" not in tpu.state:
        before = time.monotonic()
        assert not tpu.working
        longest_s = max(longest_s, time.monotonic() - before)
        time.sleep(0.01)
    assert longest_s < 1.0
    os.kill(nursery, signal.SIGCONT)
    assert until_it_works(tpu) < RECOVERY_S
    tpu.invoke()


def test_one_that_is_there_and_does_not_load_is_told_and_tried_again(
    loose: LooseTpu, tpu: EdgeTpu, expected: list[Detection]
) -> None:
    loose.act("absent")  # as when another program holds it
    detector = loose.detector(tpu)
    assert detector.infer(TILE) == expected
    assert "no such accelerator" in detector.trouble
    loose.act("ok")
    until(lambda: bool(detector.infer(TILE)) and detector.on_edgetpu, timeout_s=30)


def test_the_processor_works_while_the_accelerator_starts(
    loose: LooseTpu, tpu: EdgeTpu, expected: list[Detection]
) -> None:
    detector = loose.detector(tpu)
    loose.unplug("crash")
    detector.infer(TILE)
    loose.plug()
    loose.act("slow")
    longest_s = 0.0
    start = time.monotonic()
    while not detector.on_edgetpu:
        before = time.monotonic()
        assert detector.infer(TILE) == expected
        longest_s = max(longest_s, time.monotonic() - before)
        assert time.monotonic() - start < 30
    assert longest_s < 1.0


def test_without_the_library_the_processor_does_it_and_says_why(
    loose: LooseTpu, expected: list[Detection]
) -> None:
    tpu = EdgeTpu(loose.compiled, library="libnone.so.1", there=lambda: True)
    try:
        detector = loose.detector(tpu)
        assert detector.infer(TILE) == expected
        assert "libnone.so.1" in detector.trouble
    finally:
        tpu.close()


def test_a_nursery_that_is_killed_leaves_the_processor(
    loose: LooseTpu, tpu: EdgeTpu, expected: list[Detection]
) -> None:
    detector = loose.detector(tpu)
    nursery, workers = nursery_and_worker()
    for pid in (*workers, nursery):
        os.kill(pid, signal.SIGKILL)
    for _ in range(3):
        assert detector.infer(TILE) == expected
    assert "lost" in detector.trouble


def test_no_process_is_left_when_it_is_closed(loose: LooseTpu) -> None:
    tpu = loose.open()
    loose.detector(tpu).infer(TILE)
    nursery, workers = nursery_and_worker()
    assert len(workers) == 1
    tpu.close()
    tpu.close()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in (nursery, *workers)))


def test_the_processes_are_behind_a_wall_of_their_own(
    loose: LooseTpu, expected: list[Detection]
) -> None:
    tpu = loose.open(walled=True)
    try:
        detector = loose.detector(tpu)
        assert detector.infer(TILE) == expected
        assert detector.on_edgetpu
        nursery, workers = nursery_and_worker()
        for pid in (nursery, *workers):
            status = Path(f"/proc/{pid}/status").read_text()
            assert "Seccomp:\t2" in status
            assert "NoNewPrivs:\t1" in status
    finally:
        tpu.close()


def test_pulling_it_at_random_instants_loses_nothing(
    loose: LooseTpu, tpu: EdgeTpu, expected: list[Detection]
) -> None:
    """Few of them; `python -m tests.benchmarks.unplug` does a hundred."""
    rng = random.Random(7)
    detector = loose.detector(tpu)
    for how in ("fail", "crash"):
        for _ in range(rng.randrange(1, 8)):
            assert detector.infer(TILE) == expected
        loose.unplug(how)
        start = time.monotonic()
        assert detector.infer(TILE) == expected
        assert time.monotonic() - start < RECOVERY_S
        assert detector.trouble
        loose.plug()
        until(lambda: detector.infer(TILE) == expected and detector.on_edgetpu, timeout_s=30)
