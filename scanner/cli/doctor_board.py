"""Checks of ``scanner doctor`` of the board: lens, accelerator, radio, panel, clock, heat, power.

What the kernel tells is read below ``Device.root``. On a machine that is no Raspberry Pi a missing
part is a note, as recorded walks need none.
"""

import ctypes
import importlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NoReturn

from scanner.cli.doctor_device import Check, Device, Note, installed
from scanner.config_front import NO_PIN
from scanner.errors import ConfigError, DeviceError, from_checkout
from scanner.hardware import edgetpu
from scanner.hardware.board import HOT_C, SUPPLY, THROTTLED, Board
from scanner.hardware.live import GNSS_FROM_S

CORAL: Final = {"1a6e:089a": "waits for its firmware", "18d1:9302": "is awake"}
USB3_MBPS: Final = 5000
WARM_C: Final = 70.0
UNSYNCHRONISED: Final = 0x40  # STA_UNSYNC of linux/timex.h
TIMEX_BYTES: Final = 208  # struct timex of 64-bit Linux, and where its status lies
STATUS_AT: Final = 40
HWMON: Final = "/sys/class/hwmon/*"
UNITS: Final = ("scanner-watch.service", "scanner-relay.service")
PROPERTIES: Final = (
    "Id,LoadState,ActiveState,SubState,UnitFileState,NRestarts,ExecMainStatus,ConditionResult"
)
BUS: Final = "/run/dbus/system_bus_socket"


def _missing(device: Device, message: str, hint: str) -> NoReturn:
    """What a Pi must have, another machine may lack."""
    if device.is_pi:
        raise DeviceError(message, hint=hint)
    raise Note(f"{message}: recorded walks only (--source)")


def _lens(device: Device) -> str:
    """Which cameras libcamera sees; none is opened, so ``watch`` may hold it."""
    if not installed("picamera2") or not installed("libcamera"):
        hint = "sudo apt install python3-picamera2"
        _missing(device, "picamera2 is not installed", hint)
    os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:ERROR")
    try:
        libcamera = importlib.import_module("libcamera")
        cameras = libcamera.CameraManager.singleton().cameras
        names = [str(c.properties.get(libcamera.properties.Model, c.id)) for c in cameras]
    except (ImportError, RuntimeError, OSError) as e:
        raise DeviceError(f"libcamera: {e}", hint="is this user in the group video?") from e
    if not names:
        hint = "is its ribbon seated at both ends, contacts to the board? then switch on again"
        _missing(device, "no lens is seen", hint)
    lens = device.config.lens
    return f"{', '.join(names)}; set up as {lens.preset}, {lens.width_px}x{lens.height_px}"


def _accelerator(device: Device) -> str:
    found = list(_corals(device))
    if not found:
        raise Note("no Coral is seen: the processor does the work, slower")
    what, node, slow = found[0]
    if not os.access(node, os.R_OK | os.W_OK):
        raise DeviceError(
            f"a Coral {what}, but this user may not use it",
            hint="the udev rules of the package; sudo udevadm trigger; group plugdev",
        )
    if device.at_work:
        return f"a Coral {what}; `scanner watch` has it{slow}"
    try:
        ctypes.CDLL(edgetpu.LIBRARY)
    except OSError as e:
        raise DeviceError(
            f"a Coral {what}, but {edgetpu.LIBRARY} is missing",
            hint="install libedgetpu1-std from coral.ai",
        ) from e
    if not device.detector().on_edgetpu:
        raise DeviceError(
            f"a Coral {what}, but cannot be opened",
            hint="unplug and plug it in; the model's _edgetpu.tflite must lie beside it",
        )
    if slow:
        raise Note(f"a Coral does the work{slow}")
    return "a Coral does the work"


def _corals(device: Device) -> Iterator[tuple[str, Path, str]]:
    """What it does, its file to open, and what slows it; USB and PCIe."""
    for name, folder in device.usb():
        if name in CORAL:
            bus, number = ((folder / n).read_text().strip() for n in ("busnum", "devnum"))
            node = device.root / f"dev/bus/usb/{int(bus):03d}/{int(number):03d}"
            speed = float((folder / "speed").read_text() or 0)
            awake = name == "18d1:9302"  # before, it is slow on any port
            slow = ", on a slow port: use a blue one" if awake and speed < USB3_MBPS else ""
            yield CORAL[name], node, slow
    for node in device.glob("/dev/apex_*"):
        yield "is built in", node, ""


def _ble(device: Device) -> str:
    config = device.config
    wanted = config.position.source.startswith("ble://") or config.hints.file
    if not wanted:
        return "not used"
    if not installed("bleak"):
        raise DeviceError("bleak is not installed", hint=from_checkout("pi"))
    radios = device.glob("/sys/class/bluetooth/hci*")
    if not radios:
        raise DeviceError("no Bluetooth radio", hint="dtoverlay=disable-bt in config.txt?")
    for switch in device.glob("/sys/class/rfkill/*"):
        blocked = [(switch / n).read_text().strip() == "1" for n in ("soft", "hard")]
        if (switch / "type").read_text().strip() == "bluetooth" and any(blocked):
            raise DeviceError("Bluetooth is blocked", hint="sudo rfkill unblock bluetooth")
    if not device.exists(BUS):
        raise DeviceError("no D-Bus: BlueZ cannot be asked", hint="sudo apt install bluez dbus")
    return f"{radios[0].name} is there"


