"""A broker of our own for the demo or a small hub: a child process that ends with us.

mosquitto where it is installed, with the access list and limits that are shipped beside this file;
else the ``iotcore`` package. Of that we know: no access list, retained messages lost at a restart
(the hub publishes them again), more than 100 of them for one filter cut off at QoS 1, whatever is
configured; at QoS 0 all of them come. It is for trying out.
"""

import base64
import contextlib
import hashlib
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec

from scanner.config import Mqtt
from scanner.errors import BrokerError

LOOPBACK: Final = "127.0.0.1"
START_S: Final = 15.0
STOP_S: Final = 10.0
MESSAGE_MAX: Final = 4_194_304
HERE: Final = Path(__file__).parent
DEFAULT_ROOT: Final = "cctv/v1"
ROLES: Final = ("hub", "scanner")
HASH_ROUNDS: Final = 101  # mosquitto's own default; the passwords are 128 random bits

# The shell ends the broker when our end of its input closes, however we may die.
_LEASH: Final = (
    'exec 3<&0; "$@" 3<&- & broker=$!; '
    "{ cat; kill $broker; } <&3 3<&- >/dev/null 2>&1 & exec 3<&-; wait $broker"
)

# As much as is sent to one client before it is asked whether it can take more (200 of its own
# accord): a reader who comes late to a region gets all of its cells.
IOTCORE: Final = """
id = 0
[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = 60000
max_segment_size = 104857600
max_segment_count = 10
[v4.1]
name = "v4-1"
listen = "{listen}:{port}"
next_connection_delay_ms = 1
[v4.1.connections]
connection_timeout_ms = 60000
max_payload_size = {payload}
max_inflight_count = 500
dynamic_filters = true
"""

Role = Literal["hub", "scanner"]
KindName = Literal["auto", "mosquitto", "iotcore"]


class Access(msgspec.Struct, frozen=True):
    """What a client needs to connect."""

    settings: Mqtt
    password: str


class Broker(Protocol):
    """A broker of our own, running."""

    name: str
    port: int

    def access(self, role: Role) -> Access:
        """How to connect as hub or scanner."""

    def stop(self) -> None:
        """End it; may be called twice."""


def start(
    data: Path, *, port: int = 0, root: str = DEFAULT_ROOT, kind: KindName = "auto"
) -> Broker:
    """Start a broker on loopback that keeps its state under ``data``.

    ``port`` 0 takes a free one; ``kind`` asks for one of the two. Raises BrokerError with what to
    install if there is none to start.
    """
    port = port or free_port()
    if _taken(port):
        raise BrokerError(f"port {port} is in use", hint="choose another one for the broker")
    program = None if kind == "iotcore" else find_mosquitto()
    if kind == "mosquitto" and not program:
        raise BrokerError("mosquitto is not installed", hint="sudo apt-get install mosquitto")
    if program:
        return Mosquitto(program, data / "broker", port, root)
    try:
        return IotCore(port, root)
    except ImportError as e:
        raise BrokerError(
            "no MQTT broker is installed", hint="sudo apt-get install mosquitto"
        ) from e


def find_mosquitto() -> str | None:
    """Path of the program; Debian keeps it where only root looks."""
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return shutil.which("mosquitto", path=places)


def free_port() -> int:
    """A TCP port on loopback that nobody uses at this moment."""
    with socket.create_server((LOOPBACK, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


class Mosquitto:
    """mosquitto with names, passwords and access list."""

    name = "mosquitto"

    def __init__(self, program: str, folder: Path, port: int, root: str) -> None:
        self.port = port
        self._root = root
        for private in (folder.parent, folder):
            private.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._passwords = {role: _password(folder / f"{role}.password") for role in ROLES}
        self._write(folder)
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 our own arguments, found on PATH
                ["/bin/sh", "-c", _LEASH, "leash", program, "-c", str(folder / "mosquitto.conf")],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the hub, which then stops its broker
            )
        self._await_start()

    def _write(self, folder: Path) -> None:
        acl = (HERE / "acl").read_text(encoding="utf-8").replace(DEFAULT_ROOT, self._root)
        _write_private(folder / "acl", acl)
        lines = [f"{role}:{_hashed(self._passwords[role])}" for role in ROLES]
        _write_private(folder / "passwd", "\n".join(lines) + "\n")
        text = (HERE / "mosquitto.conf").read_text(encoding="utf-8")
        text = text.replace("/etc/mosquitto", str(folder))
        text = text.replace("listener 1883 127.0.0.1", f"listener {self.port} {LOOPBACK}")
        text += f"persistence_location {folder}/\n"
        if os.geteuid() == 0:
            text += "user root\n"  # else it changes to a user who cannot read these files
        _write_private(folder / "mosquitto.conf", text)

    def _await_start(self) -> None:
        deadline = time.monotonic() + START_S
        while not _taken(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                lines = self._log.read_text(errors="replace").strip().splitlines()
                raise BrokerError(f"mosquitto does not start: {lines[-1] if lines else 'no word'}")
            time.sleep(0.02)

    def access(self, role: Role) -> Access:
        """How to connect as hub or scanner."""
        return Access(_loopback(self.port, self._root, username=role), self._passwords[role])

    def stop(self) -> None:
        """End it, its state written to disk; may be called twice."""
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class IotCore:
    """rumqttd from the iotcore package; anyone on this machine may write anything.

    Raises ImportError if the package is not there, BrokerError if it does not start.
    """

    name = "iotcore"

    def __init__(self, port: int, root: str) -> None:
        from iotcore import Broker as Rumqttd  # noqa: PLC0415 an extra: only where it is wanted

        self.port = port
        self._root = root
        with tempfile.NamedTemporaryFile("w", suffix=".toml", delete=False) as config:
            config.write(IOTCORE.format(listen=LOOPBACK, port=port, payload=MESSAGE_MAX))
        self._config = Path(config.name)
        self._broker = Rumqttd(config_path=config.name)
        try:
            self._broker.start(timeout=START_S)
        except (OSError, RuntimeError) as e:
            self._config.unlink(missing_ok=True)
            raise BrokerError(f"iotcore does not start: {e}") from e

    def access(self, role: Role) -> Access:  # noqa: ARG002 it knows no roles
        """How to connect, the same for everyone."""
        return Access(_loopback(self.port, self._root, username=""), "")

    def stop(self) -> None:
        """End it; may be called twice."""
        self._broker.stop()
        self._config.unlink(missing_ok=True)


def _loopback(port: int, root: str, *, username: str) -> Mqtt:
    return Mqtt(host=LOOPBACK, port=port, root=root, username=username)


def _taken(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False


def _password(path: Path) -> str:
    """The password in a file, made at the first call."""
    if not path.exists():
        _write_private(path, secrets.token_urlsafe(16))
    return path.read_text(encoding="ascii")


def _hashed(password: str) -> str:
    """A password as mosquitto stores it: PBKDF2 of SHA-512 with a salt of 12 bytes."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, HASH_ROUNDS)
    return f"$7${HASH_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def _write_private(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
