"""The device's publisher and the hub's lasting session, both on top of ``mqtt``."""

import contextlib
import random
import secrets
import threading
from collections.abc import Callable, Sequence
from typing import Final

from scanner.config import Mqtt
from scanner.core.wire import Topics
from scanner.errors import BrokerError, ConfigError
from scanner.network.mqtt import NEW, OLD, Incoming, Link, Message, open_link
from scanner.network.tls import tls_context

BACKOFF_FIRST_S: Final = 0.25
BACKOFF_LAST_S: Final = 30.0
OLD_FOR_SURE: Final = 3  # connections in a row on which a broker would not speak MQTT 5

__all__ = ["Incoming", "Message", "MqttPublisher", "MqttSession"]


class MqttPublisher:
    """Sends sealed records to ``in``; a ``ports.Publisher``.

    It connects on the first ``publish`` and again on the first one after a failure, each time
    under a client id of its own that says nothing about the device. Nothing is queued here: what
    was not acknowledged stays the caller's.

    Parameters
    ----------
    settings : where and as whom; raises ConfigError if there is no host or the CA is unusable.
    password : for ``settings.username``; a systemd credential.
    timeout_s : for the connection, and for each acknowledgement.

    """

    def __init__(self, settings: Mqtt, *, password: str = "", timeout_s: float = 10) -> None:
        if not settings.host:
            raise ConfigError("mqtt.host is empty", hint="name the broker, or use --broker")
        self._settings = settings
        self._password = password
        self._timeout_s = timeout_s
        self._tls = tls_context(settings)
        self._topic = Topics(settings.root).inbox
        self._version = NEW
        self._olds = 0  # connections in a row that came about only in 3.1.1
        self._link: Link | None = None
        self._links = 0
        self._lock = threading.Lock()

    @property
    def connection(self) -> int:
        """Number of the connection that stands, another one after each that broke; 0 for none."""
        link = self._link
        return self._links if link and not link.lost.is_set() else 0

    def connect(self) -> None:
        """Connect now if that has not happened; raises BrokerError."""
        with self._lock:
            self._connected()

    def publish(self, payload: bytes) -> None:
        """Return once the broker has acknowledged the payload; otherwise raise BrokerError.

        A broker that says that nobody has subscribed (MQTT 5) has thrown the record away: this
        too is a BrokerError, and the record is to be kept until a hub is there.
        """
        with self._lock:
            try:
                taken = self._connected().send([Message(self._topic, payload)], self._timeout_s)
            except BrokerError:
                self._hang_up()
                raise
        if not taken:
            raise BrokerError(
                f"no hub listens at broker {self._settings.host}:{self._settings.port}",
                hint="the record is kept; is `scanner hub serve` running and mqtt.root the same?",
            )

    def close(self) -> None:
        """Hang up; may be called twice."""
        with self._lock:
            self._hang_up()

    def _connected(self) -> Link:
        if self._link and self._link.lost.is_set():
            self._hang_up()
        if not self._link:
            self._link, version = open_link(self._make, self._version, self._timeout_s)
            self._links += 1
            # A broker that was away for a moment seems not to speak MQTT 5. To go on in 3.1.1 for
            # that would be to hear no more that nobody listens, and to lose records.
            self._olds = self._olds + 1 if version == OLD else 0
            self._version = OLD if self._olds >= OLD_FOR_SURE else NEW
        return self._link

    def _make(self, version: int) -> Link:
        return Link(
            self._settings,
            client_id=secrets.token_hex(10),
            version=version,
            password=self._password,
            tls=self._tls,
        )

    def _hang_up(self) -> None:
        link, self._link = self._link, None
        if link:
            link.close()


