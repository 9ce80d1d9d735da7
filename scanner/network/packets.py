"""The few MQTT packets that an inbox needs, as bytes (OASIS MQTT 3.1.1 and 5.0). Pure."""

from typing import Final

import msgspec

from scanner.errors import BrokerError

OLD: Final = 4  # the level that 3.1.1 gives in CONNECT
NEW: Final = 5
CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP, DISCONNECT = 0x20, 0x30, 0x40, 0x90, 0xD0, 0xE0
PING: Final = b"\xc0\x00"
GOODBYE: Final = b"\xe0\x00"
UNSUPPORTED_VERSION: Final = {NEW: 0x84, OLD: 0x01}
_KIND: Final = 0xF0
_FAILURE: Final = 0x80
_QOS: Final = 0x06
_MORE: Final = 0x80
_SESSION_EXPIRY: Final = 0x11
_RECEIVE_MAXIMUM: Final = 0x21
_LENGTH_BYTES: Final = 4
LARGEST: Final = 65_536  # bytes kept of one packet; a record has 1,072


class Packet(msgspec.Struct, frozen=True, array_like=True):
    """A packet that is no PUBLISH: its type, and what follows its length."""

    kind: int
    body: bytes


class Stream:
    """Bytes as they come -> messages and other packets. Raises BrokerError for what is no MQTT.

    Of a message larger than ``LARGEST``, which anyone may have sent who may send records, the
    beginning is given and the rest passed over, so that it can be acknowledged and is gone.
    """

    def __init__(self, level: int) -> None:
        self._new = level == NEW
        self._rest = b""
        self._left = 0  # bytes of a message that are still to be passed over

    def feed(self, data: bytes) -> tuple[list[int], list[bytes], list[Packet]]:
        """Packet numbers and payloads of the messages, and the other packets.

        The number of a message that asks for no acknowledgement is 0.
        """
        if self._left:
            passed, self._left = self._left, max(0, self._left - len(data))
            data = data[passed:]
        data = self._rest + data if self._rest else data
        numbers: list[int] = []
        payloads: list[bytes] = []
        others: list[Packet] = []
        start, size = 0, len(data)
        while size - start > 1:
            head = data[start]
            length = data[start + 1]
            body = start + 2
            if length & _MORE:
                found = varint(data, start + 1)
                if found is None:
                    break
                length, body = found
            end = body + length
            if length > LARGEST:
                if size - body < LARGEST:
                    break
                if head & _KIND != PUBLISH:
                    raise BrokerError("the broker sends a packet that is too large")
                number, at = self._message(data, head, body, end)
                numbers.append(number)
                payloads.append(data[at : body + LARGEST])
                self._left, start = max(0, end - size), min(end, size)
                continue
            if end > size:
                break
            if head & _KIND == PUBLISH:
                number, at = self._message(data, head, body, end)
                numbers.append(number)
                payloads.append(data[at:end])
            else:
                others.append(Packet(head & _KIND, data[body:end]))
            start = end
        self._rest = data[start:]
        return numbers, payloads, others

    def _message(self, data: bytes, head: int, body: int, end: int) -> tuple[int, int]:
        """Packet number of a PUBLISH, and where its payload begins."""
        try:
            at = body + 2 + (data[body] << 8 | data[body + 1])
            number = 0
            if head & _QOS:
                number = data[at] << 8 | data[at + 1]
                at += 2
            if self._new:
                found = varint(data, at)
                at = end + 1 if found is None else found[0] + found[1]
        except IndexError:
            at = end + 1
        if at > end:
            raise BrokerError("the broker sends what is not MQTT")
        return number, at


def varint(data: bytes, at: int) -> tuple[int, int] | None:
    """A length of 1 to 4 bytes and where it ends; None if it is not all there."""
    value = 0
    for i in range(_LENGTH_BYTES):
        if at + i >= len(data):
            return None
        byte = data[at + i]
        value |= (byte & 0x7F) << 7 * i
        if not byte & _MORE:
            return value, at + i + 1
    raise BrokerError("the broker sends what is not MQTT")


def connect(
    level: int, client_id: str, keepalive_s: int, *, username: str, password: str,
    session_s: int, receive_maximum: int,
) -> bytes:  # fmt: skip
    """CONNECT to a session that lasts."""
    flags = (0x80 if username else 0) | (0x40 if username else 0)
    body = _text("MQTT") + bytes([level, flags]) + keepalive_s.to_bytes(2, "big")
    if level == NEW:
        properties = bytes([_SESSION_EXPIRY]) + session_s.to_bytes(4, "big")
        properties += bytes([_RECEIVE_MAXIMUM]) + receive_maximum.to_bytes(2, "big")
        body += bytes([len(properties)]) + properties
    body += _text(client_id)
    if username:
        body += _text(username) + _text(password)
    return _packet(0x10, body)


def subscribe(level: int, number: int, topic_filter: str) -> bytes:
    """SUBSCRIBE at QoS 1."""
    return _packet(0x82, _numbered(level, number) + _text(topic_filter) + b"\x01")


def unsubscribe(level: int, number: int, topic_filter: str) -> bytes:
    """UNSUBSCRIBE."""
    return _packet(0xA2, _numbered(level, number) + _text(topic_filter))


def acknowledgements(numbers: list[int]) -> bytes:
    """A PUBACK for each of these messages."""
    return b"".join([b"\x40\x02" + number.to_bytes(2, "big") for number in numbers if number])


def refusal(packet: Packet, level: int) -> int:
    """The code with which a CONNACK or SUBACK refuses; 0 for consent."""
    if packet.kind == CONNACK:
        return packet.body[1] if len(packet.body) > 1 else _FAILURE
    code = packet.body[-1] if len(packet.body) > (3 if level == NEW else 2) else _FAILURE
    return code if code >= _FAILURE else 0


def _numbered(level: int, number: int) -> bytes:
    return number.to_bytes(2, "big") + (b"\x00" if level == NEW else b"")


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def _packet(head: int, body: bytes) -> bytes:
    length, size = b"", len(body)
    while True:
        size, low = size >> 7, size & 0x7F
        length += bytes([low | (_MORE if size else 0)])
        if not size:
            return bytes([head]) + length + body
