"""The Edge TPU in a process of its own, so that one that hangs or crashes takes nothing with it.

libedgetpu runs C++ over USB: pulled out in the middle of an inference it may return an error, wait
for ever or end its process, and a hung one keeps its device from being opened again. A thread
cannot be ended; a process can. So three processes share a piece of memory for pixels and scores:

    detector  --start n, stop-->  nursery  --fork-->  worker, which holds the delegate
        +------------- go, done (a byte each) ----------+

The nursery is started once, before the wall forbids to start programs, and forks a fresh worker for
each attempt: libusb sees an accelerator that has re-enumerated only in a fresh context.
The nursery does not load numpy or a runtime itself: it stays small.
"""

import json
import mmap
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from scanner.errors import DeviceError
from scanner.hardware.edgetpu_worker import COMMAND_BYTES, GO, MEMORY_BYTES, START, STOP, Details

LIBRARY: Final = "libedgetpu.so.1"
WORKER: Final = "scanner.hardware.edgetpu_worker"
HUNG_S: Final = 2.0  # an inference takes 10 ms; no answer for so long and it is given up
START_S: Final = 8.0  # to load the library, the firmware and the model, and infer once
FIRST_REST_S: Final = 0.5  # between attempts; doubles up to the longest
LONGEST_REST_S: Final = 4.0
# The same for one that is there, starts well and fails at work: each time may cost HUNG_S.
LONGEST_AILING_S: Final = 120.0
PROVEN: Final = 50  # inferences, and it is well again
# Vendor and product before and after libedgetpu has loaded the firmware.
USB_IDS: Final = {("1a6e", "089a"), ("18d1", "9302")}
WORKING: Final = "working"


def is_there(root: Path = Path("/")) -> bool:
    """Whether this machine has an Edge TPU, on USB or PCIe, by what the kernel lists."""
    if any((root / "dev").glob("apex_*")):
        return True
    for vendor in (root / "sys/bus/usb/devices").glob("*/idVendor"):
        try:
            ids = vendor.read_text().strip(), vendor.with_name("idProduct").read_text().strip()
        except OSError:
            continue  # pulled out in between
        if ids in USB_IDS:
            return True
    return False


