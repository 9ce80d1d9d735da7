"""The composition root: builds the parts a command needs from the configuration."""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import msgspec
from nacl.public import PrivateKey, PublicKey

from scanner import sealing
from scanner.config import Config, Lens
from scanner.core.geometry import LensModel
from scanner.core.privacy import PROFILES
from scanner.errors import ConfigError, DeviceError
from scanner.hardware.tflite import TfliteDetector, shipped_model
from scanner.looking import Watcher
from scanner.network.session import MqttPublisher
from scanner.pipeline import Counts, Finder, Sealer, watch
from scanner.ports import Panel, RecordStore
from scanner.relay import drain, keep_sending
from scanner.replay.frames import FolderFrames, VideoFrames, open_frames
from scanner.replay.tracks import RecordedTrack
from scanner.storage.outbox import Outbox

FAINT_SHARE: Final = 0.9  # of the threshold: what is enough in one frame of many
REPLAY_RATE: Final = 5.0  # frames per second looked at, as on the device


def data_folder() -> Path:
    """Where the outbox lies: systemd's state folder, else the user's own data folder."""
    state = os.environ.get("STATE_DIRECTORY")
    if state:
        return Path(state)
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "scanner"


def open_detector(config: Config, *, share: float = 1.0) -> TfliteDetector:
    """The detector that the configuration names, or the shipped one.

    ``share`` of the configured threshold is enough for a detection.
    """
    settings = config.detector
    return TfliteDetector(
        Path(settings.model) if settings.model else shipped_model(),
        threads=settings.threads,
        threshold=settings.threshold * share,
    )


def model_version(config: Config) -> str:
    """Short name of the detector file that goes into each record: its first bytes' digest."""
    import hashlib  # noqa: PLC0415 - only here

    path = Path(config.detector.model) if config.detector.model else shipped_model()
    return hashlib.blake2b(path.read_bytes(), digest_size=4).hexdigest()


def lens_model(lens: Lens) -> LensModel:
    """The lens of the configuration."""
    return msgspec.convert(msgspec.structs.asdict(lens), LensModel)


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded walk: pictures and their track."""

    source: Path
    track: Path
    rate: float = REPLAY_RATE
    offset_s: float = 0.0


@contextmanager
def open_recording(
    recording: Recording, config: Config, *, remember: bool = False
) -> Iterator[tuple[VideoFrames | FolderFrames, RecordedTrack, Finder]]:
    """Frames, positions and a finder over them; ``remember`` as in ``Finder``."""
    with ExitStack() as stack:
        positions = RecordedTrack(
            recording.track, sigma_m=config.position.sigma_m, offset_s=recording.offset_s
        )
        stack.callback(positions.close)
        source = open_frames(recording.source, rate=recording.rate)
        stack.callback(source.close)
        watcher = Watcher(open_detector(config, share=FAINT_SHARE), config.detector.budget)
        finder = Finder(
            watcher,
            positions,
            lens_model(config.lens),
            min_score=config.detector.threshold,
            remember=remember,
        )
        yield source, positions, finder


def watch_recording(
    recording: Recording, config: Config, store: RecordStore, key: PublicKey, panel: Panel
) -> Counts:
    """The device from files: fill the outbox with what the walk shows."""
    sealer = Sealer(
        store,
        lambda record: sealing.seal(record, key),
        PROFILES[config.privacy.profile],
        model=model_version(config),
        uniform=random.SystemRandom().random,
    )
    with open_recording(recording, config) as (source, _, finder):
        counts = watch(source, finder, sealer, panel)
        for line in source.skipped if isinstance(source, FolderFrames) else ():
            panel.show("trouble", f"skipped: {line}")
        return counts


def hub_key(config: Config) -> PublicKey | None:
    """The hub's public key, if one is configured; raises ConfigError if it is not a key."""
    return sealing.key_from_text(config.privacy.hub_key) if config.privacy.hub_key else None


def nobodys_key() -> PublicKey:
    """A key whose private half is thrown away: what is sealed to it can never be read."""
    return PrivateKey.generate().public_key


def mqtt_password() -> str:
    """The broker's password from systemd's credentials, or none."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(folder, "mqtt-password") if folder else None
    if path is None or not path.is_file():
        return ""
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path}: cannot be read: {e}") from e


def connect(config: Config) -> MqttPublisher:
    """A publisher to the configured broker; raises ConfigError or BrokerError."""
    publisher = MqttPublisher(config.mqtt, password=mqtt_password())
    publisher.connect()
    return publisher


def relay_once(config: Config, data: Path) -> int:
    """Send what is due and return how many records that were; raises BrokerError."""
    with open_outbox(data) as store:
        return drain(store, lambda: connect(config), time.time())


def relay_forever(
    config: Config, data: Path, wait: Callable[[float], bool], tell: Callable[[str], None]
) -> None:
    """Keep sending until ``wait(seconds)`` returns True."""
    with open_outbox(data) as store:
        keep_sending(
            store,
            lambda: connect(config),
            now_s=time.time,
            wait=wait,
            uniform=random.SystemRandom().random,
            tell=tell,
        )


@contextmanager
def open_outbox(data: Path) -> Iterator[Outbox]:
    """The outbox of a data folder."""
    store = Outbox(data)
    try:
        yield store
    finally:
        store.close()


def refuse_live_lens() -> None:
    """Say that no lens can be opened yet; raises DeviceError."""
    raise DeviceError("no lens can be opened yet", hint="give --source VIDEO|FOLDER --track FILE")
