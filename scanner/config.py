"""scanner.toml, read once into frozen values; every key is explained where it is defined."""

import base64
import math
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from scanner import enrolment
from scanner.config_front import HintSettings, PageSettings, PanelSettings
from scanner.enrolment import Enrolment, Epoch
from scanner.errors import ConfigError

PROFILES: Final = ("open", "careful", "hostile")  # the stricter, the later
LONGEST: Final = 32_768  # characters
# 1 to 65535
PORT: Final = r"([1-9]\d{0,3}|[1-5]\d{4}|6([0-4]\d{3}|5([0-4]\d{2}|5([0-2]\d|3[0-5]))))"
LONGEST_LINE: Final = 2_000  # of them; reading dotted keys takes time and memory with their square
DEFAULT_PATH: Final = Path("/etc/scanner/scanner.toml")


class Lens(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Our own camera and how it is worn.

    ``calibration`` beats ``preset``; ``hfov_deg`` and ``distortion``, where they are set, beat
    ``preset`` and must not stand beside ``calibration``.
    """

    width_px: Annotated[int, Meta(ge=320, le=4608, description="frame width")] = 1280
    height_px: Annotated[int, Meta(ge=240, le=3456, description="frame height")] = 720
    preset: Annotated[
        Literal["v2", "v3", "v3-wide", "hq-6mm"],
        Meta(
            description="Raspberry Pi camera: v2, v3, v3-wide or hq-6mm (the HQ camera with the"
            " official 6 mm lens); gives field of view and distortion"
        ),
    ] = "v3"
    calibration: Annotated[
        str,
        Meta(description="path of a file by `scanner calibrate`, used instead of the preset"),
    ] = ""
    hfov_deg: Annotated[
        float,
        Meta(
            ge=0,
            lt=150,
            description="horizontal field of view of the frame, degrees, above 10; 0: that of the"
            " preset",
        ),
    ] = 0.0
    distortion: Annotated[
        tuple[float, ...],
        Meta(
            max_length=3,
            description="radial distortion k1, k2, k3 as in OpenCV; empty: that of the preset",
        ),
    ] = ()
    mount_yaw_deg: Annotated[
        float, Meta(ge=-180, le=180, description="where the lens looks, right of the way walked")
    ] = 0.0
    mount_pitch_deg: Annotated[
        float, Meta(ge=-60, le=60, description="how far the lens looks up, degrees")
    ] = 8.0
    mount_roll_deg: Annotated[
        float,
        Meta(ge=-45, le=45, description="how far the lens is tilted clockwise, seen by the wearer"),
    ] = 0.0
    height_m: Annotated[float, Meta(gt=0.2, lt=4, description="lens above ground, metres")] = 1.5


class DetectorSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The network that finds cameras."""

    model: Annotated[
        str, Meta(description="path of a .tflite file; empty: the one that is shipped")
    ] = ""
    threshold: Annotated[
        float, Meta(gt=0, lt=1, description="score from which a detection counts")
    ] = 0.7
    inferences_per_s: Annotated[
        float,
        Meta(
            ge=0,
            le=10_000,
            description="tiles looked at per second, on average; the schedule picks them where a"
            " frame has more; 0: no limit, every tile of every frame",
        ),
    ] = 0.0
    threads: Annotated[int, Meta(ge=1, le=8, description="processor threads of the network")] = 2


class PositionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where positions come from."""

    source: Annotated[
        str,
        Meta(
            pattern=r"^(gpsd|gpsd://([^:/\[\]\s]+|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?|gpsd:///\S+"
            r"|serial:///[^?\s]+(\?baud=[0-9]{4,6})?|ble://[^/\s]+|track)$",
            description="gpsd (by its socket /run/gpsd/json.sock), gpsd:///ANOTHER/SOCKET,"
            " serial:///dev/ttyACM0?baud=9600, ble://ADDRESS, ble://NAME (a blank is %20), track"
            " (a file, by --track), or gpsd://HOST:PORT, which only doctor can reach: watch has no"
            " network",
        ),
    ] = "gpsd"
    sigma_m: Annotated[
        float, Meta(gt=0, le=100, description="1 sigma per axis when the source gives none")
    ] = 4.0


class Privacy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may leave the device."""

    profile: Annotated[
        Literal["open", "careful", "hostile"],
        Meta(
            description="open: for places where mapping is harmless; careful: for everybody else;"
            " hostile: where carrying a scanner is a risk"
        ),
    ] = "careful"
    hub_key: Annotated[
        str, Meta(description="the hub's public key, base64; records are sealed to it")
    ] = ""
    hub_keys: Annotated[
        dict[Epoch, str],
        Meta(
            description="the hub's public keys by epoch, 2026-Q4 or 2026-11; `scanner enrol` brings"
            " them; hub_key, where it is set, is used instead"
        ),
    ] = {}
    own_key: Annotated[
        str,
        Meta(
            description="your own public key, base64, by `scanner outbox keygen`: a copy of each"
            " record stays on the device for you to open elsewhere; empty: none"
        ),
    ] = ""


class Mqtt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The broker; passwords come as systemd credentials, never from this file."""

    host: Annotated[str, Meta(description="broker's name or address; empty: send nothing")] = ""
    port: Annotated[int, Meta(ge=1, le=65535, description="broker's port")] = 1883
    root: Annotated[
        str, Meta(pattern=r"^[^#+/][^#+]*[^#+/]$", description="first part of all topics")
    ] = "cctv/v1"
    tls: Annotated[bool, Meta(description="encrypt the connection")] = False
    ca_file: Annotated[str, Meta(description="CA certificate; empty: the system's")] = ""
    cert_file: Annotated[
        str, Meta(description="a hub's own certificate for the broker, PEM; empty: none")
    ] = ""
    key_file: Annotated[
        str, Meta(description="its key, PEM without a passphrase; empty: in the same file")
    ] = ""
    username: Annotated[str, Meta(description="user name at the broker; empty: none")] = ""
    socks_proxy: Annotated[
        str,
        Meta(
            pattern=rf"^([^\s:/\[\]]+:{PORT})?$",
            description="HOST:PORT of a SOCKS5 proxy that also looks up the broker's name; Tor's is"
            " 127.0.0.1:9050; empty: none",
        ),
    ] = ""
    hold_s: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="open profile: a record stays so long after the broker has"
            " it, and is sent again if the connection breaks meanwhile",
        ),
    ] = 120.0


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    lens: Lens = Lens()
    detector: DetectorSettings = DetectorSettings()
    position: PositionSettings = PositionSettings()
    privacy: Privacy = Privacy()
    mqtt: Mqtt = Mqtt()
    panel: PanelSettings = PanelSettings()
    page: PageSettings = PageSettings()
    hints: HintSettings = HintSettings()


def find() -> Path:
    """Path of the configuration file: SCANNER_CONFIG, else /etc/scanner/scanner.toml."""
    return Path(os.environ.get("SCANNER_CONFIG") or DEFAULT_PATH)


def load(path: Path | None = None) -> Config:
    """Configuration from ``path``, or from where ``find`` points.

    The default file may be missing (then all keys have their defaults); one that was named may
    not, but for a ``scanner.toml`` beside an enrolment, which is enough by itself. What the file
    leaves out comes from the enrolment. Raises ConfigError with file, key and remedy.
    """
    named = path is not None or bool(os.environ.get("SCANNER_CONFIG"))
    path = path or find()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as e:
        enough = path.name == DEFAULT_PATH.name and path.with_name(enrolment.FILE).exists()
        if not named or enough:
            return _enrolled(Config(), "", path)
        raise ConfigError(f"{path}: no such file", hint="`scanner config init` writes one") from e
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path}: cannot be read: {e}") from e
    return _enrolled(parse(text, str(path)), text, path)


def _enrolled(config: Config, text: str, path: Path) -> Config:
    """The configuration with what an enrolment adds: the file's own word goes first.

    Of the two profiles the stricter one holds, if the file names one at all.
    """
    found = enrolment.installed(path)
    if not found:
        return config
    privacy, mqtt = config.privacy, config.mqtt
    named = "profile" in tomllib.loads(text).get("privacy", {})
    profile = max(privacy.profile if named else "open", found.profile, key=PROFILES.index)
    keys = {epoch: base64.b64encode(key).decode() for epoch, key in found.hub_keys.items()}
    privacy = msgspec.structs.replace(privacy, profile=profile, hub_keys=privacy.hub_keys or keys)
    if not mqtt.host:
        mqtt = _broker(found, mqtt, path)
    return msgspec.structs.replace(config, privacy=privacy, mqtt=mqtt)


def _broker(found: Enrolment, mqtt: Mqtt, path: Path) -> Mqtt:
    broker = found.broker
    return msgspec.structs.replace(
        mqtt,
        host=broker.host,
        port=broker.port,
        root=broker.root,
        username=broker.username,
        tls=broker.tls,
        ca_file=str(path.with_name(enrolment.CA_FILE)) if broker.ca else "",
    )


def parse(text: str, name: str) -> Config:
    """Configuration from TOML text; ``name`` is used in messages."""
    if len(text) > LONGEST:
        raise ConfigError(f"{name}: longer than {LONGEST} characters: not a scanner.toml")
    if max(map(len, text.splitlines()), default=0) > LONGEST_LINE:
        raise ConfigError(f"{name}: a line of more than {LONGEST_LINE} characters")
    try:
        config = msgspec.convert(tomllib.loads(text), Config, strict=True)
    except msgspec.ValidationError as e:
        raise ConfigError(
            f"{name}: {_readable(str(e))}", hint="`scanner config explain` lists every key"
        ) from e
    except (ValueError, RecursionError) as e:  # of a number with thousands of digits, too
        raise ConfigError(f"{name}: not valid TOML: {e}") from e
    _refuse_non_finite(name, config)
    return config


def _readable(message: str) -> str:
    """``Expected `int`, got `str` - at `$.mqtt.port``` -> ``mqtt.port: expected ...``."""
    what, _, where = message.partition(" - at `$")
    key = where.strip("`.").replace("`", "")
    what = what.replace("Object contains unknown field", "unknown key")
    return f"{key}: {what}" if key else what


def _refuse_non_finite(name: str, config: Config) -> None:
    for section, key, _, _ in entries():
        value = getattr(getattr(config, section), key)
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{name}: {section}.{key}: {value} is not a number to work with")


def entries() -> Iterator[tuple[str, str, Any, str]]:
    """Every key: section, key, default, explanation."""
    for section in msgspec.structs.fields(Config):
        for field in msgspec.structs.fields(section.type):
            meta = _meta(field.type)
            empty = field.default_factory is not msgspec.NODEFAULT
            default = field.default_factory() if empty else field.default
            yield section.name, field.name, default, meta.description or "" if meta else ""


def _meta(annotation: Any) -> Meta | None:
    if get_origin(annotation) is Annotated:
        for extra in get_args(annotation)[1:]:
            if isinstance(extra, Meta):
                return extra
    return None


def example() -> str:
    """A complete scanner.toml with every key, its default and its explanation."""
    lines: list[str] = []
    last = ""
    for section, key, default, text in entries():
        if section != last:
            lines += ["", f"[{section}]"] if lines else [f"[{section}]"]
            last = section
        value = msgspec.json.encode(default).decode()
        lines += [f"# {text}", f"{key} = {value}"]
    return "\n".join(lines) + "\n"
