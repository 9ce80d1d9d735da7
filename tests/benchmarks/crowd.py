"""Simulated scanners: what ten thousand of them publish, over sockets of their own.

A record names no device, so to broker and hub a scanner is a connection with a client id, and
nothing else. ``publish`` makes a new connection with a new client id for every record, as the
profile ``careful`` does; ``hold`` keeps one connection per scanner open at the same time, as
``open`` does. One thread, no library: the generator must cost less than what it measures.
"""

import random
import selectors
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from msgspec.structs import replace
from nacl.public import PublicKey

from scanner.core.geometry import Origin
from scanner.core.wire import Topics
from scanner.network import packets
from scanner.sealing import seal
from scanner.simulated import city

AT_ONCE: Final = 200  # connections in hand at the same time
PATIENCE_S: Final = 600.0
KEEPALIVE_S: Final = 3600
TOWN_DEGREES: Final = 0.6  # between the towns: farther than fusing reaches


def records(
    scanners: int, each: int, cameras: int, key: PublicKey, *, towns: int = 1, seed: int = 1
) -> list[bytes]:
    """Sealed records of this week from towns of as many cameras together, in any order.

    Passes go on until every scanner has its share: with fewer cameras each is seen more often.
    """
    rng = np.random.default_rng(seed)
    wanted = scanners * each
    bucket = int(time.time() // 86_400) // 7
    made: list[bytes] = []
    for number in range(towns):
        origin = Origin(48.0 + TOWN_DEGREES * number, 11.5)
        part = wanted * (number + 1) // towns - len(made)
        plan = city.Plan(cameras=max(1, cameras // towns), passes=4)
        built = city.build(rng, plan, origin)
        for seen in _for_ever(rng, built, plan):
            if not part:
                break
            part -= 1
            record = replace(seen.record, bucket_days=7, bucket=bucket, model="simulated")
            made.append(seal(record, key))
    random.Random(seed).shuffle(made)
    return made


def _for_ever(rng: np.random.Generator, built: city.City, plan: city.Plan) -> Iterator[city.Seen]:
    while True:
        yield from city.passes(rng, built, plan)


class Line:
    """One connection of one scanner, and what it still has to send."""

    def __init__(self, port: int, name: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = packets.Stream(packets.OLD)
        body = b"\x00\x04MQTT\x04\x02" + KEEPALIVE_S.to_bytes(2, "big")
        encoded = name.encode()
        body += len(encoded).to_bytes(2, "big") + encoded
        self.socket.sendall(bytes([0x10, len(body)]) + body)

    def heard(self) -> list[int]:
        """Types of the packets that have come."""
        data = self.socket.recv(65_536)
        assert data, "the broker hung up"
        return [packet.kind for packet in self._stream.feed(data)[2]]

    def tell(self, payload: bytes) -> None:
        """Publish at QoS 1."""
        self.socket.sendall(message(payload))

    def close(self) -> None:
        """Say goodbye."""
        self.socket.sendall(packets.GOODBYE)
        self.socket.close()


def message(payload: bytes) -> bytes:
    """A PUBLISH at QoS 1 to the inbox."""
    topic = Topics().inbox.encode()
    body = len(topic).to_bytes(2, "big") + topic + b"\x00\x01" + payload
    size, length = len(body), b""
    while True:
        size, low = size >> 7, size & 0x7F
        length += bytes([low | (0x80 if size else 0)])
        if not size:
            return b"\x32" + length + body


def publish(port: int, payloads: Sequence[bytes], *, at_once: int = AT_ONCE) -> None:
    """A fresh connection for each record; on return the broker has acknowledged all."""
    left = list(enumerate(payloads))[::-1]
    deadline = time.monotonic() + PATIENCE_S
    with selectors.DefaultSelector() as selector:
        while left or selector.get_map():
            assert time.monotonic() < deadline, "the broker takes too long"
            while left and len(selector.get_map()) < at_once:
                number, payload = left.pop()
                line = Line(port, f"s{number:x}-{random.getrandbits(40):x}")
                selector.register(line.socket, selectors.EVENT_READ, (line, payload))
            for key, _ in selector.select(1.0):
                line, payload = key.data
                for kind in line.heard():
                    if kind == packets.CONNACK:
                        line.tell(payload)
                    elif kind == packets.PUBACK:
                        selector.unregister(line.socket)
                        line.close()


def hold(
    port: int, payloads: Sequence[bytes], scanners: int, standing: Callable[[], object]
) -> int:
    """All scanners connected at the same time, each sends its records; returns how many stood.

    ``standing`` is called when all are connected.
    """
    lines: list[Line] = []
    with selectors.DefaultSelector() as selector:
        for number in range(scanners):
            line = Line(port, f"h{number}")
            assert packets.CONNACK in line.heard()
            lines.append(line)
        standing()
        for number, line in enumerate(lines):
            mine = list(payloads[number::scanners])
            selector.register(line.socket, selectors.EVENT_READ, (line, mine))
            if mine:
                line.tell(mine.pop())
        missing = len(payloads)
        deadline = time.monotonic() + PATIENCE_S
        while missing:
            assert time.monotonic() < deadline, "the broker takes too long"
            for key, _ in selector.select(1.0):
                line, mine = key.data
                missing -= (heard := line.heard()).count(packets.PUBACK)
                if mine and packets.PUBACK in heard:
                    line.tell(mine.pop())
    for line in lines:
        line.close()
    return len(lines)
