"""A line to a broker that breaks, stalls and lies; and one that writes down what passes."""

import contextlib
import random
import socket
import threading
import time

from tests.helpers.pumping import pump_both, shut

PUBLISH = 3


class CapturingProxy:
    """Forwards to a port on loopback and keeps the MQTT packets that clients send."""

    def __init__(self, target_port: int) -> None:
        self._target = target_port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.connections: list[list[bytes]] = []  # packets of each
        self._sockets = [self._server]
        self._closing = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while not self._closing:
            try:
                client, _ = self._server.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                if self._closing or self._server.fileno() < 0:
                    return
                with contextlib.suppress(OSError, UnboundLocalError):
                    shut(client)
                continue
            self._sockets += [client, server]
            self._connect(client, server)

    def _connect(self, client: socket.socket, server: socket.socket) -> None:
        packets: list[bytes] = []
        self.connections.append(packets)
        rest = bytearray()

        def keep(data: bytes) -> bytes:
            rest.extend(data)
            while (length := _length(rest)) and len(rest) >= length:
                packets.append(bytes(rest[:length]))
                del rest[:length]
            return data

        pump_both(client, server, to_b=keep)

    def packets(self, kind: int) -> list[bytes]:
        """All packets of one kind, of all connections."""
        return [p for packets in self.connections for p in packets if p[0] >> 4 == kind]

    def close(self) -> None:
        """Cut all connections."""
        self._closing = True
        for one in self._sockets:
            shut(one)


def _length(data: bytearray) -> int:
    """Of the packet at the front, its header included; 0 if that cannot be told yet.

    MQTT 5, 2.1.4 Remaining Length and 1.5.5 Variable Byte Integer.
    """
    value = 0
    for at, byte in enumerate(data[1:5]):
        value |= (byte & 0x7F) << 7 * at
        if not byte & 0x80:
            return value + at + 2
    return 0


class RoughProxy(CapturingProxy):
    """Each connection ends badly after a while, in a way drawn by chance."""

    ENDS = ("cut", "stall", "garbage", "deaf")

    def __init__(self, target_port: int, rng: random.Random, mean_bytes: float) -> None:
        self._rng = rng
        self._mean = mean_bytes
        self.ended: dict[str, int] = dict.fromkeys(self.ENDS, 0)
        super().__init__(target_port)

    def _connect(self, client: socket.socket, server: socket.socket) -> None:
        end = self._rng.choice(self.ENDS)
        left = self._rng.expovariate(1 / self._mean)

        def up(data: bytes) -> bytes | None:
            nonlocal left
            left -= len(data)
            if left > 0:
                return data
            self.ended[end] += 1
            if end == "stall":
                time.sleep(self._rng.uniform(0.5, 2.0))
                return None
            if end == "garbage":
                with contextlib.suppress(OSError):
                    client.sendall(self._rng.randbytes(200))
                return None
            if end == "deaf":  # the broker has it, its answer is lost
                with contextlib.suppress(OSError):
                    server.sendall(data)
                time.sleep(0.05)
                return None
            with contextlib.suppress(OSError):
                server.sendall(data[: len(data) // 2])  # half a packet
            return None

        pump_both(client, server, to_b=up)