class EdgeTpu:
    """The detector's end: starts workers, watches them, gives them up.

    ``model`` is a compiled file. ``there`` says whether it is worth trying. With ``walled`` the
    nursery and its workers build the wall of ``watch`` around themselves. Nothing here blocks,
    except ``invoke`` for HUNG_S and ``wait``: a nursery may stand still, as any process.
    """

    def __init__(
        self,
        model: Path,
        *,
        library: str = LIBRARY,
        runtime: str = "",
        walled: bool = False,
        there: Callable[[], bool] = is_there,
    ) -> None:
        self._there = there
        self._ever = False
        self._state = "not tried yet"
        self._rest_s = FIRST_REST_S
        self._look_s = 0.0  # monotonic: when to look whether it is there
        self._next_s = 0.0  # when to try again
        self._deadline_s = 0.0  # of a start under way
        self._tries = 0
        self._asked = b""  # of the nursery, which has not answered yet
        self._good = 0  # inferences of this worker
        self._channel: socket.socket | None = None
        self._running = False
        self.inputs: list[Details] = []
        self.outputs: list[Details] = []
        self.starts = 0  # workers that came to work: their tensors may differ
        memory = os.memfd_create("edgetpu")
        os.ftruncate(memory, MEMORY_BYTES)
        self.memory = mmap.mmap(memory, MEMORY_BYTES)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)
        command = [sys.executable, "-m", WORKER, str(theirs.fileno()), str(memory)]
        command += [library, runtime, str(model), *(["walled"] if walled else [])]
        path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
        self._nursery = subprocess.Popen(  # noqa: S603 - our own program
            command,
            pass_fds=(theirs.fileno(), memory),
            stdin=subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": path},
        )
        theirs.close()
        os.close(memory)

    @property
    def state(self) -> str:
        """One line for people."""
        return f"Edge TPU: {self._state}"

    @property
    def trouble(self) -> str:
        """What is wrong with an accelerator that is there or was; empty if nothing is."""
        return "" if self._running or not self._ever else self.state

    @property
    def working(self) -> bool:
        """Whether ``invoke`` may be called; moves on what is under way, without waiting."""
        if not self._running:
            self._advance(0.0)
        return self._running

    def wait(self, timeout_s: float = START_S) -> bool:
        """Wait until it works; False at once where there is none, or when it failed."""
        until = time.monotonic() + timeout_s
        self._advance(0.0)
        while (self._asked or self._channel) and not self._running and time.monotonic() < until:
            self._advance(0.1)
        return self._running

    def invoke(self) -> None:
        """Run the network on what lies in the memory; raises DeviceError if it is lost."""
        channel = self._channel
        if channel is None:
            raise DeviceError(self.state)
        try:
            channel.send(GO)
            if not _readable(channel, HUNG_S):
                self._give_up(f"no answer for {HUNG_S:g} s")
            elif (answer := channel.recv(4096)) != GO:
                self._give_up(_told(answer))
            else:
                self._good += 1
                if self._good == PROVEN:
                    self._rest_s = FIRST_REST_S
                return
        except OSError as e:
            self._give_up(e.strerror or str(e))
        raise DeviceError(self.state)

    def close(self) -> None:
        """End the processes; may be called twice."""
        for one in (self._channel, self._control):
            if one:
                one.close()
        self._channel, self._running, self._state = None, False, "closed"
        try:
            self._nursery.wait(2)
        except subprocess.TimeoutExpired:
            self._nursery.kill()
            self._nursery.wait()

    def _advance(self, patience_s: float) -> None:
        """One step: look for a device, start a worker, take its first words."""
        if self._control.fileno() < 0:
            return
        now = time.monotonic()
        try:
            if self._channel:
                self._hear(self._channel, patience_s)
            elif self._asked:
                self._meet(patience_s)
            elif now >= self._look_s:
                self._look_s = now + min(self._rest_s, LONGEST_REST_S)
                if not self._there():
                    self._state = "pulled out" if self._ever else "not there"
                    # Plugged in again it is tried at once.
                    self._rest_s, self._next_s = min(self._rest_s, LONGEST_REST_S), now
                elif now >= self._next_s:
                    self._ever = True
                    self._start(now)
        except OSError as e:
            self._give_up(e.strerror or str(e))

    def _start(self, now_s: float) -> None:
        self._tries += 1
        self._asked = START + str(self._tries).encode()
        self._control.send(self._asked)
        self._deadline_s = now_s + START_S
        self._good = 0
        self._state = "starting" if not self._state.startswith("lost") else self._state

    def _meet(self, patience_s: float) -> None:
        """Take the worker that was asked for; one of an earlier time, handed over late, is dead."""
        if not self._spoke(self._control, patience_s):
            return
        answer, handed, _, _ = socket.recv_fds(self._control, COMMAND_BYTES, 1)
        if not handed:
            raise OSError("its nursery has ended")
        channel = socket.socket(fileno=handed[0])
        if answer == self._asked:
            self._channel, self._asked = channel, b""
        else:
            channel.close()

    def _spoke(self, one: socket.socket, patience_s: float) -> bool:
        """Whether there is a word of a start under way; gives it up when its time is over."""
        if _readable(one, patience_s):
            return True
        if time.monotonic() > self._deadline_s:
            self._give_up(f"did not start within {START_S:g} s")
        return False

    def _hear(self, channel: socket.socket, patience_s: float) -> None:
        """The first words of a worker: its tensors, or why it cannot."""
        if not self._spoke(channel, patience_s):
            return
        answer = channel.recv(65536)
        try:
            told = json.loads(answer)
            self.inputs, self.outputs = told["inputs"], told["outputs"]
        except (ValueError, KeyError, TypeError):
            self._give_up(_told(answer))
            return
        self._running, self._state = True, WORKING
        self.starts += 1

    def _give_up(self, why: str) -> None:
        ailing = self._running and self._there()
        if self._running and not ailing:
            self._rest_s = FIRST_REST_S  # pulled out
        self._running, self._asked = False, b""
        self._state = f"lost: {why}"
        if self._channel:
            self._channel.close()
            self._channel = None
        try:
            self._control.send(STOP)
        except BlockingIOError:
            pass  # it stands still; the next START ends the worker, too
        except OSError:
            self._state = "lost: its nursery has ended"
        now = time.monotonic()
        self._next_s = now + self._rest_s
        self._look_s = now + min(self._rest_s, LONGEST_REST_S)
        longest_s = LONGEST_AILING_S if ailing else LONGEST_REST_S
        self._rest_s = max(self._rest_s, min(2 * self._rest_s, longest_s))


def _readable(one: socket.socket, timeout_s: float) -> bool:
    poll = select.poll()
    poll.register(one, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))


def _told(answer: bytes) -> str:
    """A worker's last words; none at all if the library has ended it."""
    try:
        return str(json.loads(answer)["error"])
    except (ValueError, KeyError, TypeError):
        return "its driver has crashed"
