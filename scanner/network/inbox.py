"""The hub's inbox: a lasting session that takes messages in and acknowledges them, nothing else.

paho takes 60 to 100 microseconds of processor time for each message, more than opening one; this
takes a tenth of that, because it reads and acknowledges many messages at once. Publishing is left
to ``session``.
"""

import contextlib
import random
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from scanner.config import Mqtt
from scanner.errors import BrokerError
from scanner.network import packets
from scanner.network.dial import dial, in_words
from scanner.network.tls import tls_context

KEEPALIVE_S: Final = 30
SESSION_S: Final = 12 * 7 * 86_400  # a hub may be away for weeks and miss nothing
IN_FLIGHT_MAX: Final = 1000  # messages that the broker may have on the way to us
READ_BYTES: Final = 262_144
BACKOFF_FIRST_S: Final = 0.25
BACKOFF_LAST_S: Final = 30.0


class Delivery:
    """Messages that came together; the broker keeps them until ``acknowledge`` is called."""

    def __init__(self, payloads: list[bytes], acknowledge: Callable[[], None]) -> None:
        self.payloads = payloads
        self.acknowledge = acknowledge


class Inbox:
    """Keeps a lasting session up over broken connections, in a thread of its own.

    Parameters
    ----------
    settings : where and as whom.
    client_id : fixed, at most 23 characters; one process at a time may use it.
    topic_filter : what to subscribe to, on every connection.
    left : filters that this client id may have subscribed to earlier, and does not want any more.

    """

    def __init__(
        self,
        settings: Mqtt,
        *,
        client_id: str,
        topic_filter: str,
        left: Sequence[str] = (),
        password: str = "",
        timeout_s: float = 10,
    ) -> None:
        self._settings = settings
        self._client_id = client_id
        self._filter = topic_filter
        self._left = left
        self._password = password
        self._timeout_s = timeout_s
        self._tls = tls_context(settings)
        self._level = packets.NEW
        self._deliver: Callable[[Delivery], None]
        self._line: _Line | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mqtt-inbox", daemon=True)
        self.trouble = "not connected yet"  # empty while online

    def start(self, on_delivery: Callable[[Delivery], None]) -> None:
        """Connect in the background, and again whenever the connection is lost.

        ``on_delivery`` is called in the inbox's thread and must return quickly.
        """
        self._deliver = on_delivery
        self._thread.start()

    def stop(self) -> None:
        """Hang up; what was not acknowledged comes again next time. May be called twice."""
        self._stopping.set()
        if self._line:
            self._line.wake()
        if self._thread.ident:
            self._thread.join(self._timeout_s)

    @property
    def online(self) -> bool:
        """Whether there is a connection at this moment."""
        return not self.trouble

    def _run(self) -> None:
        pause_s = BACKOFF_FIRST_S
        while not self._stopping.is_set():
            try:
                self._line = self._connect()
                self.trouble, pause_s = "", BACKOFF_FIRST_S
                self._line.read(self._deliver, self._stopping)
            except BrokerError as e:
                self.trouble = str(e)
            finally:
                line, self._line = self._line, None
                if line:
                    line.close()
            if not self._stopping.is_set():
                # Many hubs must not come back in step after an outage.
                self._stopping.wait(pause_s * random.uniform(0.7, 1.3))  # noqa: S311
                pause_s = min(2 * pause_s, BACKOFF_LAST_S)

    def _connect(self) -> "_Line":
        """In MQTT 5, or in 3.1.1 if the broker does not speak that."""
        where = f"{self._settings.host}:{self._settings.port}"
        for level in (self._level, packets.OLD):
            line = _Line(dial(self._settings, self._tls, self._timeout_s), level, where)
            try:
                if line.enter(self._hello(level), self._timeout_s):
                    self._subscribe(line, level)
                    self._level = level
                    return line
            except BrokerError:
                line.close()
                raise
            line.close()
        raise BrokerError(f"broker {where} does not answer as MQTT does")

    def _hello(self, level: int) -> bytes:
        return packets.connect(
            level,
            self._client_id,
            KEEPALIVE_S,
            username=self._settings.username,
            password=self._password,
            session_s=SESSION_S,
            receive_maximum=IN_FLIGHT_MAX,
        )

    def _subscribe(self, line: "_Line", level: int) -> None:
        line.ask(packets.subscribe(level, 1, self._filter), self._timeout_s)
        for number, topic_filter in enumerate(self._left, 2):
            line.send(packets.unsubscribe(level, number, topic_filter))


