import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec
import pytest

from scanner.config import Mqtt
from scanner.errors import BrokerError, ConfigError
from scanner.hub.broker import IotCore, free_port
from scanner.network.inbox import Inbox
from scanner.network.session import Incoming, Message, MqttPublisher, MqttSession
from tests.helpers.broker import PLAIN, Mosquitto
from tests.helpers.waiting import until

ROOT = "cctv/v1"


class Listener:
    """A session that keeps what it gets."""

    def __init__(
        self, settings: Mqtt, *, client_id: str = "listener", acknowledge: bool = True
    ) -> None:
        self.got: list[tuple[str, bytes]] = []
        self.online = 0
        self._acknowledge = acknowledge
        self.session = MqttSession(
            settings,
            client_id=client_id,
            filters=[f"{ROOT}/#"],
            status=f"{ROOT}/hub/status/{client_id}",
        )

    def start(self) -> Self:
        self.session.start(self._take, self._count)
        until(lambda: self.session.online)
        return self

    def _take(self, message: Incoming) -> None:
        self.got.append((message.topic, message.payload))
        if self._acknowledge:
            message.acknowledge()

    def _count(self) -> None:
        self.online += 1

    @property
    def records(self) -> list[bytes]:
        return [payload for topic, payload in self.got if topic == f"{ROOT}/in"]

    @property
    def statuses(self) -> list[tuple[str, bytes]]:
        return [(t.rpartition("/")[2], p) for t, p in self.got if "/status/" in t]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.session.stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def publisher(broker: Mosquitto) -> Iterator[MqttPublisher]:
    made = MqttPublisher(broker.settings, timeout_s=5)
    yield made
    made.close()
    made.close()


def test_what_was_published_arrives_once_and_in_order(
    broker: Mosquitto, publisher: MqttPublisher
) -> None:
    with Listener(broker.settings) as listener:
        for number in range(50):
            publisher.publish(b"%d" % number)
        until(lambda: len(listener.records) >= 50)
        assert listener.records == [b"%d" % number for number in range(50)]


def test_an_old_broker_is_spoken_to_in_the_old_way() -> None:
    old = IotCore(free_port(), ROOT)  # this listener knows 3.1.1 only
    try:
        settings = old.access("scanner").settings
        with Listener(settings) as listener:
            publisher = MqttPublisher(settings, timeout_s=5)
            publisher.publish(b"old")
            publisher.close()
            until(lambda: listener.records == [b"old"])
    finally:
        old.stop()


def test_a_record_that_nobody_would_keep_is_not_given_away(publisher: MqttPublisher) -> None:
    with pytest.raises(BrokerError, match="no hub listens"):
        publisher.publish(b"x")


def test_a_broker_that_is_not_there_is_named() -> None:
    port = free_port()
    publisher = MqttPublisher(Mqtt(host="127.0.0.1", port=port), timeout_s=2)
    with pytest.raises(BrokerError, match=f"127.0.0.1:{port}: Connection refused"):
        publisher.connect()
    publisher.close()


