"""Checks of ``scanner doctor`` that the settings decide: model, position, disk, broker, policy."""

import datetime as dt
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Final

import numpy as np

from scanner import wall
from scanner.app import hub_key, own_key_of
from scanner.cli.doctor_device import Check, Device, Note
from scanner.cli.home import wants_home
from scanner.core.privacy import PROFILES
from scanner.enrolment import end_day, outlived
from scanner.errors import ConfigError, DeviceError, StoreError
from scanner.hardware.live import boot_ns
from scanner.hardware.positions import open_positions
from scanner.network.session import MqttPublisher
from scanner.outgoing import mqtt_password, open_outbox
from scanner.relay import SENDING
from scanner.storage.outbox import FILE_NAME
from scanner.wall import landlock

MIN_FREE_BYTES: Final = 50 * 1024 * 1024
HALF: Final = 0.5
LEAST_S: Final = 0.2
MARGIN: Final = 0.8  # of a check's time, before the whole check is given up
ON_THIS_MACHINE: Final = ("localhost", "127.0.0.1", "::1")
OWN_LINE: Final = ("serial://", "ble://")  # receivers that serve one process at a time


def _model(device: Device) -> str:
    detector = device.detector()
    tile = np.zeros((detector.tile_size, detector.tile_size, 3), np.uint8)
    detector.infer(tile)
    start = time.perf_counter()
    detector.infer(tile)
    ms = (time.perf_counter() - start) * 1e3
    where = "the Edge TPU" if detector.on_edgetpu else "the processor"
    return f"{detector.tile_size} px tiles, {ms:.0f} ms each on {where}"


def _gnss(device: Device) -> str:
    settings = device.config.position
    if settings.source == "track":
        return "recorded track, by --track"
    if settings.source.startswith(OWN_LINE) and device.at_work:
        raise Note(f"{settings.source} is read by `scanner watch` at present")
    with closing(open_positions(settings.source, settings.sigma_m)) as positions:
        deadline = time.monotonic() + MARGIN * device.patience_s
        while time.monotonic() < deadline:
            position = positions.position_at(boot_ns())
            if position:
                return f"a fix, good to {position.sigma_m:.0f} m (1 sigma)"
            time.sleep(0.05)
        if positions.heard:
            raise Note("the receiver is heard but has no fix yet: it needs open sky")
        raise DeviceError(
            f"no positions from {positions.state}",
            hint="is the receiver plugged in, gpsd installed? or set position.source to track",
        )


def _disk(device: Device) -> str:
    data = device.data
    place = next(p for p in (data, *data.absolute().parents) if p.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise StoreError(f"{place}: cannot be written", hint="as a service's user? try sudo")
    waiting = 0
    if (data / FILE_NAME).is_file():
        with open_outbox(data) as store:
            waiting = store.count()
    free = shutil.disk_usage(place).free
    if free < MIN_FREE_BYTES:
        raise StoreError(f"{place}: {free // 1024**2} MiB free", hint="50 MiB are wanted")
    text = f"{data}: {waiting} records wait, {free / 1024**3:.1f} GiB free"
    swap = device.read("/proc/swaps").splitlines()[1:]
    if swap:
        raise Note(f"{text}; swap is on, so pictures could reach it: sudo swapoff -a")
    return text


def _broker(device: Device) -> str:
    mqtt = device.config.mqtt
    if not mqtt.host:
        raise Note("mqtt.host is empty: records stay in the outbox")
    limit_s = max(LEAST_S, HALF * MARGIN * device.patience_s)  # it may ask in two versions
    password = mqtt_password(device.config_file)
    publisher = MqttPublisher(mqtt, password=password, timeout_s=limit_s)
    with closing(publisher):
        publisher.connect()
    text = f"{mqtt.host}:{mqtt.port} answers"
    if mqtt.tls or mqtt.host in ON_THIS_MACHINE:
        return text
    raise Note(f"{text}, NOT ENCRYPTED: who listens sees when you send (mqtt.tls)")


def _hub_key(device: Device) -> str:
    config = device.config
    if hub_key(config) is None:
        raise ConfigError(
            "privacy.hub_key is empty: nobody could read the records",
            hint="`scanner enrol FILE`, or the key that `scanner hub keys` prints",
        )
    if config.privacy.hub_key:
        return "the hub's public key is set"
    keys = config.privacy.hub_keys
    if late := outlived(keys, dt.datetime.now(dt.UTC).date()):
        raise ConfigError(late, hint="ask for a new enrolment: `scanner enrol`")
    return f"the hub's public keys are set, up to {max(keys, key=end_day)}"


def _policy(device: Device) -> str:
    """Profile, and what it needs."""
    config = device.config
    profile = config.privacy.profile
    own_key_of(config)
    if SENDING[profile].dummies and config.mqtt.host and not config.mqtt.socks_proxy:
        raise ConfigError(
            f"privacy.profile {profile} sends through Tor only",
            hint="set mqtt.socks_proxy to that of Tor, 127.0.0.1:9050",
        )
    if wants_home(profile, device.data):
        raise Note(f"{profile} without a home: finds near it are reported: `scanner home set`")
    return profile + (", a home is set" if PROFILES[profile].home else "")


def _wall(_: Device) -> str:
    text = wall.describe()
    if not landlock.version():
        raise Note(text)
    return text


SETTINGS: Final[Mapping[str, Check]] = {
    "model": _model,
    "gnss": _gnss,
    "disk": _disk,
    "broker": _broker,
    "hub key": _hub_key,
    "policy": _policy,
    "wall": _wall,
}
