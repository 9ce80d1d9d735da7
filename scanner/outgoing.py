"""The composition root of what sends: nothing that could see is imported here."""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scanner import enrolment, sealing, wall
from scanner.config import Config, find
from scanner.core.privacy import DAY_S
from scanner.errors import ConfigError, WallError
from scanner.network.session import MqttPublisher
from scanner.ports import RecordStore
from scanner.relay import SENDING, Relay
from scanner.storage.outbox import Outbox


def data_folder() -> Path:
    """Where the outbox lies: systemd's state folder, else the user's own data folder."""
    state = os.environ.get("STATE_DIRECTORY")
    if state:
        return Path(state)
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "scanner"


@contextmanager
def open_outbox(data: Path, tell: Callable[[str], None] = lambda _: None) -> Iterator[Outbox]:
    """The outbox of a data folder; ``tell`` as it takes it."""
    store = Outbox(data, tell=tell)
    try:
        yield store
    finally:
        store.close()


def mqtt_password(config_file: Path | None = None) -> str:
    """The broker's password from systemd's credentials, else from the enrolment, or none.

    The enrolment is the one beside ``config_file``, else beside where ``config.find`` points.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    file = config_file or find()
    beside = file.parent if enrolment.installed(file) else None  # `scanner enrol` wrote it
    path = Path(folder or beside or "", "mqtt-password")
    if not (folder or beside) or not path.is_file():
        return ""
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path}: cannot be read: {e}") from e


def make_relay(
    config: Config,
    store: RecordStore,
    tell: Callable[[str], None],
    config_file: Path | None = None,
) -> Relay:
    """The relay of the configured profile, not connected yet; raises ConfigError.

    Reads all that it will ever need: once the wall stands, it could not.
    """
    sending = SENDING[config.privacy.profile]
    if sending.dummies and not config.mqtt.socks_proxy:
        raise ConfigError(
            f"privacy.profile {config.privacy.profile} sends through Tor only",
            hint="set mqtt.socks_proxy to that of Tor, 127.0.0.1:9050",
        )
    if config.mqtt.cert_file:
        raise ConfigError(
            "mqtt.cert_file is for hubs: a device's own would name it at each connection",
            hint="mqtt.username, the same for all devices",
        )
    return Relay(
        store,
        MqttPublisher(config.mqtt, password=mqtt_password(config_file)),
        sending,
        now_s=time.time,
        uniform=random.SystemRandom().random,
        dummy=_dummies(config) if sending.dummies else None,
        hold_s=config.mqtt.hold_s,
        tell=_watchful(tell),
    )


def _dummies(config: Config) -> Callable[[], bytes]:
    """Makes dummies sealed to the hub, which can then leave them out."""
    keys = sealing.hub_keys_of(config.privacy.hub_key, config.privacy.hub_keys)
    if not keys:
        raise ConfigError(
            "no hub key to seal dummies to",
            hint="`scanner enrol` brings it; or set privacy.hub_key, `scanner hub keys` prints it",
        )
    return lambda: sealing.seal_dummy(keys, int(time.time() // DAY_S))


def _watchful(tell: Callable[[str], None]) -> Callable[[str], None]:
    """Ends the relay when a failure has a cause that only a new start mends."""

    def watchful(line: str) -> None:
        tell(line)
        if wall.names_are_out_of_reach():
            raise WallError(
                "the system's name servers have changed and lie behind the wall now",
                hint="start again; as a service it does so by itself",
            )

    return watchful
