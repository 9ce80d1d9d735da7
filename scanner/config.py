"""scanner.toml, read once into frozen values; every key is explained where it is defined."""

import math
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from scanner.errors import ConfigError

DEFAULT_PATH: Final = Path("/etc/scanner/scanner.toml")


class Lens(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Our own camera and how it is worn."""

    width_px: Annotated[int, Meta(ge=320, le=4608, description="frame width")] = 1280
    height_px: Annotated[int, Meta(ge=240, le=3456, description="frame height")] = 720
    hfov_deg: Annotated[
        float, Meta(gt=10, lt=150, description="horizontal field of view of the lens, degrees")
    ] = 66.0
    k1: Annotated[float, Meta(gt=-1, lt=1, description="radial distortion, by calibration")] = 0.0
    k2: Annotated[float, Meta(gt=-1, lt=1, description="radial distortion, by calibration")] = 0.0
    mount_yaw_deg: Annotated[
        float, Meta(ge=-180, le=180, description="where the lens looks, right of the way walked")
    ] = 0.0
    mount_pitch_deg: Annotated[
        float, Meta(ge=-60, le=60, description="how far the lens looks up, degrees")
    ] = 8.0
    height_m: Annotated[float, Meta(gt=0.2, lt=4, description="lens above ground, metres")] = 1.5


class DetectorSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The network that finds cameras."""

    model: Annotated[
        str, Meta(description="path of a .tflite file; empty: the one that is shipped")
    ] = ""
    threshold: Annotated[
        float, Meta(gt=0, lt=1, description="score from which a detection counts")
    ] = 0.65
    budget: Annotated[
        int, Meta(ge=0, le=500, description="tiles looked at per frame; 0: all of them")
    ] = 0
    threads: Annotated[int, Meta(ge=1, le=8, description="processor threads of the network")] = 2


class PositionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where positions come from."""

    source: Annotated[
        str,
        Meta(
            pattern=r"^(gpsd|gpsd://([^:/\[\]\s]+|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?|gpsd:///\S+"
            r"|serial:///[^?\s]+(\?baud=[0-9]{4,6})?|ble://[^/\s]+|track)$",
            description="gpsd, gpsd://HOST:PORT, gpsd:///run/gpsd/json.sock,"
            " serial:///dev/ttyACM0?baud=9600, ble://ADDRESS, ble://NAME (a blank is %20),"
            " or track (a file, by --track)",
        ),
    ] = "gpsd"
    sigma_m: Annotated[
        float, Meta(gt=0, le=100, description="1 sigma per axis when the source gives none")
    ] = 4.0


class Privacy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may leave the device."""

    profile: Annotated[
        Literal["open"], Meta(description="open; careful and hostile are not built yet")
    ] = "open"
    hub_key: Annotated[
        str, Meta(description="the hub's public key, base64; records are sealed to it")
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
    username: Annotated[str, Meta(description="user name at the broker; empty: none")] = ""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    lens: Lens = Lens()
    detector: DetectorSettings = DetectorSettings()
    position: PositionSettings = PositionSettings()
    privacy: Privacy = Privacy()
    mqtt: Mqtt = Mqtt()


def find() -> Path:
    """Path of the configuration file: SCANNER_CONFIG, else /etc/scanner/scanner.toml."""
    return Path(os.environ.get("SCANNER_CONFIG") or DEFAULT_PATH)


def load(path: Path | None = None) -> Config:
    """Configuration from ``path``, or from where ``find`` points.

    The default file may be missing (then all keys have their defaults); one that was named may
    not. Raises ConfigError with file, key and remedy.
    """
    named = path is not None or bool(os.environ.get("SCANNER_CONFIG"))
    path = path or find()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as e:
        if not named:
            return Config()
        raise ConfigError(f"{path}: no such file", hint="`scanner config init` writes one") from e
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path}: cannot be read: {e}") from e
    return parse(text, str(path))


def parse(text: str, name: str) -> Config:
    """Configuration from TOML text; ``name`` is used in messages."""
    try:
        config = msgspec.convert(tomllib.loads(text), Config, strict=True)
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(f"{name}: not valid TOML: {e}") from e
    except msgspec.ValidationError as e:
        raise ConfigError(
            f"{name}: {_readable(str(e))}", hint="`scanner config explain` lists every key"
        ) from e
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
            yield section.name, field.name, field.default, meta.description or "" if meta else ""


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