def test_a_name_that_is_none_is_a_broker_error() -> None:
    publisher = MqttPublisher(Mqtt(host="nowhere.invalid"), timeout_s=2)
    with pytest.raises(BrokerError, match=r"nowhere.invalid:1883: "):
        publisher.publish(b"x")


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (Mqtt(), "mqtt.host"),
        (Mqtt(host="x", tls=True, ca_file="/nowhere/ca.pem"), "mqtt.ca_file"),
        (Mqtt(host="x", tls=True, cert_file="/nowhere/hub.pem"), "mqtt.cert_file"),
        (Mqtt(host="x", tls=True, key_file="/nowhere/hub.key"), "mqtt.key_file"),
        (Mqtt(host="x", cert_file="/nowhere/hub.pem"), "mqtt.tls"),
    ],
)
def test_settings_that_cannot_work_are_told_at_once(settings: Mqtt, key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        MqttPublisher(settings)


def test_tries_while_the_broker_is_down_send_no_copies_later(
    broker: Mosquitto, publisher: MqttPublisher
) -> None:
    with Listener(broker.settings) as listener:
        publisher.publish(b"before")
        broker.stop()
        for _ in range(3):
            with pytest.raises(BrokerError):
                publisher.publish(b"during")
        broker.start()
        until(lambda: listener.online == 2)
        publisher.publish(b"after")
        until(lambda: b"after" in listener.records)
        assert listener.records == [b"before", b"after"]


def test_a_broker_that_freezes_is_given_up_and_comes_back(broker: Mosquitto) -> None:
    publisher = MqttPublisher(broker.settings, timeout_s=1)
    with Listener(broker.settings) as listener:
        publisher.publish(b"before")
        process = broker._process
        assert process
        process.send_signal(signal.SIGSTOP)
        begun = time.monotonic()
        with pytest.raises(BrokerError, match="silent for 1 s"):
            publisher.publish(b"x")
        assert time.monotonic() - begun < 10
        process.send_signal(signal.SIGCONT)
        publisher.publish(b"after")
        until(lambda: b"after" in listener.records)
    publisher.close()


def test_what_was_not_acknowledged_is_delivered_again(
    broker: Mosquitto, publisher: MqttPublisher
) -> None:
    with Listener(broker.settings, client_id="hub", acknowledge=False) as forgetful:
        publisher.publish(b"1")
        publisher.publish(b"2")
        until(lambda: len(forgetful.records) == 2)
    publisher.publish(b"3")
    with Listener(broker.settings, client_id="hub") as careful:
        until(lambda: careful.records == [b"1", b"2", b"3"])
    with Listener(broker.settings, client_id="hub") as late:
        publisher.publish(b"4")
        until(lambda: b"4" in late.records)
        assert late.records == [b"4"]


def test_a_restart_of_the_broker_loses_no_subscription(
    broker: Mosquitto, publisher: MqttPublisher
) -> None:
    with Listener(broker.settings) as listener:
        for round_ in range(3):
            broker.restart()
            until(lambda wanted=round_ + 2: listener.online == wanted)
            publisher.publish(b"%d" % round_)
        until(lambda: listener.records == [b"0", b"1", b"2"])
        assert listener.session.online


def test_more_messages_than_fit_on_the_way_at_once_all_arrive(broker: Mosquitto) -> None:
    with Listener(broker.settings) as listener, Listener(broker.settings, client_id="b") as other:
        messages = [Message(f"{ROOT}/map/{i}", b"%d" % i, retain=True) for i in range(1500)]
        other.session.publish(messages)
        until(lambda: sum(t.startswith(f"{ROOT}/map/") for t, _ in listener.got) == 1500)
    with Listener(broker.settings, client_id="new") as late:
        until(lambda: sum(t.startswith(f"{ROOT}/map/") for t, _ in late.got) == 1500)


def test_everyone_is_told_whether_the_hub_is_there(broker: Mosquitto) -> None:
    def heard() -> list[bytes]:
        return [payload for name, payload in watcher.statuses if name == "hub"]

    with Listener(broker.settings, client_id="watcher") as watcher:
        with Listener(broker.settings, client_id="hub"):
            until(lambda: heard() == [b"online"])
        until(lambda: heard() == [b"online", b"offline"])
        hub = Listener(broker.settings, client_id="hub").start()
        until(lambda: heard() == [b"online", b"offline", b"online"])
        broken = hub.session._link
        assert broken
        peer = broken._client.socket()
        assert peer
        # It dies: the line breaks without a farewell, and nobody takes it up again.
        hub.session._stopping.set()
        peer.shutdown(2)
        until(lambda: heard() == [b"online", b"offline", b"online", b"offline"])
        with Listener(broker.settings, client_id="hub"):
            until(lambda: heard()[4:] == [b"online"])


def test_stopping_is_quick_even_without_a_broker() -> None:
    session = MqttSession(
        Mqtt(host="127.0.0.1", port=free_port()), client_id="x", filters=["a"], status="s"
    )
    session.start(lambda message: message.acknowledge())
    until(lambda: "Connection refused" in session.trouble)
    begun = time.monotonic()
    session.stop()
    assert time.monotonic() - begun < 5
    with pytest.raises(BrokerError):
        session.publish([Message("a", b"b")])


def test_many_threads_may_share_a_publisher(broker: Mosquitto, publisher: MqttPublisher) -> None:
    with Listener(broker.settings) as listener:
        threads = [
            threading.Thread(target=lambda n=n: publisher.publish(b"%d" % n)) for n in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: sorted(listener.records) == sorted(b"%d" % n for n in range(20)))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, and another one."""
    folder = tmp_path_factory.mktemp("tls")
    for name in ("server", "other"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
             "-addext", "subjectAltName=IP:127.0.0.1",
             "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"],
            check=True, capture_output=True,
        )  # fmt: skip
    return folder


def test_tls_and_only_with_the_right_certificate(tmp_path: Path, certificates: Path) -> None:
    config = PLAIN + f"certfile {certificates}/server.pem\nkeyfile {certificates}/server.key\n"
    with Mosquitto(tmp_path / "broker", config) as broker:
        good = msgspec.structs.replace(
            broker.settings, tls=True, ca_file=str(certificates / "server.pem")
        )
        publisher = MqttPublisher(good, timeout_s=5)
        with Listener(good) as listener:
            publisher.publish(b"secret")
            until(lambda: listener.records == [b"secret"])
        publisher.close()
        bad = msgspec.structs.replace(good, ca_file=str(certificates / "other.pem"))
        with pytest.raises(BrokerError, match=re.compile("certificate", re.IGNORECASE)):
            MqttPublisher(bad, timeout_s=5).connect()
        with pytest.raises(BrokerError):
            MqttPublisher(broker.settings, timeout_s=2).connect()


def with_certificate(settings: Mqtt, folder: Path, name: str, key: str = "") -> Mqtt:
    return msgspec.structs.replace(
        settings,
        tls=True,
        ca_file=str(folder / "server.pem"),
        cert_file=str(folder / f"{name}.pem"),
        key_file=str(folder / f"{key or name}.key"),
    )


def test_a_hub_shows_its_certificate_to_a_broker_that_wants_one(
    tmp_path: Path, certificates: Path
) -> None:
    config = (
        "listener {port} 127.0.0.1\nrequire_certificate true\nuse_identity_as_username true\n"
        f"cafile {certificates}/other.pem\n"
        f"certfile {certificates}/server.pem\nkeyfile {certificates}/server.key\n"
    )
    with Mosquitto(tmp_path / "broker", config) as broker:
        settings = with_certificate(broker.settings, certificates, "other")
        got: list[bytes] = []
        inbox = Inbox(settings, client_id="hub", topic_filter="cctv/v1/inbox", left=[])
        session = MqttSession(settings, client_id="map", filters=[], status="cctv/v1/hub/status")
        inbox.start(lambda delivery: got.extend(delivery.payloads))
        session.start(lambda _: None)
        until(lambda: not inbox.trouble and not session.trouble)
        session.stop()
        inbox.stop()
        stranger = msgspec.structs.replace(settings, cert_file="", key_file="")
        with pytest.raises(BrokerError):
            MqttPublisher(stranger, timeout_s=2).connect()


def test_a_certificate_with_the_key_of_another_is_refused(certificates: Path) -> None:
    wrong = with_certificate(Mqtt(host="x"), certificates, "other", key="server")
    with pytest.raises(ConfigError, match="its own key"):
        MqttPublisher(wrong)
