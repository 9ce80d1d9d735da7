"""A TCP proxy that holds back some of what the server answers."""

import contextlib
import socket
import threading
from collections.abc import Callable


class HoldingProxy:
    """Forwards to a port on loopback; answers for which ``hold`` is true are never passed on."""

    def __init__(self, target_port: int, hold: Callable[[bytes], bool]) -> None:
        self._target = target_port
        self._hold = hold
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._sockets: list[socket.socket] = [self._server]
        self._closing = False
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while not self._closing:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            self._sockets += [client, server]
            for ends in ((client, server, lambda _: False), (server, client, self._hold)):
                thread = threading.Thread(target=self._pump, args=ends)
                self._threads.append(thread)
                thread.start()

    def _pump(
        self, source: socket.socket, sink: socket.socket, hold: Callable[[bytes], bool]
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not hold(data):
                    sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Cut all connections and end the threads."""
        self._closing = True
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(10)