class _Line:
    """One connection. Only the inbox's thread touches the socket; others leave word and wake it."""

    def __init__(self, line: socket.socket, level: int, where: str) -> None:
        self._line = line
        self._level = level
        self._where = where
        self._stream = packets.Stream(level)
        self._early: list[tuple[list[int], list[bytes]]] = []  # messages before the consent
        self._kept: list[packets.Packet] = []
        self._answers: list[list[int]] = []  # numbers of messages to acknowledge
        self._lock = threading.Lock()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)  # a full pipe wakes as well
        self._sent_at = time.monotonic()

    def enter(self, hello: bytes, timeout_s: float) -> bool:
        """Say hello; False if the broker does not speak this version. Raises BrokerError."""
        self._line.settimeout(timeout_s)
        try:
            self.send(hello)
            answer = self._await(packets.CONNACK)
        except BrokerError:
            if self._level == packets.OLD:
                raise
            return False  # it hung up without saying why, as some do
        code = packets.refusal(answer, self._level)
        if code == packets.UNSUPPORTED_VERSION[self._level]:
            return False
        if code:
            raise BrokerError(
                f"broker {self._where} refuses us: code {code}",
                hint="check mqtt.username and password",
            )
        return True

    def ask(self, request: bytes, timeout_s: float) -> None:
        """Subscribe and wait for the broker's consent; raises BrokerError."""
        self._line.settimeout(timeout_s)
        self.send(request)
        code = packets.refusal(self._await(packets.SUBACK), self._level)
        if code:
            raise BrokerError(
                f"broker {self._where} refuses the subscription: code {code}",
                hint="its access list must let the hub read its inbox",
            )

    def _await(self, kind: int) -> packets.Packet:
        while True:
            for packet in self._kept:
                if packet.kind == kind:
                    self._kept.remove(packet)
                    return packet
            numbers, payloads, others = self._stream.feed(self._receive())
            if payloads:
                # A session that lasts goes on at once: messages may come before the consent.
                self._early.append((numbers, payloads))
            self._kept += others

    def read(self, deliver: Callable[[Delivery], None], stopping: threading.Event) -> None:
        """Pass messages on until the connection breaks (BrokerError) or we are to stop."""
        for numbers, payloads in self._early:
            deliver(Delivery(payloads, self._acknowledging(numbers)))
        heard_at = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self._line, selectors.EVENT_READ)
            selector.register(self._wake_out, selectors.EVENT_READ)
            while not stopping.is_set():
                ready = {key.fileobj for key, _ in selector.select(KEEPALIVE_S / 3)}
                if self._wake_out in ready:
                    self._wake_out.recv(4096)
                    self._send_answers()
                if self._line in ready:
                    self._take(deliver)
                    heard_at = time.monotonic()
                now = time.monotonic()
                if now - heard_at > 1.5 * KEEPALIVE_S:
                    raise BrokerError(f"broker {self._where} is silent")
                if now - self._sent_at > KEEPALIVE_S / 2 or now - heard_at > KEEPALIVE_S / 2:
                    self.send(packets.PING)
            self._send_answers()
            self.send(packets.GOODBYE)

    def _take(self, deliver: Callable[[Delivery], None]) -> None:
        data = self._receive()
        while isinstance(self._line, ssl.SSLSocket) and self._line.pending():
            data += self._receive()
        numbers, payloads, others = self._stream.feed(data)
        if payloads:
            deliver(Delivery(payloads, self._acknowledging(numbers)))
        if any(packet.kind == packets.DISCONNECT for packet in others):
            raise BrokerError(f"broker {self._where} hangs up")

    def _acknowledging(self, numbers: list[int]) -> Callable[[], None]:
        # Packet numbers are used again after a reconnect: an answer goes to this connection, the
        # one that the messages came by, or nowhere.
        def acknowledge() -> None:
            with self._lock:
                self._answers.append(numbers)
            self.wake()

        return acknowledge

    def _send_answers(self) -> None:
        with self._lock:
            answers, self._answers = self._answers, []
        if answers:
            self.send(packets.acknowledgements([n for numbers in answers for n in numbers]))

    def wake(self) -> None:
        """Make ``read`` look up; from any thread."""
        with contextlib.suppress(OSError):
            self._wake_in.send(b"\0")

    def send(self, data: bytes) -> None:
        """Send now; raises BrokerError."""
        try:
            self._line.sendall(data)
        except OSError as e:
            raise BrokerError(f"broker {self._where}: {in_words(e)}") from e
        self._sent_at = time.monotonic()

    def _receive(self) -> bytes:
        try:
            data = self._line.recv(READ_BYTES)
        except OSError as e:
            raise BrokerError(f"broker {self._where}: {in_words(e)}") from e
        if not data:
            raise BrokerError(f"connection to {self._where} lost")
        return data

    def close(self) -> None:
        """Hang up."""
        for line in (self._line, self._wake_in, self._wake_out):
            with contextlib.suppress(OSError):
                line.close()
