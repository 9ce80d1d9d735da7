"""What the broker does with a C client: mosquitto's own, on this machine, in this run."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from scanner.core.wire import SEALED_BYTES, Topics
from tests.helpers.broker import Mosquitto


class Done(NamedTuple):
    """Figures of one client."""

    rate: float  # messages a second, by the wall, its start included
    cpu_us: float  # of the client for each


def published(folder: Path, messages: int) -> Done:
    """``mosquitto_pub`` sends lines as long as records, QoS 1, while one client listens."""
    lines = folder / "lines"
    lines.write_bytes((b"x" * SEALED_BYTES + b"\n") * messages)
    with Mosquitto(folder / "c-broker") as broker:
        where = _where(broker, "pub")
        with listening(broker), lines.open("rb") as source:
            return _timed([*where, "-l", "-q", "1"], messages, stdin=source.fileno())


def received(folder: Path, messages: int) -> Done:
    """``mosquitto_sub`` takes messages that wait for its session, QoS 1; they go nowhere."""
    lines = folder / "lines"
    lines.write_bytes((b"x" * SEALED_BYTES + b"\n") * messages)
    with Mosquitto(folder / "c-broker") as broker:
        session = [*_where(broker, "sub"), "-c", "-i", "c-client", "-q", "1"]
        subprocess.run([*session, "-E"], check=True, timeout=30)
        with lines.open("rb") as source:
            command = [*_where(broker, "pub"), "-l", "-q", "1"]
            subprocess.run(command, stdin=source, check=True, timeout=600)
        return _timed([*session, "-C", str(messages)], messages)


@contextlib.contextmanager
def listening(broker: Mosquitto) -> Iterator[None]:
    """``mosquitto_sub`` at the inbox: a relay keeps its records while nobody is there."""
    session = [*_where(broker, "sub"), "-c", "-i", "listener", "-q", "1"]
    subprocess.run([*session, "-E"], check=True, timeout=30)  # from now on it is subscribed
    with subprocess.Popen(session, stdout=subprocess.DEVNULL) as client:
        try:
            yield
        finally:
            client.terminate()


def _where(broker: Mosquitto, which: str) -> list[str]:
    program = shutil.which(f"mosquitto_{which}")
    assert program, "this wants mosquitto's clients: apt-get install mosquitto-clients"
    return [program, "-h", "127.0.0.1", "-p", str(broker.port), "-t", Topics().inbox]


def _timed(command: list[str], messages: int, stdin: int | None = None) -> Done:
    begun = time.perf_counter()
    with Path(os.devnull).open("wb") as nowhere:
        actions = [(os.POSIX_SPAWN_DUP2, nowhere.fileno(), 1)]
        if stdin is not None:
            actions.append((os.POSIX_SPAWN_DUP2, stdin, 0))
        child = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(child, 0)
    assert status == 0, f"{command[0]} ended with {status}"
    return Done(
        rate=messages / (time.perf_counter() - begun),
        cpu_us=(usage.ru_utime + usage.ru_stime) / messages * 1e6,
    )