class MqttSession:
    """A lasting session under a fixed client id, kept up over broken connections.

    The broker keeps what arrives while we are away, and keeps each message until it was
    acknowledged. ``online`` is published on every connection, ``offline`` at the end or, by the
    broker, when the connection breaks.

    Parameters
    ----------
    settings : where and as whom.
    client_id : fixed, at most 23 characters; one process at a time may use it.
    filters : topics to subscribe to, on every connection.
    status : the topic for ``online`` and ``offline``; empty for a session that says nothing.
    left : topics that this client id may have subscribed to earlier, and does not want any more.

    """

    def __init__(
        self,
        settings: Mqtt,
        *,
        client_id: str,
        filters: Sequence[str],
        status: str,
        left: Sequence[str] = (),
        password: str = "",
        timeout_s: float = 10,
    ) -> None:
        self._settings = settings
        self._client_id = client_id
        self._filters = filters
        self._status = status
        self._left = left
        self._on_message: Callable[[Incoming], None]
        self._on_online: Callable[[], None]
        self._password = password
        self._timeout_s = timeout_s
        self._tls = tls_context(settings)
        self._link: Link | None = None
        self._version = NEW
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mqtt-session", daemon=True)
        self.trouble = "not connected yet"  # empty while online

    def start(
        self, on_message: Callable[[Incoming], None], on_online: Callable[[], None] = lambda: None
    ) -> None:
        """Connect in the background, and again whenever the connection is lost.

        ``on_message`` is called in the network thread; it must return quickly and lead to
        ``Incoming.acknowledge`` once the message is in safety. ``on_online`` is called in the
        session's thread after each connection, when publishing works.
        """
        self._on_message, self._on_online = on_message, on_online
        self._thread.start()

    def stop(self) -> None:
        """Say ``offline`` and hang up; what was not acknowledged comes again next time."""
        self._stopping.set()
        if self._link:
            self._take_leave(self._link)
        if self._thread.is_alive():
            self._thread.join(self._timeout_s)

    @property
    def online(self) -> bool:
        """Whether there is a connection at this moment."""
        return not self.trouble

    def publish(self, messages: Sequence[Message]) -> None:
        """Return once the broker has acknowledged all; raises BrokerError, then send all again."""
        link = self._link
        if not link:
            raise BrokerError(self.trouble or "the broker is away")
        link.send(messages, self._timeout_s)

    def _run(self) -> None:
        pause_s = BACKOFF_FIRST_S
        while not self._stopping.is_set():
            try:
                link = self._connect()
            except BrokerError as e:
                self.trouble = str(e)
                # Many hubs and scanners must not come back in step after an outage.
                self._stopping.wait(pause_s * random.uniform(0.7, 1.3))  # noqa: S311
                pause_s = min(2 * pause_s, BACKOFF_LAST_S)
                continue
            pause_s = BACKOFF_FIRST_S
            if self._stopping.is_set():
                self._take_leave(link)
                return
            self._on_online()
            link.lost.wait()
            self.trouble = f"connection to {self._settings.host}:{self._settings.port} lost"
            self._link = None
            link.close()

    def _connect(self) -> Link:
        link, self._version = open_link(self._make, self._version, self._timeout_s)
        try:
            for topic_filter in self._filters:
                link.subscribe(topic_filter, self._timeout_s)
            for topic_filter in self._left:
                link.unsubscribe(topic_filter)
            link.send(self._word(b"online"), self._timeout_s)
        except BrokerError:
            link.close()
            raise
        self._link, self.trouble = link, ""
        return link

    def _take_leave(self, link: Link) -> None:
        with contextlib.suppress(BrokerError):
            link.send(self._word(b"offline"), 1.0)
        link.close()

    def _word(self, word: bytes) -> list[Message]:
        return [Message(self._status, word, retain=True)] if self._status else []

    def _make(self, version: int) -> Link:
        return Link(
            self._settings,
            client_id=self._client_id,
            version=version,
            password=self._password,
            tls=self._tls,
            lasting=True,
            will=next(iter(self._word(b"offline")), None),
            on_message=self._on_message,
        )
