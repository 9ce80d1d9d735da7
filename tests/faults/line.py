"""A line from the relays to the broker that does to records what bad lines do.

It knows MQTT packets, so that it can repeat, delay and bend whole messages. What it bends it hangs
up on, as the checksum of TLS would, and remembers: the hub gets something that nobody sent.
``forgetful`` is a broker that acknowledges what it throws away; it stands for no fault that the
system promises to survive, but shows that an audit would find it.
"""

import contextlib
import random
import socket
import threading
import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from typing import Final

from scanner.core.wire import SEALED_BYTES, record_id
from scanner.errors import BrokerError
from scanner.network.packets import varint
from tests.helpers.pumping import shut

CONNECT, PUBLISH, PUBACK = 1, 3, 4
AGAIN_FROM: Final = 60_000  # packet numbers of copies, which no relay reaches
REMEMBERED: Final = 300
DUPLICATE: Final = 0x08


class Packets:
    """Bytes as they come -> whole packets."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Packets that are complete now."""
        self._rest += data
        found = []
        while len(self._rest) > 1 and (length := varint(self._rest, 1)):
            end = length[0] + length[1]
            if len(self._rest) < end:
                break
            found.append(self._rest[:end])
            self._rest = self._rest[end:]
        return found


def level_of(connect: bytes) -> int:
    """The version that a CONNECT asks for: 5, or 4 for 3.1.1; it follows the word MQTT."""
    length = varint(connect, 1)
    assert length
    return connect[length[1] + 6]


def number_at(publish: bytes) -> int:
    """Where the packet number of a PUBLISH stands."""
    length = varint(publish, 1)
    assert length
    at = length[1]
    return at + 2 + int.from_bytes(publish[at : at + 2], "big")


class HangUpError(Exception):
    """This connection is over."""


@dataclass
class Ends:
    """A connection from a relay to the broker."""

    client: socket.socket
    server: socket.socket
    mute: bool = False  # no answer goes back any more
    level: int = 0  # of MQTT, as CONNECT says


class Line:
    """Listens at ``port``; ``shares`` says which faults are on, and how many messages they hit."""

    def __init__(self, target_port: int, seed: int, *, forgetful: float = 0.0) -> None:
        self._target = target_port
        self._dice = random.Random(seed)
        self._forgetful = forgetful
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.shares: dict[str, float] = {}
        self.done: Counter[str] = Counter()
        self.bent: set[str] = set()  # ids of what nobody sent
        self._earlier: dict[int, deque[bytes]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self._lock = threading.Lock()
        self._closing = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while not self._closing:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
                server.settimeout(None)
            except OSError:
                shut(client)
                continue
            ends = Ends(client, server)
            for work in (self._up, self._down):
                threading.Thread(target=work, args=(ends,), daemon=True).start()

    def _up(self, ends: Ends) -> None:
        packets = Packets()
        with contextlib.suppress(OSError, HangUpError, BrokerError):
            while data := ends.client.recv(65_536):
                for packet in packets.feed(data):
                    kind = packet[0] >> 4
                    if kind == CONNECT:
                        ends.level = level_of(packet)
                    if kind == PUBLISH:
                        self._message(packet, ends)
                    else:
                        ends.server.sendall(packet)
        shut(ends.client)
        shut(ends.server)

    def _down(self, ends: Ends) -> None:
        packets = Packets()
        with contextlib.suppress(OSError, BrokerError):
            while data := ends.server.recv(65_536):
                for packet in packets.feed(data):
                    copy = packet[0] >> 4 == PUBACK and packet[2:4] >= AGAIN_FROM.to_bytes(2, "big")
                    if not copy and not ends.mute:
                        ends.client.sendall(packet)
        shut(ends.client)
        shut(ends.server)

    def _drawn(self) -> tuple[str, float]:
        with self._lock:
            for kind, share in list(self.shares.items()):
                if self._dice.random() < share:
                    self.done[kind] += 1
                    return kind, self._dice.random()
            if self._forgetful and self._dice.random() < self._forgetful:
                return "forget", 0.0
        return "", 0.0

    def _message(self, packet: bytes, ends: Ends) -> None:
        kind, chance = self._drawn()
        if kind == "forget":
            at = number_at(packet)
            ends.client.sendall(b"\x40\x02" + packet[at : at + 2])
            return
        if kind == "cut":
            ends.server.sendall(packet[: len(packet) // 2])
            raise HangUpError
        if kind in ("late", "stall"):
            time.sleep((0.2 if kind == "late" else 2.0) * (0.2 + chance))
        if kind == "again":
            self._repeat(ends)
        if kind == "bent":
            at = len(packet) - SEALED_BYTES + int(chance * SEALED_BYTES)
            packet = packet[:at] + bytes([packet[at] ^ 0x40]) + packet[at + 1 :]
            self.bent.add(record_id(packet[-SEALED_BYTES:]))
        ends.mute = kind in ("deaf", "bent")
        ends.server.sendall(packet)
        if kind == "twice":
            ends.server.sendall(bytes([packet[0] | DUPLICATE]) + packet[1:])
        if ends.mute:
            time.sleep(0.02)  # the broker has it, its answer is lost
            raise HangUpError
        self._earlier[ends.level].append(packet)

    def _repeat(self, ends: Ends) -> None:
        """Something of long ago, as of another client that speaks the same version."""
        with self._lock:
            earlier = self._earlier[ends.level]
            old = self._dice.choice(earlier) if earlier else b""
        if old:
            at = number_at(old)
            number = AGAIN_FROM + self._dice.randrange(5_000)
            ends.server.sendall(old[:at] + number.to_bytes(2, "big") + old[at + 2 :])

    def close(self) -> None:
        """Take no more connections."""
        self._closing = True
        shut(self._server)
