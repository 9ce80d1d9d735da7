"""Changes of the map for the web pages that are open, from the worker's thread to the server's."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Final

READER_QUEUE: Final = 1000  # changes a slow reader may be behind; then it starts afresh
HEARTBEAT_S: Final = 15.0  # a silent line is told from a dead one


class Feed:
    """Hands every message to every reader."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers: dict[asyncio.Queue[bytes | None], asyncio.AbstractEventLoop] = {}
        self._closed = False

    def push(self, message: bytes) -> None:
        """Hand on a message; from any thread."""
        self._all(message)

    def start_afresh(self) -> None:
        """End all readers: they come back and read the map as it is; from any thread."""
        self._all(None)

    def close(self) -> None:
        """End all readers, so that the server can stop; from any thread, may be called twice."""
        with self._lock:
            self._closed = True
        self._all(None)

    def _all(self, message: bytes | None) -> None:
        with self._lock:
            for queue, loop in self._readers.items():
                if not loop.is_closed():
                    loop.call_soon_threadsafe(_offer, queue, message)

    async def events(self, greeting: bytes) -> AsyncIterator[bytes]:
        """Server-sent events: a greeting, then each message, and a comment when all is quiet."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(READER_QUEUE)
        with self._lock:
            if self._closed:
                return
            self._readers[queue] = asyncio.get_running_loop()
        try:
            yield b"event: hello\ndata: " + greeting + b"\n\n"
            while True:
                try:
                    message = await asyncio.wait_for(queue.get(), HEARTBEAT_S)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if message is None:
                    return
                yield b"event: change\ndata: " + message + b"\n\n"
        finally:
            with self._lock:
                del self._readers[queue]


def _offer(queue: asyncio.Queue[bytes | None], message: bytes | None) -> None:
    """Put a message, or make a reader that is too far behind begin again."""
    if queue.full():
        while not queue.empty():
            queue.get_nowait()
        message = None
    queue.put_nowait(message)