def _panel(device: Device) -> str:
    settings = device.config.panel
    pins = {n: getattr(settings, n) for n in ("lamp", "red", "yellow", "green", "buzzer", "button")}
    used = {name: pin for name, pin in pins.items() if pin != NO_PIN}
    if not used:
        return "none is connected, as [panel] says"
    twice = [name for name, pin in used.items() if list(used.values()).count(pin) > 1]
    if twice:
        raise ConfigError(f"panel: {' and '.join(twice)} are on the same pin")
    for module in ("gpiozero", "lgpio"):
        if not installed(module):
            raise DeviceError(
                f"{module} is not installed", hint=f"sudo apt install python3-{module}"
            )
    chips = device.glob("/dev/gpiochip*")
    if not any(os.access(chip, os.R_OK | os.W_OK) for chip in chips):
        what = "may not be used by this user" if chips else "are not there"
        raise DeviceError(f"the board's pins {what}", hint="group gpio; sudo udevadm trigger")
    return ", ".join(f"{name} on GPIO {pin}" for name, pin in used.items())


def _clock(_: Device) -> str:
    now_s = time.time()
    told = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now_s))
    if now_s < GNSS_FROM_S:
        raise DeviceError(
            f"the clock says {told}: records would leave at the wrong time",
            hint="connect once to a network, or set it: sudo date -s ...",
        )
    state = ctypes.create_string_buffer(TIMEX_BYTES)
    ctypes.CDLL(None).adjtimex(state)
    if int.from_bytes(state.raw[STATUS_AT : STATUS_AT + 4], "little") & UNSYNCHRONISED:
        raise Note(f"{told}, not synchronised since the start; records take theirs from GNSS")
    return f"{told}, synchronised"


def _temperature(device: Device) -> str:
    degrees = Board(device.root).read().temperature_c
    if degrees is None:
        raise Note("this machine does not tell")
    text = f"{degrees:.0f} degrees Celsius"
    if degrees >= HOT_C:
        raise DeviceError(f"{text}: too hot, it slows down", hint="shade, air, a heat sink")
    if degrees >= WARM_C:
        raise Note(f"{text}: warm; from {HOT_C:.0f} on it slows down")
    return text


def _voltage(device: Device) -> str:
    supplies = [device.read(f"sys/class/hwmon/{p.name}/name") for p in device.glob(HWMON)]
    if SUPPLY not in supplies and not any(map(device.exists, THROTTLED)):
        raise Note("this board does not tell")
    reading = Board(device.root).read()
    if reading.under_voltage:
        raise DeviceError("too low right now", hint="a better supply, a shorter thicker cable")
    if reading.throttled:
        raise DeviceError("the processor is slowed down", hint="too hot, or a weak supply")
    if reading.was_under_voltage:
        raise Note("was too low since the start: a better supply or cable is wanted")
    return "high enough since the start"


def _units(device: Device) -> str:
    systemctl = shutil.which("systemctl")
    if not systemctl or not device.exists("/run/systemd/system"):
        raise Note("no systemd here: start `scanner watch` and `scanner relay` by hand")
    told = subprocess.run(  # noqa: S603 - systemd's own program
        [systemctl, "show", f"--property={PROPERTIES}", *UNITS],
        capture_output=True, text=True, check=False, timeout=device.patience_s,
    ).stdout  # fmt: skip
    return units(told, relays=bool(device.config.mqtt.host))


def units(told: str, *, relays: bool) -> str:
    """What ``systemctl show`` says of our units; raises Note, DeviceError.

    ``relays``: whether a broker is configured, without which the relay has nothing to do.
    """
    found = [dict(line.split("=", 1) for line in b.splitlines()) for b in told.split("\n\n") if b]
    if all(unit.get("LoadState") != "loaded" for unit in found):
        raise Note("not installed as services")
    parts = []
    for unit in found:
        name = unit["Id"].removesuffix(".service")
        state = unit["ActiveState"]
        if unit.get("ConditionResult") == "no" and state == "inactive":
            raise Note(f"{name} waits for settings: sudo scanner enrol FILE, or a scanner.toml")
        if state != "active" and (relays or name != "scanner-relay"):
            code = unit.get("ExecMainStatus", "0")
            raise DeviceError(
                f"{name} is {state}" + (f", exit code {code}" if code != "0" else ""),
                hint=f"sudo systemctl restart {name}; sudo journalctl -u {name} -n 20",
            )
        if int(unit.get("NRestarts") or 0):
            raise Note(
                f"{name} runs, started again {unit['NRestarts']} times: journalctl -u {name}"
            )
        if unit["UnitFileState"] != "enabled":
            raise Note(f"{name} does not start by itself: sudo systemctl enable {name}")
        parts.append(f"{name} {state}")
    return ", ".join(parts)


BOARD: Final[Mapping[str, Check]] = {
    "lens": _lens,
    "accelerator": _accelerator,
    "ble": _ble,
    "panel": _panel,
    "clock": _clock,
    "temperature": _temperature,
    "voltage": _voltage,
    "units": _units,
}
