"""One connection to an MQTT broker; the only importer of paho.

paho keeps a second queue inside: a message that failed is sent again when the connection comes
back, behind the back of our outbox. So a paho client lives here as long as one connection and is
then thrown away with whatever it holds; those who own the data send it again.
MQTT 5 is spoken where the broker knows it, because only there a refused message is answered with
a reason, otherwise 3.1.1.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from scanner.config import Mqtt
from scanner.errors import BrokerError
from scanner.network.dial import in_words, proxy

NEW: Final = 5  # MQTT 5
OLD: Final = 3  # MQTT 3.1.1
KEEPALIVE_S: Final = 30
SESSION_EXPIRY_S: Final = 12 * 7 * 86_400  # a hub may be away for weeks and miss nothing
UNACKNOWLEDGED_MAX: Final = 500  # messages the broker may have on the way to the hub
SEND_WINDOW: Final = 100  # messages of ours on the way to the broker
HANG_UP_S: Final = 2.0
_UNSUPPORTED_VERSION: Final = 0x84
_NO_SUBSCRIBER: Final = 0x10


class Message(msgspec.Struct, frozen=True):
    """Something to publish; an empty retained payload deletes what the broker kept."""

    topic: str
    payload: bytes
    retain: bool = False


class Incoming:
    """A message from the broker, which keeps it until ``acknowledge`` is called."""

    def __init__(self, topic: str, payload: bytes, acknowledge: Callable[[], None]) -> None:
        self.topic = topic
        self.payload = payload
        self.acknowledge = acknowledge


class VersionRefusedError(BrokerError):
    """The broker does not speak this version of MQTT, or hung up without saying why."""


class Link:
    """One connection: opened, used and thrown away, never opened again.

    Parameters
    ----------
    settings : where and as whom; ``tls`` is None for an open connection.
    client_id : at most 23 characters, which every broker takes.
    version : NEW or OLD.
    lasting : the broker keeps subscriptions and messages for this client id.
    will : published by the broker when the connection breaks.
    on_message : called in the network thread; acknowledging is up to the receiver.

    """

    def __init__(
        self,
        settings: Mqtt,
        *,
        client_id: str,
        version: int,
        password: str = "",
        tls: ssl.SSLContext | None = None,
        lasting: bool = False,
        will: Message | None = None,
        on_message: Callable[[Incoming], None] | None = None,
    ) -> None:
        self.lost = threading.Event()
        self._where = f"{settings.host}:{settings.port}"
        self._settings = settings
        self._lasting = lasting
        new = version == NEW
        self._version = MQTTProtocolVersion.MQTTv5 if new else MQTTProtocolVersion.MQTTv311
        self._change = threading.Condition()
        self._answer: ReasonCode | None = None  # to CONNECT
        self._reason = ""  # why the connection ended
        self._answers: dict[int, ReasonCode] = {}  # to PUBLISH and SUBSCRIBE, by packet number
        self._deliver = on_message
        self._client = self._paho(client_id, password, tls, will)

    def _paho(
        self, client_id: str, password: str, tls: ssl.SSLContext | None, will: Message | None
    ) -> Client:
        old = self._version != MQTTProtocolVersion.MQTTv5
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=not self._lasting if old else None,
            protocol=self._version,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        if self._settings.username:
            client.username_pw_set(self._settings.username, password)
        if tls:
            client.tls_set_context(tls)
        if will:
            client.will_set(will.topic, will.payload, qos=1, retain=will.retain)
        if self._settings.socks_proxy:
            client.proxy_set(**proxy(self._settings.socks_proxy))
        client.max_inflight_messages_set(SEND_WINDOW)
        client.max_queued_messages_set(SEND_WINDOW)  # those in flight, none behind them
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def open(self, timeout_s: float) -> None:
        """Connect and wait for the broker's answer; raises BrokerError."""
        self._client.connect_timeout = timeout_s
        new = self._version == MQTTProtocolVersion.MQTTv5
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        if self._lasting:
            properties.SessionExpiryInterval = SESSION_EXPIRY_S
            properties.ReceiveMaximum = UNACKNOWLEDGED_MAX
        try:
            self._client.connect(
                self._settings.host,
                self._settings.port,
                keepalive=KEEPALIVE_S,
                clean_start=not self._lasting if new else 3,
                properties=properties if new else None,
            )
        except (OSError, ValueError) as e:
            raise BrokerError(f"broker {self._where}: {in_words(e)}") from e
        self._client.loop_start()
        with self._change:
            self._change.wait_for(lambda: self._answer is not None or self.lost.is_set(), timeout_s)
        self._judge_answer(timeout_s)

    def _judge_answer(self, timeout_s: float) -> None:
        answer = self._answer
        if answer is not None and not answer.is_failure and not self.lost.is_set():
            return
        self.close()
        if answer is None:
            reason = self._reason or f"no answer within {timeout_s:g} s"
            raise VersionRefusedError(f"broker {self._where}: {reason}")
        if answer.value == _UNSUPPORTED_VERSION:
            raise VersionRefusedError(f"broker {self._where}: {answer}")
        raise BrokerError(
            f"broker {self._where} refuses us: {answer}", hint="check mqtt.username and password"
        )

    def send(self, messages: Sequence[Message], timeout_s: float) -> bool:
        """Publish at QoS 1 and return once the broker has acknowledged all.

        False: it said that nobody has subscribed to one of them (MQTT 5 only), so what is not
        retained is gone.

        Raises BrokerError when it is away, silent for ``timeout_s`` or refuses a message; which
        of the messages it has taken is then unknown.
        """
        answers: list[ReasonCode] = []
        for start in range(0, len(messages), SEND_WINDOW):
            numbers = [self._put(message) for message in messages[start : start + SEND_WINDOW]]
            answers += [self._await_answer(number, timeout_s) for number in numbers]
        return all(answer.value != _NO_SUBSCRIBER for answer in answers)

    def subscribe(self, topic_filter: str, timeout_s: float) -> None:
        """Subscribe at QoS 1 and wait for the broker's consent; raises BrokerError."""
        code, number = self._client.subscribe(topic_filter, qos=1)
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or number is None:
            raise BrokerError(f"broker {self._where}: {self._reason or code.name}")
        self._await_answer(number, timeout_s)

    def unsubscribe(self, topic_filter: str) -> None:
        """Ask for no more of these messages; the broker's answer is not waited for."""
        self._client.unsubscribe(topic_filter)

    def _put(self, message: Message) -> int:
        info = self._client.publish(message.topic, message.payload, qos=1, retain=message.retain)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise BrokerError(f"broker {self._where}: {self._reason or 'connection lost'}")
        return info.mid

    def _await_answer(self, number: int, timeout_s: float) -> ReasonCode:
        with self._change:
            self._change.wait_for(lambda: number in self._answers or self.lost.is_set(), timeout_s)
            answer = self._answers.pop(number, None)
        if answer is None:
            reason = self._reason if self.lost.is_set() else f"silent for {timeout_s:g} s"
            raise BrokerError(f"broker {self._where}: {reason or 'connection lost'}")
        if answer.is_failure:
            raise BrokerError(
                f"broker {self._where} refuses the message: {answer}",
                hint="its access list must let us use this topic",
            )
        return answer

    def close(self) -> None:
        """Hang up, politely if the broker still listens; may be called twice."""
        connected = self._client.is_connected()
        self._client.disconnect()
        if connected:
            # Without the farewell, which paho's thread sends, the broker would publish our will.
            self.lost.wait(HANG_UP_S)
        # paho's thread does not end while bytes wait for a peer that reads no more.
        peer = self._client.socket()
        if isinstance(peer, socket.socket):
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()
        if isinstance(peer, socket.socket):
            peer.close()  # which the thread leaves open where it ends before it has read the end
        self.lost.set()

    def _on_connect(
        self, _c: Client, _u: object, _f: ConnectFlags, code: ReasonCode, _p: Properties | None
    ) -> None:
        with self._change:
            self._answer = code
            self._change.notify_all()

    def _on_disconnect(
        self, _c: Client, _u: object, _f: DisconnectFlags, code: ReasonCode, _p: Properties | None
    ) -> None:
        with self._change:
            self._reason = "connection lost" if code.value == 0 else f"connection lost: {code}"
            self.lost.set()
            self._change.notify_all()

    def _on_publish(
        self, _c: Client, _u: object, number: int, code: ReasonCode, _p: Properties
    ) -> None:
        self._note(number, code)

    def _on_subscribe(
        self, _c: Client, _u: object, number: int, codes: list[ReasonCode], _p: Properties | None
    ) -> None:
        self._note(number, codes[0])

    def _note(self, number: int, code: ReasonCode) -> None:
        with self._change:
            self._answers[number] = code
            self._change.notify_all()

    def _on_message(self, client: Client, _u: object, message: MQTTMessage) -> None:
        number, qos = message.mid, message.qos

        def acknowledge() -> None:
            # Packet numbers are used again after a reconnect: an answer must never go to
            # another connection than the message came by. This client has only one.
            client.ack(number, qos)

        if self._deliver:
            self._deliver(Incoming(message.topic, bytes(message.payload), acknowledge))
        else:
            acknowledge()


def open_link(make: Callable[[int], Link], version: int, timeout_s: float) -> tuple[Link, int]:
    """A connection in MQTT ``version`` 5, or in 3.1.1 if the broker does not speak that.

    ``make`` makes a fresh Link of a version. Returns the open link and its version; raises
    BrokerError.
    """
    link = make(version)
    try:
        link.open(timeout_s)
    except VersionRefusedError:
        if version == OLD:
            raise
        return open_link(make, OLD, timeout_s)
    return link, version
