"""The hub's inbox on real brokers, and its packets cut anywhere."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.config import Mqtt
from scanner.errors import BrokerError
from scanner.hub import broker as brokers
from scanner.network import packets
from scanner.network.inbox import Delivery, Inbox
from scanner.network.session import MqttPublisher
from tests.helpers.broker import Mosquitto
from tests.helpers.intake import publish
from tests.helpers.waiting import until

FILTER = "$share/hub/cctv/v1/in"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as running:
        yield running


class Taker:
    """Takes what comes; acknowledges if it is told to."""

    def __init__(self, settings: Mqtt, name: str = "hub", *, kind: bool = True) -> None:
        self.got: list[bytes] = []
        self._kind = kind
        self.inbox = Inbox(settings, client_id=name, topic_filter=FILTER, left=["cctv/v1/in"])
        self.inbox.start(self._take)

    def _take(self, delivery: Delivery) -> None:
        self.got += delivery.payloads
        if self._kind:
            delivery.acknowledge()


@contextlib.contextmanager
def taker(settings: Mqtt, name: str = "hub", *, kind: bool = True) -> Iterator[Taker]:
    taking = Taker(settings, name, kind=kind)
    try:
        until(lambda: taking.inbox.online)
        yield taking
    finally:
        taking.inbox.stop()


def send(settings: Mqtt, *payloads: bytes) -> None:
    with contextlib.closing(MqttPublisher(settings, timeout_s=5)) as publisher:
        for payload in payloads:
            publisher.publish(payload)


def test_what_was_not_acknowledged_comes_again_and_what_was_does_not(broker: Mosquitto) -> None:
    with taker(broker.settings, kind=False) as first:
        send(broker.settings, b"a", b"b")
        until(lambda: first.got == [b"a", b"b"])
    with taker(broker.settings) as second:
        until(lambda: second.got == [b"a", b"b"])
        time.sleep(0.2)
    with taker(broker.settings) as third:
        send(broker.settings, b"c")
        until(lambda: third.got)
        assert third.got == [b"c"]


def test_what_comes_while_nobody_is_there_is_kept(broker: Mosquitto) -> None:
    with taker(broker.settings):
        pass
    send(broker.settings, *[b"%d" % i for i in range(50)])
    broker.restart()
    with taker(broker.settings) as back:
        until(lambda: len(back.got) == 50)


def test_a_broker_that_goes_and_comes_is_found_again(broker: Mosquitto) -> None:
    with taker(broker.settings) as taking:
        broker.stop()
        until(lambda: str(broker.port) in taking.inbox.trouble)
        broker.start()
        until(lambda: taking.inbox.online)
        send(broker.settings, b"a")
        until(lambda: taking.got == [b"a"])


def test_a_burst_comes_complete(broker: Mosquitto) -> None:
    with taker(broker.settings):
        pass
    sent = [i.to_bytes(2, "big") + bytes(1070) for i in range(2500)]
    publish(broker, sent, quick=True)
    with taker(broker.settings) as back:
        until(lambda: len(back.got) >= len(sent))
        assert sorted(back.got) == sent


def test_two_share_and_nobody_gets_what_another_has(broker: Mosquitto) -> None:
    with taker(broker.settings, "one") as one, taker(broker.settings, "two") as two:
        send(broker.settings, *[b"%d" % i for i in range(40)])
        until(lambda: len(one.got) + len(two.got) == 40)
        assert one.got
        assert two.got
        assert not set(one.got) & set(two.got)


def test_the_embedded_broker_without_mosquitto_is_spoken_to_in_its_version(tmp_path: Path) -> None:
    own = brokers.start(tmp_path, kind="iotcore")
    try:
        settings = own.access("hub").settings
        with taker(settings) as taking:
            send(settings, b"a", b"b")
            until(lambda: taking.got == [b"a", b"b"])
    finally:
        own.stop()


def test_a_wrong_password_is_told_in_words(tmp_path: Path) -> None:
    own = brokers.start(tmp_path, kind="mosquitto")
    try:
        settings = own.access("hub").settings
        inbox = Inbox(settings, client_id="hub", topic_filter=FILTER, password="wrong")  # noqa: S106
        inbox.start(lambda _: None)
        until(lambda: "refuses us" in inbox.trouble)
        assert "password" in inbox.trouble
        inbox.stop()
    finally:
        own.stop()


def test_a_name_that_is_none_is_told_in_words() -> None:
    settings = Mqtt(host="broker..example")
    inbox = Inbox(settings, client_id="hub", topic_filter=FILTER)
    inbox.start(lambda _: None)
    until(lambda: "broker..example" in inbox.trouble, 10)
    inbox.stop()


# --- packets ------------------------------------------------------------------------------------


def message(level: int, number: int, payload: bytes) -> bytes:
    body = b"\x00\x01t" + number.to_bytes(2, "big") + (b"\x00" if level == packets.NEW else b"")
    return packets._packet(0x32, body + payload)


@given(
    st.lists(st.binary(max_size=400), max_size=6),
    st.lists(st.integers(1, 500), min_size=1, max_size=9),
    st.sampled_from([packets.OLD, packets.NEW]),
)
def test_messages_are_found_however_the_bytes_are_cut(
    payloads: list[bytes], steps: list[int], level: int
) -> None:
    data = b"".join(message(level, i, p) for i, p in enumerate(payloads, 1)) + b"\xd0\x00"
    stream = packets.Stream(level)
    numbers: list[int] = []
    found: list[bytes] = []
    others: list[packets.Packet] = []
    at = 0
    while at < len(data):
        step = steps[at % len(steps)]
        n, p, o = stream.feed(data[at : at + step])
        numbers += n
        found += p
        others += o
        at += step
    assert found == payloads
    assert numbers == list(range(1, len(payloads) + 1))
    assert [o.kind for o in others] == [packets.PINGRESP]


@given(st.binary(max_size=60))
def test_noise_is_refused_or_waited_for(noise: bytes) -> None:
    stream = packets.Stream(packets.NEW)
    with contextlib.suppress(BrokerError):
        stream.feed(noise)
