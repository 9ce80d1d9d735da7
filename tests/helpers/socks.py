"""A small SOCKS5 server (RFC 1928, RFC 1929) that notes what it is asked for."""

import socket
import threading
from typing import NamedTuple

from tests.helpers.pumping import pump_both, shut

DOMAIN_NAME = 3  # type of address: a name, not looked up by the client


class Asked(NamedTuple):
    """One request."""

    kind: int
    host: str
    port: int
    user: str
    password: str


class SocksServer:
    """Leads every connection to one port on loopback, whatever name was asked for."""

    def __init__(self, target_port: int) -> None:
        self._target = target_port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.asked: list[Asked] = []
        self._sockets = [self._server]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._sockets.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        version, count = exactly(client, 2)
        assert version == 5
        assert 2 in exactly(client, count), "it offers no name and password"
        client.sendall(b"\x05\x02")
        exactly(client, 1)
        user = exactly(client, exactly(client, 1)[0]).decode()
        password = exactly(client, exactly(client, 1)[0]).decode()
        client.sendall(b"\x01\x00")
        _, command, _, kind = exactly(client, 4)
        assert command == 1
        host = (
            exactly(client, exactly(client, 1)[0]).decode()
            if kind == DOMAIN_NAME
            else socket.inet_ntoa(exactly(client, 4))
        )
        port = int.from_bytes(exactly(client, 2), "big")
        self.asked.append(Asked(kind, host, port, user, password))
        server = socket.create_connection(("127.0.0.1", self._target))
        self._sockets.append(server)
        client.sendall(b"\x05\x00\x00\x01" + bytes(6))
        pump_both(client, server)

    def close(self) -> None:
        """Cut all connections."""
        for one in self._sockets:
            shut(one)


def exactly(source: socket.socket, count: int) -> bytes:
    """So many bytes."""
    data = b""
    while len(data) < count:
        more = source.recv(count - len(data))
        if not more:
            raise ConnectionError("hung up")
        data += more
    return data
